/// Quantizes the matrices of a model while it reads a text.
///
/// Two streams of the same tokens go through one forward pass: the model as it is, and the model with
/// what has been quantized of it so far. When the pass comes to a matrix, its inputs in both are there:
///
///     minimise over ŵ   Σ_t (ŵ·x̂_t − w·x_t)²        x of the first stream, x̂ of the second
///                     = (w* − ŵ)ᵀ H (w* − ŵ) + const,   H = Σ x̂ x̂ᵀ,   w* = w + H⁻¹ (Σ x̂ (x − x̂)ᵀ) w
///
/// so that a matrix makes up for the errors of those before it (quant/calibrated.h does the rest). The
/// second stream then goes on with ŵ. No model file knows of this: it is a backend around another.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/loader.h"
#include "quant/calibrated.h"
#include "runtime/engine.h"

namespace prwkv {

struct CalibrationOptions {
  int threads = 0;  ///< 0: one for each core that the process may use
  std::optional<double> groupnorm_eps{};
  /// Tokens are read in sequences of this length, each from the empty state.
  std::size_t sequence_length = 512;
  double damping = 0.01;  ///< of quant::Metric
};

/// A matrix in its new type.
struct QuantizedMatrix {
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<std::byte> blocks;
  quant::CalibratedCost cost;
  std::int64_t inputs = 0;  ///< rows of x that it was calibrated with
};

/// At most `most` tokens in sequences of `length`, taken from all over a text. Each begins with the
/// end-of-text token, as documents do in training.
std::vector<std::int32_t> calibration_sample(std::span<const std::int32_t> text,
                                             std::int32_t end_of_text, std::size_t most,
                                             std::size_t length);

/// Called with elements of matrices done, of all; false throws Error{kCancelled}.
using CalibrationProgress = std::function<bool(std::int64_t done, std::int64_t total)>;

/// The matrices named in `types` (BlinkDL name → block type), calibrated on `tokens`. Embeddings, which
/// have no inputs, are rounded to nearest.
///
/// Memory: the activations of all tokens at once, twice (2 T (F + some 30 C) floats of 4 bytes), four
/// (n, n) matrices of the widest input n, and what is returned.
/// Throws Error{kInvalidArgument} for too few tokens, Error{kUnsupported} naming a matrix with values
/// that blocks cannot hold, and what load_model throws.
std::map<std::string, QuantizedMatrix> calibrate(const std::string& path,
                                                 const std::map<std::string, DType>& types,
                                                 std::span<const std::int32_t> tokens,
                                                 const CalibrationOptions& options = {},
                                                 const CalibrationProgress& progress = {});

}  // namespace prwkv
