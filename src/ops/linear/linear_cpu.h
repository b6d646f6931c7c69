/// y = act(W x + bias) for one row of x or many, weights read where they lie.
///
/// One accumulation order for every number of rows: lane l of a vector accumulator sums the terms i ≡ l (mod lanes) in
/// increasing i, then the lanes are added in a fixed tree. Register tiles (weight rows x activation rows) and cache
/// blocks only decide which sums run side by side and where a half-finished accumulator waits, never the order inside
/// one. So a row's result is bit-identical whatever rows share the call and however the work is cut over threads.
///
/// Dot products along `in` need no repacking: a mapped file is the operand. Many rows amortise the conversion of 16-bit
/// weights: a panel of `tile_rows` weight rows is widened once a block of activation rows into L1.
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
[[gnu::always_inline]] inline void accumulate(std::int64_t in, const std::byte* w, std::int64_t w_stride,
                                              const float* x, std::int64_t x_stride, Vec (&acc)[R][X]) {
  const auto step = [&](std::int64_t i, int n) __attribute__((always_inline)) {
    Vec xv[X];
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) xv[t] = get(x + t * x_stride + i, n);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const std::byte* p = w + r * w_stride + i * W::bytes;
      // The rows of the next tile: hardware follows eight short streams late, and by then the bus has idled.
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
  accumulate<W, R, X, prefetch>(p.in, p.w + row * w_stride, w_stride, p.x + t0 * p.x_stride, p.x_stride, acc);
#pragma GCC unroll 8
  for (int t = 0; t < X; ++t) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) p.y[(t0 + t) * p.y_stride + row + r] = sum(acc[r][t]);
  }
}

/// Rows [begin, end) of W times X rows of x, straight from the stored weights.
template <class W, int R, int X, bool prefetch>
inline void few_rows(const Product& p, std::int64_t begin, std::int64_t end) {
  std::int64_t row = begin;
  for (; row + R <= end; row += R) tile<W, R, X, prefetch>(p, row, 0);
  for (; row < end; ++row) tile<W, 1, X, false>(p, row, 0);
}

/// Blocks of the many-row product: a widened panel of weights lives in L1, a block of activations in L2.
inline constexpr std::int64_t kInBlock = 1024, kColTiles = 16;
static_assert(kInBlock % 16 == 0);

/// One register tile over one block of `in`, its accumulators waiting in `waiting` between blocks.
template <int R, int X>
inline void blocked_tile(const Product& p, const float* panel, std::int64_t in_begin, std::int64_t in_count,
                         std::int64_t row, std::int64_t t0, float* waiting) {
  Vec acc[R][X];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) {
      acc[r][t] = in_begin == 0 ? Vec::zero() : Vec::load(waiting + (r * X + t) * Vec::size);
    }
  }
  accumulate<WeightF32, R, X, false>(in_count, reinterpret_cast<const std::byte*>(panel), kInBlock * 4,
                                     p.x + t0 * p.x_stride + in_begin, p.x_stride, acc);
  const bool last = in_begin + in_count == p.in;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) {
      if (last) p.y[(t0 + t) * p.y_stride + row + r] = sum(acc[r][t]);
      else acc[r][t].store(waiting + (r * X + t) * Vec::size);
    }
  }
}

template <int R, int X = Vec::tile_cols>
inline void blocked_tile_of(std::int64_t cols, const Product& p, const float* panel, std::int64_t in_begin,
                            std::int64_t in_count, std::int64_t row, std::int64_t t0, float* waiting) {
  if constexpr (X > 1) {
    if (cols < X) return blocked_tile_of<R, X - 1>(cols, p, panel, in_begin, in_count, row, t0, waiting);
  }
  blocked_tile<R, X>(p, panel, in_begin, in_count, row, t0, waiting);
}

template <class W>
inline void many_rows(const Product& p, std::int64_t begin, std::int64_t end) {
  constexpr int R = Vec::tile_rows, X = Vec::tile_cols;
  alignas(64) float panel[R * kInBlock];
  alignas(64) float waiting[kColTiles * R * X * Vec::size];
  for (std::int64_t t_begin = 0; t_begin < p.T; t_begin += kColTiles * X) {
    const std::int64_t t_end = p.T < t_begin + kColTiles * X ? p.T : t_begin + kColTiles * X;
    for (std::int64_t row = begin; row < end; row += R) {
      const std::int64_t rows = end - row < R ? end - row : R;
      for (std::int64_t i = 0; i < p.in; i += kInBlock) {
        const std::int64_t count = p.in - i < kInBlock ? p.in - i : kInBlock;
        for (std::int64_t r = 0; r < rows; ++r) {
          const std::byte* w = p.w + ((row + r) * p.in + i) * W::bytes;
          for_vectors(count, [&](std::int64_t j, int n) {
            load_weights<W>(w + j * W::bytes, n).store(panel + r * kInBlock + j);
          });
        }
        for (std::int64_t t = t_begin; t < t_end; t += X) {
          float* parked = waiting + (t - t_begin) / X * R * X * Vec::size;
          const std::int64_t cols = t_end - t < X ? t_end - t : X;
          if (rows == R) blocked_tile_of<R>(cols, p, panel, i, count, row, t, parked);
          else
            for (std::int64_t r = 0; r < rows; ++r) {
              blocked_tile_of<1>(cols, p, panel + r * kInBlock, i, count, row + r, t, parked + r * X * Vec::size);
            }
        }
      }
    }
  }
}

/// Chooses the widest tile for T rows.
template <class W, int X>
inline void rows_of(const Product& p, std::int64_t begin, std::int64_t end) {
  if constexpr (X > Vec::tile_cols) {
    many_rows<W>(p, begin, end);
  } else {
    if (p.T > X) return rows_of<W, X + 1>(p, begin, end);
    few_rows<W, X == 1 ? Vec::one_col_rows : Vec::tile_rows, X, true>(p, begin, end);
  }
}

/// Output channels [begin, end) of all rows.
inline void product(const Product& p, std::int64_t begin, std::int64_t end) {
  switch (p.dtype) {
    case DType::kF32: rows_of<WeightF32, 1>(p, begin, end); break;
    case DType::kF16: rows_of<WeightF16, 1>(p, begin, end); break;
    case DType::kBF16: rows_of<WeightBF16, 1>(p, begin, end); break;
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
