/// Scratch memory for one forward pass: a pointer that moves up, and jumps back at the end of a
/// block. Weights that do not stay in their file lie in one that never jumps back.
#pragma once

#include <cstddef>
#include <vector>

#include "backend/backend.h"

namespace prwkv {

/// The same sequence of requests yields the same addresses after every rewind: blocks are kept,
/// never moved. A decode step can therefore be captured once and replayed.
class Arena {
 public:
  enum class For { kScratch, kWeights };
  explicit Arena(Backend& backend, For use = For::kScratch) : backend_(&backend), use_(use) {}

  struct Mark {
    std::size_t block = 0, offset = 0, used = 0;
  };
  [[nodiscard]] Mark mark() const { return {block_, offset_, used_}; }
  /// Frees everything made since `mark`.
  void rewind(const Mark& mark) {
    block_ = mark.block;
    offset_ = mark.offset;
    used_ = mark.used;
  }

  /// Contents are undefined; `dev` builds fill host memory with NaN so that a read before a write
  /// shows.
  [[nodiscard]] Tensor make(const Shape& shape, DType dtype);

  /// (n) i32 with these values.
  [[nodiscard]] Tensor ints(const std::vector<std::int32_t>& values);

  /// A matrix (out, in) in the layout that the backend's `linear` wants, for Backend::put_rows.
  [[nodiscard]] Tensor make_packed(const Shape& shape, DType dtype, Input input);

  /// Makes the first block so large, before anything is made: what is known to be needed is then one block, without
  /// unused ends, and in huge pages.
  void reserve(std::size_t bytes);

  /// Bytes reserved from the backend so far.
  [[nodiscard]] std::size_t capacity() const;
  /// Bytes that were in use at the same time, at most: what `reserve` needs for the same again.
  [[nodiscard]] std::size_t peak() const { return peak_; }

 private:
  Backend* backend_;
  For use_;
  std::vector<Buffer> blocks_;
  std::size_t block_ = 0, offset_ = 0;
  std::size_t used_ = 0, peak_ = 0;  // bytes, without the ends of blocks
};

/// Rewinds the arena when it goes out of scope.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(&arena), mark_(arena.mark()) {}
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;
  ~ArenaScope() { arena_->rewind(mark_); }

 private:
  Arena* arena_;
  Arena::Mark mark_;
};

}  // namespace prwkv
