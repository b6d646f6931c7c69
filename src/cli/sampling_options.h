/// How tokens are drawn: the options of the commands that write text.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>

#include "runtime/engine.h"

namespace prwkv::cli {

/// What was asked for; the model's file has defaults for the rest.
struct SamplingArguments {
  std::optional<double> temperature, top_p;
  std::optional<int> top_k;
  std::optional<std::uint64_t> seed;
};

void add_sampling_options(CLI::App& command, SamplingArguments& o);

/// For a new session: the model's defaults, what was asked for, and a seed of its own unless one was named.
void begin_sampling(Session& session, const SamplingArguments& o);
/// What was asked for on top of what a session has, or its file remembers. The same seed goes on with its
/// sequence; another one begins a new one.
void change_sampling(Session& session, const SamplingArguments& o);

}  // namespace prwkv::cli
