/// From a weight file to a model that can run: sizes detected, every tensor checked, bound and,
/// where needed, converted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "models/checkpoint.h"
#include "models/fingerprint.h"
#include "models/lora.h"
#include "models/model.h"
#include "ops/ctx.h"

namespace prwkv {

struct LoadOptions {
  /// Matrices are converted to it while loading (see matrix_type): f32, f16, bf16 or a block type.
  /// Empty: as stored.
  std::optional<DType> dtype;
  /// The same for single matrices, by BlinkDL name; above `dtype`.
  std::map<std::string, DType, std::less<>> dtypes{};
  std::optional<double> groupnorm_eps{};  ///< overrides Model::groupnorm_eps
  /// A file of adapters, and alpha if the file does not say it; see LoraFile.
  std::string lora{};
  std::optional<double> lora_alpha{};
  std::string lora_init{};  ///< PiSSA's initial adapters; empty for LoRA
  /// Matrices that will change, besides those that the adapters' file has as a whole: they are copied, as f32 rows. (Vectors are
  /// in any case.)
  std::function<bool(const Param&)> trained{};
};

/// A model and everything its weights point into. Move-only; the backend must outlive it.
struct LoadedModel {
  std::unique_ptr<Checkpoint> file;  ///< the mapping that matrices lie in; absent for random models
  std::unique_ptr<Arena> weights;    ///< converted, transposed and small tensors
  std::unique_ptr<Model> model;
  std::unique_ptr<LoraFile>
      lora;           ///< whole parameters in it may lie in its mapping too; absent for most
  Adapters adapters;  ///< what matrices with an adapter point to
  Fingerprint fingerprint;
};

/// What low-rank pairs become where a block type is asked for: a fifth of what a token reads if they stayed f32 beside
/// four bits, and eight bits of them cost nothing that can be measured (docs/numerics.md).
inline constexpr DType kLowRankBlocks = DType::kQ8_0;

/// The type of a matrix when `wanted` is asked for: a block type only if its rows fit, else what
/// quant::fitting gives; kLowRankBlocks for low-rank pairs, and `otherwise` for stacks of them.
[[nodiscard]] DType matrix_type(const Param& p, DType wanted, DType otherwise);

/// Sizes and generation of a checkpoint; generation is nullptr for files that hold no RWKV this
/// version knows.
struct Detected {
  const Generation* generation = nullptr;
  Dims dims;
};
[[nodiscard]] Detected detect(const Checkpoint& file);

/// The constants of the norms as the program computes them that the file comes from: docs/numerics.md.
[[nodiscard]] NormEps norm_eps_of(const Checkpoint& file, const Detected& found);

/// Throws Error{kFile | kFormat | kUnsupported | kOutOfMemory} naming file, tensor, expected and
/// found.
[[nodiscard]] LoadedModel load_model(const std::string& path, Backend& backend,
                                     const LoadOptions& options = {});

}  // namespace prwkv
