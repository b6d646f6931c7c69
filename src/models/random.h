/// Models of real shapes with random weights: speed and memory can be measured without a download.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/loader.h"

namespace prwkv {

inline constexpr double kZerosByChance = 0.5;

/// "rwkv7:0.4b" -> its generation and sizes.
struct ModelShape {
  std::string name;
  const Generation* generation = nullptr;
  Dims dims;
  /// Share of the channel mix's activations that are zero: max(x, 0)² makes half of them so by chance,
  /// training many more. About, on an average text.
  double zeros = kZerosByChance;
  /// Parameters, and bytes of a model whose matrices are `dtype`. Vectors are stored in it as well; if
  /// it is a block type, they and stacks of low-rank pairs are f16, other low-rank pairs kLowRankBlocks.
  [[nodiscard]] std::int64_t parameters() const;
  [[nodiscard]] std::size_t bytes(DType dtype) const;
};

/// Throws Error{kInvalidArgument} listing the names there are.
[[nodiscard]] ModelShape model_shape(const std::string& name);
[[nodiscard]] std::vector<std::string> model_shape_names();

/// A model in memory. Throws Error{kOutOfMemory} with the planned and the available size if it does
/// not fit.
[[nodiscard]] LoadedModel random_model(const ModelShape& shape, DType dtype, Backend& backend,
                                       std::uint64_t seed = 0);

/// Told how many of how many bytes are written; returning false cancels and leaves no file.
using WriteProgress = std::function<bool(std::size_t done, std::size_t total)>;
/// The same weights as a safetensors file with BlinkDL names and shapes, every tensor in `dtype`.
void write_random_model(const ModelShape& shape, DType dtype, const std::string& path,
                        std::uint64_t seed = 0, const WriteProgress& progress = {});

}  // namespace prwkv
