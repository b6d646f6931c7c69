/// Engines over small models on any backend under test, and the ways to run tokens through them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/random.h"
#include "runtime/engine.h"
#include "support/backends.h"

namespace prwkv::test {

using Tokens = std::vector<std::int32_t>;

/// A tiny model of tests/golden with the logits that an independent program computed in double
/// precision.
struct Golden {
  std::string name, generation, path;
  Tokens tokens;
  std::vector<double> logits;  // (tokens, V)
  double groupnorm_eps = 0;
};
/// File names without their ending, one or more a generation.
std::vector<std::string> golden_names();
Golden load_golden(const std::string& name);

struct EngineSpec {
  std::string backend = "cpu_scalar";
  int threads = 2;
  LoadOptions load{};
  int chunk_rows = 0;
};
/// Throws Error{kUnsupported} where the machine cannot run the backend; ask `missing` first.
std::shared_ptr<Engine> engine_for_file(const std::string& path, const EngineSpec& spec);
std::shared_ptr<Engine> engine_for_shape(const std::string& shape, DType dtype,
                                         const EngineSpec& spec, std::uint64_t seed = 1);
/// Why a backend cannot run here; empty if it can.
std::string missing(const std::string& backend);

/// The logits after every token, and the state at the end.
struct Pass {
  std::vector<double> logits;
  State state;
};
/// `cuts`: how many tokens go into each call; the rest goes into a last one.
Pass run_in_cuts(Engine& engine, const Tokens& tokens, const std::vector<std::size_t>& cuts);
inline Pass run_whole(Engine& engine, const Tokens& tokens) {
  return run_in_cuts(engine, tokens, {});
}
inline Pass run_step_by_step(Engine& engine, const Tokens& tokens) {
  return run_in_cuts(engine, tokens, std::vector<std::size_t>(tokens.size(), 1));
}

/// Deterministic tokens below V.
Tokens some_tokens(std::size_t n, std::int64_t V, std::uint64_t seed);

double largest_difference(const std::vector<double>& a, const std::vector<double>& b);
/// Standard deviation: the scale on which logits differ from each other.
double spread(const std::vector<double>& logits);
/// Empty, or where two runs are not the same bits.
std::string difference(const Pass& a, const Pass& b);

}  // namespace prwkv::test
