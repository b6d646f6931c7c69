/// The backward pass of y = act(W x + bias):
///
///     g_z = g_y ⊙ act'(z)     g_x += g_z W     g_W += g_zᵀ x     g_bias += Σ_t g_z
///
/// Both matrix products are those of float_product_cpu.h with operands that lie the other way: a panel's lanes are
/// columns of W or of x, which are neighbours in memory, so that matrices serve as they lie, or packing is copying.
#pragma once

#include "ops/linear/linear_cpu.h"

namespace prwkv::PRWKV_ISA {

/// Rows [begin, end) of a matrix into panels of its columns; the last panel is filled up with zeros.
inline void pack_columns(const cpu::Columns& a, std::int64_t begin, std::int64_t end) {
  const auto put_lanes = [&](std::int64_t row, std::int64_t column, Vec v) {
    v.store(a.panels + (column / Vec::size * a.n_rows + row) * Vec::size);
  };
  for (std::int64_t r = begin; r < end; ++r) {
    const std::byte* row = a.rows + r * a.stride;
    if (with_float(a.dtype, [&]<class W>() {
          for_vectors(a.n_columns, [&](std::int64_t c, int n) {
            put_lanes(r, c, load_weights<W>(row + c * W::kBytes, n));
          });
        }))
      continue;
    with_block(a.dtype, [&]<class Block>() {
      constexpr std::int64_t kElements = Quants<Block>::kElements;
      alignas(64) float decoded[kElements];
      for (std::int64_t c = 0; c < a.n_columns; c += kElements) {
        decode<Block>(row + c / kElements * static_cast<int>(sizeof(Block)), kElements, decoded);
        for (std::int64_t i = 0; i < kElements; i += Vec::size)
          put_lanes(r, c + i, Vec::load(decoded + i));
      }
    });
  }
}

/// Columns [begin, end) of x as rows of tiles (fill_tiles).
inline void tiles_of_columns(const cpu::ColumnTiles& a, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kAtOnce = 64;  // steps whose lines stay in L1 for all tiles
  for (std::int64_t s0 = 0; s0 < a.steps; s0 += kAtOnce) {
    const std::int64_t s1 = a.steps - s0 < kAtOnce ? a.steps : s0 + kAtOnce;
    for (std::int64_t t = begin; t < end;) {
      const std::int64_t tile = t / a.width * a.width;
      const std::int64_t width = a.rows - tile < a.width ? a.rows - tile : a.width;
      const std::int64_t last = end < tile + width ? end : tile + width;
      for (std::int64_t s = s0; s < s1; ++s) {
        float* to = reinterpret_cast<float*>(a.to) + tile * a.steps + s * width + t - tile;
        const float* x = a.x + s * a.stride + t;
        for_vectors(last - t, [&](std::int64_t i, int n) { put(to + i, n, get(x + i, n)); });
      }
      t = last;
    }
  }
}

inline void slopes(const cpu::Slopes& a, std::int64_t begin, std::int64_t end) {
  const Vec scale = Vec::broadcast(a.scale);
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    Vec g = scale * get(a.g_y + begin + i, n);
    if (a.z != nullptr) g = g * slope(a.act, get(a.z + begin + i, n));
    put(a.g_z + begin + i, n, g);
  });
}

inline void column_sums(const cpu::ColumnSums& a, std::int64_t begin, std::int64_t end) {
  for_vectors(end - begin, [&](std::int64_t c, int n) {
    Vec total = Vec::zero();
    for (std::int64_t t = 0; t < a.rows; ++t)
      total = total + get(a.x + t * a.stride + begin + c, n);
    accumulate(a.to + begin + c, n, total);
  });
}

}  // namespace prwkv::PRWKV_ISA
