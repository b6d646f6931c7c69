#include "tensor/tensor.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>

namespace prwkv {

Shape::Shape(std::initializer_list<std::int64_t> sizes) : rank(static_cast<int>(sizes.size())) {
  if (rank > kMaxRank)
    fail(Code::kInternal, "a tensor has at most {} dimensions, not {}", kMaxRank, rank);
  std::copy(sizes.begin(), sizes.end(), dims.begin());
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= (*this)[i];
  return n;
}

std::vector<std::int64_t> Shape::sizes() const { return {dims.begin(), dims.begin() + rank}; }

Shape Shape::stacked(std::int64_t n) const {
  if (rank == kMaxRank) fail(Code::kInternal, "{} of {} have too many dimensions", n, str());
  Shape s{n};
  s.rank = rank + 1;
  std::copy_n(dims.begin(), rank, s.dims.begin() + 1);
  return s;
}

std::string Shape::str() const {
  return fmt::format("({})",
                     fmt::join(std::span(dims).first(static_cast<std::size_t>(rank)), ", "));
}

Tensor Tensor::reshaped(const Shape& s) const {
  if (s.numel() != numel()) fail(Code::kInternal, "cannot view {} as {}", shape.str(), s.str());
  Tensor t = *this;
  t.shape = s;
  return t;
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t count) const {
  PRWKV_DCHECK(layout == Layout::kRows);
  Tensor t = *this;
  t.shape.dims[0] = count;
  const std::int64_t row = shape.numel() / std::max<std::int64_t>(shape[0], 1);
  t.data = static_cast<char*>(data) + row_bytes(dtype, begin * row);
  return t;
}

void expect_shape(const char* what, const Tensor& t, const Shape& shape) {
  if (t.shape == shape) return;
  throw Error(Code::kInvalidArgument, fmt::format("{}: wrong shape", what),
              {.expected = shape.str(), .found = t ? t.shape.str() : "no tensor"});
}

Tensor unscaled(const char* what, const Matrix& m) {
  if (m.scale != 1) fail(Code::kInvalidArgument, "{}: the matrix has a scale, {}", what, m.scale);
  if (m.adapter != nullptr) fail(Code::kInvalidArgument, "{}: the matrix has an adapter", what);
  return m.weight;
}

}  // namespace prwkv
