/// Two weight files side by side, tensor by tensor, whatever their formats, names and types.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint.h"

namespace prwkv {

/// One tensor as a file has it, seen through BlinkDL's names.
struct TensorSide {
  DType dtype = DType::kF32;  ///< of the stored elements
  std::vector<std::int64_t> shape{};
};

struct TensorDifference {
  std::string name;                ///< BlinkDL's
  std::optional<TensorSide> a, b;  ///< empty: this file has no such tensor
  /// Values were compared: both files have the tensor, with equally many values, and sizes that
  /// agree once those of 1 are dropped or one of them is flat.
  bool compared = false;
  bool bit_equal = false;       ///< the same f32 (f64, if one is stored so) bits, decoded
  std::uint64_t differing = 0;  ///< values that are not equal; NaN equals NaN
  double max_abs = 0;           ///< largest |a − b|; infinite beside a NaN or infinity
  double rms = 0;               ///< root mean square of a − b
  double largest = 0;           ///< largest |a|

  /// max_abs / largest; 0 if nothing differs.
  [[nodiscard]] double relative() const;
  /// Whether values were compared and agree: max_abs is at most `tolerance` times `largest`.
  [[nodiscard]] bool agrees(double tolerance) const;
};

/// Called with the values compared so far, of all; false stops.
using DiffProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// All tensors of both, in the order of their names, numbers in them by size. Reads a few megabytes at
/// a time. Throws Error{kCancelled}.
std::vector<TensorDifference> diff(const Checkpoint& a, const Checkpoint& b,
                                   const DiffProgress& progress = {});

}  // namespace prwkv
