/// y = act(W x + bias) for one row of x or many, weights read where they lie.
///
/// One accumulation order for every number of rows: lane l of a vector accumulator sums the terms i
/// ≡ l (mod lanes) in increasing i, then the lanes are added in a fixed tree. Register tiles
/// (weight rows x activation rows) and cache blocks only decide which sums run side by side, never
/// the order inside one. So a row's result is bit-identical whatever rows share the call and
/// however the work is cut over threads.
///
/// Dot products along `in` need no repacking: a mapped file is the operand.
#pragma once

#include <cstring>

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

using cpu::Product;

struct WeightF32 {
  static constexpr std::int64_t bytes = 4;
  static Vec load(const std::byte* p) { return Vec::load_f32(p); }
};
struct WeightF16 {
  static constexpr std::int64_t bytes = 2;
  static Vec load(const std::byte* p) { return Vec::load_f16(p); }
};
struct WeightBF16 {
  static constexpr std::int64_t bytes = 2;
  static Vec load(const std::byte* p) { return Vec::load_bf16(p); }
};

/// The first n weights, zeros behind them; never reads past the n-th.
template <class W>
inline Vec load_weights(const std::byte* p, int n) {
  if (n == 0) return W::load(p);
  alignas(64) std::byte padded[static_cast<std::size_t>(Vec::size) * W::bytes] = {};
  std::memcpy(padded, p, static_cast<std::size_t>(n * W::bytes));
  return W::load(padded);
}

/// acc[r][t] += Σ_{i < in} w_r[i] x_t[i], R weight rows times X activation rows, all in registers.
template <class W, int R, int X, bool prefetch>
[[gnu::always_inline]] inline void accumulate(std::int64_t in, const std::byte* w,
                                              std::int64_t w_stride, const float* x,
                                              std::int64_t x_stride, Vec (&acc)[R][X]) {
  const auto step = [&](std::int64_t i, int n) __attribute__((always_inline)) {
    Vec xv[X];
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) xv[t] = get(x + t * x_stride + i, n);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const std::byte* p = w + r * w_stride + i * W::bytes;
      // The rows of the next tile: hardware follows eight short streams late, and by then the bus
      // has idled.
      if constexpr (prefetch) __builtin_prefetch(p + R * w_stride);
      const Vec wv = load_weights<W>(p, n);
#pragma GCC unroll 8
      for (int t = 0; t < X; ++t) acc[r][t] = fma(wv, xv[t], acc[r][t]);
    }
  };
  for_vectors(in, step);
}

template <class W, int R, int X, bool prefetch>
inline void tile(const Product& p, std::int64_t row, std::int64_t t0) {
  Vec acc[R][X];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) acc[r][t] = Vec::zero();
  }
  const std::int64_t w_stride = p.in * W::bytes;
  accumulate<W, R, X, prefetch>(p.in, p.w + row * w_stride, w_stride, p.x + t0 * p.x_stride,
                                p.x_stride, acc);
#pragma GCC unroll 8
  for (int t = 0; t < X; ++t) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) p.y[(t0 + t) * p.y_stride + row + r] = sum(acc[r][t]);
  }
}

/// tile<R, cols> for a number of activation rows known at run time only.
template <class W, int R, bool prefetch, int X = Vec::tile_cols>
inline void tile_of(std::int64_t cols, const Product& p, std::int64_t row, std::int64_t t0) {
  if constexpr (X > 1) {
    if (cols < X) return tile_of<W, R, prefetch, X - 1>(cols, p, row, t0);
  }
  tile<W, R, X, prefetch>(p, row, t0);
}

/// Activation rows a tile should take so that all tiles of T rows are about equally wide.
inline std::int64_t tile_width(std::int64_t T) {
  const std::int64_t tiles = (T + Vec::tile_cols - 1) / Vec::tile_cols;
  return (T + tiles - 1) / tiles;
}

/// A single activation row: as many weight rows side by side as there are registers.
template <class W>
inline void one_row(const Product& p, std::int64_t begin, std::int64_t end) {
  std::int64_t row = begin;
  for (; row + Vec::one_col_rows <= end; row += Vec::one_col_rows)
    tile<W, Vec::one_col_rows, 1, true>(p, row, 0);
  for (; row < end; ++row) tile<W, 1, 1, false>(p, row, 0);
}

/// Many activation rows, a block of them in L2 at a time. The first tile of a block brings a group
/// of weight rows into L1 and the others find it there. Widening 16-bit weights again in every tile
/// is hidden behind its multiply-adds: it measured faster than widening them once into a panel.
template <class W>
inline void many_rows(const Product& p, std::int64_t begin, std::int64_t end) {
  constexpr int R = Vec::tile_rows;
  constexpr std::int64_t kBlockBytes = 384 * 1024, kMostRows = 48;
  const std::int64_t width = tile_width(p.T), fitting = kBlockBytes / (p.in * 4) / width * width;
  const std::int64_t block = fitting < width       ? width
                             : fitting > kMostRows ? kMostRows / width * width
                                                   : fitting;
  for (std::int64_t t_begin = 0; t_begin < p.T; t_begin += block) {
    const std::int64_t t_end = p.T - t_begin < block ? p.T : t_begin + block;
    std::int64_t row = begin;
    for (; row + R <= end; row += R) {
      tile_of<W, R, true>(t_end - t_begin < width ? t_end - t_begin : width, p, row, t_begin);
      for (std::int64_t t = t_begin + width; t < t_end; t += width) {
        tile_of<W, R, false>(t_end - t < width ? t_end - t : width, p, row, t);
      }
    }
    for (; row < end; ++row) {
      for (std::int64_t t = t_begin; t < t_end; t += width) {
        tile_of<W, 1, false>(t_end - t < width ? t_end - t : width, p, row, t);
      }
    }
  }
}

template <class W>
inline void rows_of(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.T == 1)
    one_row<W>(p, begin, end);
  else
    many_rows<W>(p, begin, end);
}

/// Output channels [begin, end) of all rows.
inline void product(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.T == 0) return;  // a tile has at least one row of x
  switch (p.dtype) {
    case DType::kF32: rows_of<WeightF32>(p, begin, end); break;
    case DType::kF16: rows_of<WeightF16>(p, begin, end); break;
    case DType::kBF16: rows_of<WeightBF16>(p, begin, end); break;
    default: break;  // the loader hands no other type to this backend
  }
  if (p.bias == nullptr && p.act == Act::kNone && p.saved == nullptr) return;
  for (std::int64_t t = 0; t < p.T; ++t) {
    float* y = p.y + t * p.y_stride + begin;
    for_vectors(end - begin, [&](std::int64_t i, int n) {
      Vec z = get(y + i, n);
      if (p.bias != nullptr) z = z + get(p.bias + begin + i, n);
      if (p.saved != nullptr) put(p.saved + t * p.y_stride + begin + i, n, z);
      put(y + i, n, apply(p.act, z));
    });
  }
}

}  // namespace prwkv::PRWKV_ISA
