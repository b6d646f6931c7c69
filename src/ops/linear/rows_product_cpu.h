/// Products with float matrices whose rows lie as in files: those that nobody packed, because they are
/// parts of a stack, or are read by others too.
///
/// Dot products run along `in`. Lane l of a vector sums the terms i ≡ l (mod lanes) in increasing i, then
/// the lanes are added in a fixed tree, whatever the tile: a row's result has the same bits alone and
/// among others.
#pragma once

#include <cstring>

#include "backend/cpu/simd/math.h"
#include "ops/linear/float_product_cpu.h"

namespace prwkv::PRWKV_ISA {

/// The first n weights, zeros behind them; never reads past the n-th. n = 0: a whole vector of them.
template <class W>
inline Vec load_weights(const std::byte* p, int n) {
  if (n == 0) return W::load(p);
  alignas(64) std::byte buffer[Vec::size * W::kBytes] = {};
  std::memcpy(buffer, p, static_cast<std::size_t>(n) * W::kBytes);
  return W::load(buffer);
}

/// R weight rows from `row` on times X activation rows from t0 on, all sums in registers.
template <class W, int R, int X>
inline void row_tile(const cpu::Product& p, std::int64_t row, std::int64_t t0) {
  const std::byte* w = p.w + row * p.in * W::kBytes;
  const float* x = p.x + t0 * p.x_stride;
  Vec acc[R][X];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) acc[r][t] = Vec::zero();
  }
  for_vectors(
      p.in, [&](std::int64_t i, int n) __attribute__((always_inline)) {
        Vec xv[X];
#pragma GCC unroll 8
        for (int t = 0; t < X; ++t) xv[t] = get(x + t * p.x_stride + i, n);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          const Vec wv = load_weights<W>(w + (r * p.in + i) * W::kBytes, n);
#pragma GCC unroll 8
          for (int t = 0; t < X; ++t) acc[r][t] = fma(wv, xv[t], acc[r][t]);
        }
      });
#pragma GCC unroll 8
  for (int t = 0; t < X; ++t) {
    float* y = p.y + (t0 + t) * p.y_stride + row;
    if constexpr (R == 4) {
      sum4(acc[0][t], acc[1][t], acc[2][t], acc[3][t], y);
    } else {
      for (int r = 0; r < R; ++r) y[r] = sum(acc[r][t]);
    }
  }
}

/// Output channels [begin, end), without the epilogue.
template <class W>
inline void rows_of(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  constexpr int R = Vec::tile_rows, kCols = Vec::tile_cols / 2;
  const auto tiles = [&]<int rows>(std::int64_t row) {
    for (std::int64_t t = 0; t < p.T; t += kCols) {
      with_width<kCols>(p.T - t < kCols ? p.T - t : kCols,
                        [&]<int X>() { row_tile<W, rows, X>(p, row, t); });
    }
  };
  std::int64_t row = begin;
  for (; row + R <= end; row += R) tiles.template operator()<R>(row);
  for (; row < end; ++row) tiles.template operator()<1>(row);
}

}  // namespace prwkv::PRWKV_ISA
