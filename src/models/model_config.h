/// The few facts about a model that its tensors do not show, as config.json beside the weights or the
/// metadata of GGUF state them. Sizes are never taken from there: published files have many wrong ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace prwkv {

class Reader;

struct ModelConfig {
  std::optional<double> layer_norm_eps;  ///< layer_norm_epsilon, norm_eps
  std::optional<double>
      head_size_divisor;  ///< GroupNorm divides by it first: eps = 1e-5 · its square
  std::optional<std::int64_t> head_size;  ///< for files whose r_k is flat: head_size, head_dim
};

/// What the model must have for a config.json beside it to be its own.
struct ConfigOwner {
  std::int64_t layers = 0, channels = 0;
};

/// From the metadata of the file, else from config.json in its folder. A config.json that names other
/// sizes than `owner` belongs to another model in the same folder and is not used; without one, all
/// facts are empty. Throws Error{kFile | kFormat} for one that cannot be read.
ModelConfig config_of(const Reader& reader, const ConfigOwner& owner);

}  // namespace prwkv
