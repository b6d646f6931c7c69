/// The subcommands: each function adds one to the program, with its options, help and action.
/// Actions throw; main.cc turns what they throw into an exit code, and nothing else does.
#pragma once

#include <CLI/CLI.hpp>

namespace prwkv::cli {

void add_generate(CLI::App& app);
void add_chat(CLI::App& app);
void add_logits(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_detokenize(CLI::App& app);
void add_inspect(CLI::App& app);
void add_convert(CLI::App& app);
void add_diff(CLI::App& app);
void add_perplexity(CLI::App& app);
void add_quantize(CLI::App& app);
void add_bench(CLI::App& app);
void add_make_random(CLI::App& app);
void add_state(CLI::App& app);
void add_train(CLI::App& app);
void add_merge(CLI::App& app);
void add_vocab(CLI::App& app);
/// Last: it describes all the others.
void add_completion(CLI::App& app);

}  // namespace prwkv::cli
