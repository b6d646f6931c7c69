/// The values that a new model is trained from: those of BlinkDL's training code, generation by generation.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "models/model.h"

namespace prwkv {

struct InitOptions {
  std::uint64_t seed = 0;
  /// The embedding is uniform in ±emb_scale. RWKV-4's script takes its first learning rate instead.
  double emb_scale = 1e-4;
};

/// The values of one parameter, in the shape of the listing: (out, in) for matrices, low-rank pairs
/// among them.
///
/// They follow from the arguments alone, bit for bit: each parameter draws from a stream of its own, made
/// of seed and name, so neither the order of calls nor the size of the pool shows. Another machine or
/// build may differ in the last bits of what is not uniform, since libm, vectors and caches do.
///
/// Memory beyond the result: twice its size for orthogonal matrices that are nearly square (these are
/// also made by one thread), once for wide ones, else some megabytes.
/// Throws Error{kInvalidArgument} for an emb_scale that is negative or not finite, and Error{kInternal}
/// naming a parameter that no table knows.
[[nodiscard]] std::vector<float> initial_values(const Param& param, const Model& model,
                                                const InitOptions& options, ThreadPool& pool);

}  // namespace prwkv
