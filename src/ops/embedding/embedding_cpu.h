#pragma once

#include "ops/linear/linear_cpu.h"

namespace prwkv::PRWKV_ISA {

template <class W>
inline void widen_row(const std::byte* from, float* to, std::int64_t C) {
  for_vectors(
      C, [&](std::int64_t c, int n) { put(to + c, n, load_weights<W>(from + c * W::kBytes, n)); });
}

inline void embedding(const EmbeddingArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t C = a.y.dim(1);
  for (std::int64_t t = begin; t < end; ++t) {
    const auto* table = a.table.as<const std::byte>();
    const std::int64_t at = a.ids.as<const std::int32_t>()[t] * C;
    float* y = a.y.as<float>() + t * C;
    switch (a.table.dtype) {
      case DType::kF32: widen_row<F32Weights>(table + at * 4, y, C); break;
      case DType::kF16: widen_row<F16Weights>(table + at * 2, y, C); break;
      case DType::kBF16: widen_row<BF16Weights>(table + at * 2, y, C); break;
      default:
        with_block(a.table.dtype, [&]<class Block>() {
          constexpr auto kBytes = static_cast<std::int64_t>(sizeof(Block));
          decode<Block>(table + at / Quants<Block>::kElements * kBytes, C, y);
        });
    }
  }
}

/// Channels [begin, end) of all rows: the same token may come twice.
inline void embedding_backward(const EmbeddingBackwardArgs& a, std::int64_t begin,
                               std::int64_t end) {
  const std::int64_t T = a.g_y.dim(0), C = a.g_y.dim(1);
  for (std::int64_t t = 0; t < T; ++t) {
    float* g = a.g_table.as<float>() + a.ids.as<const std::int32_t>()[t] * C + begin;
    const float* g_y = a.g_y.as<float>() + t * C + begin;
    for_vectors(end - begin, [&](std::int64_t c, int n) { accumulate(g + c, n, get(g_y + c, n)); });
  }
}

}  // namespace prwkv::PRWKV_ISA
