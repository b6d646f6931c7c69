/// Which packed rows belong to which sequence, and where each sequence keeps its state.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace prwkv {

/// All tokens of all sequences lie one after the other in the rows of a (T, C) matrix. One token, a
/// long prompt, many chats and a training batch differ only in this table, so a model cannot tell
/// them apart.
///
///     decode    |a|b|c|               3 sequences of 1 row (letters = state slots, a cell = a row)
///     prefill   |d d d d d d d d|     1 sequence of 8 rows
///     serving   |a|b|d d d d d|c|     mixed in one call
///
/// Both tables live in backend memory (a captured GPU step reads them from fixed addresses): only
/// kernels may look inside.
struct Seqs {
  Tensor begin;  ///< (n + 1) i32: sequence s owns rows begin[s] … begin[s + 1] − 1; a sequence may
                 ///< be empty
  Tensor slot;         ///< (n) i32: index into the first dimension of every state tensor; distinct
  std::int64_t n = 0;  ///< sequences
  std::int64_t rows = 0;   ///< T = begin[n]
  std::int64_t slots = 0;  ///< first dimension of the state tensors

  struct Range {
    std::int64_t begin, end, slot;
  };
  [[nodiscard]] Range operator[](std::int64_t s) const {
    const auto* b = begin.as<const std::int32_t>();
    return {b[s], b[s + 1], slot.as<const std::int32_t>()[s]};
  }
};

}  // namespace prwkv
