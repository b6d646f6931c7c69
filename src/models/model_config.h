/// The few facts about a model that its tensors do not show, as config.json and generation_config.json
/// beside the weights or the metadata of GGUF state them. Sizes are never taken from there: published files have many wrong ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace prwkv {

class Reader;

/// How text is to be drawn, where generation_config.json says so.
struct SamplingDefaults {
  std::optional<double> temperature, top_p;  ///< 0 if do_sample is false; in [0, 1]
  std::optional<int> top_k;                  ///< 0: off
};

/// What norms add to variances; the defaults are BlinkDL's, for every generation.
struct NormEps {
  double layer_norm = 1e-5;   ///< of ln0 and the norms in blocks
  double ln_out = 1e-5;       ///< of the last norm
  double group_norm = 64e-5;  ///< of ln_x in 5, 6 and 7
  bool operator==(const NormEps&) const = default;
};
inline constexpr NormEps kBlinkdlEps;

/// Their keys in safetensors' metadata; only files of ours have them.
inline constexpr const char *kLayerNormKey = "layer_norm_epsilon", *kLnOutKey = "ln_out_epsilon",
                            *kGroupNormKey = "group_norm_epsilon";

struct ModelConfig {
  std::optional<double> layer_norm_eps;  ///< layer_norm_epsilon, norm_eps
  std::optional<double> ln_out_eps;      ///< where it is stated by itself
  /// Stated by itself, or as head_size_divisor: GroupNorm divides by that first, so eps = 1e-5 · its
  /// square.
  std::optional<double> group_norm_eps;
  std::optional<std::int64_t> head_size;  ///< for files whose r_k is flat: head_size, head_dim
  SamplingDefaults sampling;
};

/// What the model must have for a config.json beside it to be its own.
struct ConfigOwner {
  std::int64_t layers = 0, channels = 0;
};

/// From the metadata of the file, else from config.json in its folder; sampling from
/// generation_config.json there. A config.json that names other sizes than `owner` belongs to another
/// model in the same folder, and neither file is used; without them, all facts are empty. Special ids
/// are left to the tokenizer: published files have wrong ones. Throws Error{kFile | kFormat} for a file
/// that cannot be read, or a value that cannot be; not for a GGUF file, which describes itself.
ModelConfig config_of(const Reader& reader, const ConfigOwner& owner);

}  // namespace prwkv
