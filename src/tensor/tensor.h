/// A small, non-owning view of a dense row-major array in some backend's memory.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"

namespace prwkv {

/// Sizes of up to four dimensions, slowest first, as PyTorch prints them.
struct Shape {
  static constexpr int kMaxRank = 4;
  std::array<std::int64_t, kMaxRank> dims{};
  int rank = 0;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes);
  std::int64_t operator[](int i) const { return dims[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::int64_t numel() const;
  /// As files have them.
  [[nodiscard]] std::vector<std::int64_t> sizes() const;
  /// (n, …): n of these, one after another.
  [[nodiscard]] Shape stacked(std::int64_t n) const;
  /// "(512, 1024)"
  [[nodiscard]] std::string str() const;
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// Where the elements of a tensor are.
enum class Layout : std::uint8_t {
  kRows,  ///< one after the other
  // As the backend wants them that packed them (Backend::pack); only its `linear` knows how.
  kPacked,   ///< for any input
  kByInput,  ///< so that what meets a zero need not be read
};

/// What is known of the input of a matrix.
enum class Input : std::uint8_t {
  kAny,
  kSquaredRelu,  ///< max(x, 0)²: exactly zero for most channels of a trained model
};

/// Copies are cheap and share the data. A default-constructed tensor is "absent" and tests false.
struct Tensor {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::kF32;
  Layout layout = Layout::kRows;
  /// Index of this value on the tape; −1 when nothing is recorded. Below: a recurrent state whose gradient is
  /// wanted (ParamGrads::watch_state).
  int var = -1;

  explicit operator bool() const { return data != nullptr; }
  [[nodiscard]] std::int64_t numel() const { return shape.numel(); }
  /// Of the elements as rows.
  [[nodiscard]] std::size_t bytes() const { return row_bytes(dtype, numel()); }
  /// Size of dimension i; -1 counts from the last.
  [[nodiscard]] std::int64_t dim(int i) const { return shape[i < 0 ? shape.rank + i : i]; }
  /// Typed access; only kernels may use it, since the memory may be a device's.
  template <class T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(data);
  }
  /// The same elements seen with another shape of equal size.
  [[nodiscard]] Tensor reshaped(const Shape& s) const;
  /// Elements [begin, begin + count) of the first dimension.
  [[nodiscard]] Tensor rows(std::int64_t begin, std::int64_t count) const;
};

/// Throws Error{kInvalidArgument} naming `what` unless the tensor has this shape.
void expect_shape(const char* what, const Tensor& t, const Shape& shape);

/// A weight matrix (out, in): y = scale · W x. A type of its own because a matrix carries more than a
/// tensor without any model noticing.
struct Adapter;
struct Matrix {
  Tensor weight;
  /// What the file divided the stored values by, as RWKV-6 GGUF files do so that f16 does not overflow;
  /// a power of two there, so that nothing is rounded.
  float scale = 1;
  const Adapter* adapter = nullptr;  ///< owned elsewhere, as weights are
  explicit operator bool() const { return bool(weight); }
  [[nodiscard]] std::int64_t out() const { return weight.shape[0]; }
  [[nodiscard]] std::int64_t in() const { return weight.shape[1]; }
};

/// LoRA (Hu et al. 2021): W becomes W + b.scale · B A. Neither matrix has an adapter of its own.
struct Adapter {
  Matrix a;  // (rank, in)
  Matrix b;  // (out, rank); its scale is alpha / rank
};

/// The weight of a matrix whose use has no place for a scale or an adapter. Throws Error{kInvalidArgument} naming
/// `what` if it has one.
Tensor unscaled(const char* what, const Matrix& m);

}  // namespace prwkv
