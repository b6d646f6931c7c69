#include "backend/arena.h"

#include <algorithm>
#include <cstring>

namespace prwkv {
namespace {

constexpr std::size_t kAlign = 64;  // one cache line, one AVX-512 register
constexpr std::size_t kSmallestBlock = std::size_t{4}
                                       << 20;  // a decode step of most models fits in one

}  // namespace

Tensor Arena::make(const Shape& shape, DType dtype) {
  Tensor t;
  t.shape = shape;
  t.dtype = dtype;
  const std::size_t bytes = (t.bytes() + kAlign - 1) / kAlign * kAlign;
  // Blocks that are too small are skipped, not replaced: the next pass will skip them too.
  while (block_ < blocks_.size() && blocks_[block_].bytes() - offset_ < bytes) {
    ++block_;
    offset_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t grown = blocks_.empty() ? kSmallestBlock : 2 * blocks_.back().bytes();
    blocks_.push_back(backend_->allocate(std::max(grown, bytes)));
    if (use_ == For::kWeights) backend_->will_stream(blocks_.back());
  }
  t.data = static_cast<char*>(blocks_[block_].data()) + offset_;
  offset_ += bytes;
  used_ += bytes;
  peak_ = std::max(peak_, used_);
#ifdef PRWKV_DCHECKS
  if (backend_->reads_host_memory()) std::memset(t.data, 0xff, bytes);
#endif
  return t;
}

void Arena::reserve(std::size_t bytes) {
  if (!blocks_.empty()) fail(Code::kInternal, "an arena in use cannot reserve a first block");
  blocks_.push_back(backend_->allocate(std::max(kSmallestBlock, bytes)));
  backend_->will_stream(blocks_.back());
}

Tensor Arena::ints(const std::vector<std::int32_t>& values) {
  const Tensor t = make({static_cast<std::int64_t>(values.size())}, DType::kI32);
  backend_->upload(t, values.data());
  return t;
}

Tensor Arena::make_packed(const Shape& shape, DType dtype, Input input) {
  const Packed packed = backend_->packed(dtype, shape, input);
  if (!packed) return make(shape, dtype);
  Tensor t = make({static_cast<std::int64_t>(packed.bytes)}, DType::kU8);
  t.shape = shape;
  t.dtype = dtype;
  t.layout = packed.layout;
  return t;
}

std::size_t Arena::capacity() const {
  std::size_t total = 0;
  for (const Buffer& b : blocks_) total += b.bytes();
  return total;
}

}  // namespace prwkv
