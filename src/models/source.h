/// How the values of a tensor are found in a file whose program may have transposed, stacked,
/// permuted or transformed them: a strided view, and a reader of its values in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace prwkv {

/// What was done to a value before it was stored.
enum class Transform {
  kNone,
  kNegExp,     ///< stored −exp(raw)
  kExp,        ///< stored exp(raw)
  kExpNegExp,  ///< stored exp(−exp(raw))
};
[[nodiscard]] double applied(Transform t, double raw);
[[nodiscard]] double undone(Transform t, double stored);

/// One dimension of a view. Index i lies at element place(i) · stride of the stored tensor.
struct Axis {
  std::int64_t size = 0;
  std::int64_t stride = 0;          ///< in stored elements
  std::vector<std::int64_t> order;  ///< place of each index; empty: place(i) = i
  [[nodiscard]] std::int64_t place(std::int64_t i) const {
    return order.empty() ? i : order[static_cast<std::size_t>(i)];
  }
};

/// A tensor as somebody wants to see it, over the elements of a stored one. Row-major in its axes:
/// the value of index (i, j, …) is
///     apply(undo(scale · stored[begin + place(i) · stride + place(j) · stride + …]))
/// Views are cheap, and made from one another; the bytes stay where they are.
struct Source {
  std::string_view name;             ///< of the stored tensor, for messages
  DType dtype = DType::kF32;         ///< of the stored elements
  std::span<const std::byte> bytes;  ///< all of the stored tensor
  std::int64_t begin = 0;            ///< stored element of index (0, 0, …)
  std::vector<Axis> axes;            ///< slowest first; none: a scalar
  Transform undo = Transform::kNone, apply = Transform::kNone;
  float scale = 1;  ///< a power of two

  /// Dense and row-major, of these sizes.
  static Source of(std::string_view name, DType dtype, std::span<const std::byte> bytes,
                   std::span<const std::int64_t> sizes);

  [[nodiscard]] std::int64_t numel() const;
  /// Sizes of the axes.
  [[nodiscard]] std::vector<std::int64_t> shape() const;
  /// "(768, 64)"
  [[nodiscard]] std::string shape_str() const;

  /// The last two axes swapped; needs two.
  [[nodiscard]] Source transposed() const;
  /// Axis `from` moved to position `to`.
  [[nodiscard]] Source moved(std::size_t from, std::size_t to) const;
  /// Index i of the first axis; the others remain.
  [[nodiscard]] Source slice(std::int64_t i) const;
  /// An axis of n·m indices as two, (n, m); m·n must be its size, and its order empty.
  [[nodiscard]] Source split(std::size_t axis, std::int64_t n) const;
  /// Equal blocks along an axis in another order: block b of the result is block order[b] of this.
  [[nodiscard]] Source with_blocks(std::size_t axis, std::span<const int> order) const;
  /// Stored after one more transform. Undoing it first cancels it.
  [[nodiscard]] Source transformed(Transform t) const;

  /// Whether elements are stored as they are wanted, so that their bytes can be copied.
  [[nodiscard]] bool is_raw() const;
  /// Whether elements lie one after another, in order.
  [[nodiscard]] bool is_dense() const;
  /// Bytes of the elements of a dense view.
  [[nodiscard]] std::span<const std::byte> dense_bytes() const;
};

/// Throws Error{kFormat}, "WHERE has the wrong type", for integers: no weights are stored as such.
void expect_weights(const Source& source, std::string_view where);

/// Reads the values of a view in order, any number at a time.
///
/// Cost: sequential where the view is; one strided access an element where it is not. A view of block
/// elements that goes across blocks is decoded once, as a whole, when first read.
class SourceReader {
 public:
  /// The source's bytes must outlive the reader.
  explicit SourceReader(Source source);
  /// Values [first, first + out.size()) of the row-major order, transforms undone and applied, scaled.
  /// f64 elements keep all bits in the second form.
  void read(std::int64_t first, std::span<float> out);
  void read(std::int64_t first, std::span<double> out);
  /// The same elements as stored bytes. Needs source.is_raw(), and for block elements a dense view
  /// and whole blocks.
  void copy(std::int64_t first, std::span<std::byte> out) const;

 private:
  void decode_if_strided();
  template <class T>
  void read_as(std::int64_t first, std::span<T> out);
  template <class Each>
  void for_each_run(std::int64_t first, std::int64_t count, const Each& each) const;

  Source source_;
  std::size_t outer_;         ///< axes in front of the densely stored tail
  std::int64_t run_;          ///< elements of that tail
  std::int64_t tail_stride_;  ///< between elements of a run
  std::vector<float> decoded_;
};

}  // namespace prwkv
