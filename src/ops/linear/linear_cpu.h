/// y = act(scale · W x + bias) for one row of x or many, weights read where they lie.
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

/// Weight rows row, row + distance, … (R of them) times activation rows t0 … t0 + X − 1, all sums in
/// registers.
///
/// The weight rows of a tile lie far apart on purpose: each is the head of a stream tens of kilobytes
/// long, which the processor's prefetchers follow. Neighbouring rows share pages, confuse them and
/// measured half the bandwidth.
template <class W, int R, int X>
inline void tile(const Product& p, std::int64_t row, std::int64_t distance, std::int64_t t0) {
  Vec acc[R][X];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) acc[r][t] = Vec::zero();
  }
  const std::byte* w = p.w + row * p.in * W::bytes;
  const std::int64_t w_stride = distance * p.in * W::bytes;
  const float* x = p.x + t0 * p.x_stride;
  for_vectors(
      p.in, [&](std::int64_t i, int n) __attribute__((always_inline)) {
        Vec xv[X];
#pragma GCC unroll 8
        for (int t = 0; t < X; ++t) xv[t] = get(x + t * p.x_stride + i, n);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          const Vec wv = load_weights<W>(w + r * w_stride + i * W::bytes, n);
#pragma GCC unroll 8
          for (int t = 0; t < X; ++t) acc[r][t] = fma(wv, xv[t], acc[r][t]);
        }
      });
#pragma GCC unroll 8
  for (int t = 0; t < X; ++t) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      p.y[(t0 + t) * p.y_stride + row + r * distance] = sum(acc[r][t]);
    }
  }
}

/// A tile whose number of activation rows is known at run time only.
template <class W, int R, int X = Vec::tile_cols>
inline void tile_of(std::int64_t cols, const Product& p, std::int64_t row, std::int64_t distance,
                    std::int64_t t0) {
  if constexpr (X > 1) {
    if (cols < X) return tile_of<W, R, X - 1>(cols, p, row, distance, t0);
  }
  tile<W, R, X>(p, row, distance, t0);
}

/// Output channels [begin, end), without the epilogue. Activation rows are taken in blocks that stay
/// in L2: the first tile of a block brings R weight rows into L1 and the other tiles find them there.
/// Widening 16-bit weights again in every tile is hidden behind its multiply-adds; widening them once
/// into a panel measured slower.
template <class W>
inline void rows_of(const Product& p, std::int64_t begin, std::int64_t end) {
  constexpr int R = Vec::tile_rows;
  constexpr std::int64_t kBlockBytes = 384 * 1024, kMostRows = 48;
  const std::int64_t tiles = (p.T + Vec::tile_cols - 1) / Vec::tile_cols;
  const std::int64_t width = (p.T + tiles - 1) / tiles;  // so that all tiles are about equally wide
  const std::int64_t fitting = kBlockBytes / (p.in * 4) / width * width;
  const std::int64_t most = kMostRows / width * width;
  const std::int64_t block = fitting < width ? width : fitting > most ? most : fitting;
  const std::int64_t distance = (end - begin) / R;
  const auto cols = [width](std::int64_t left) { return left < width ? left : width; };
  for (std::int64_t t0 = 0; t0 < p.T; t0 += block) {
    const std::int64_t t1 = p.T - t0 < block ? p.T : t0 + block;
    for (std::int64_t row = begin; row < begin + distance; ++row) {
      for (std::int64_t t = t0; t < t1; t += width) {
        tile_of<W, R>(cols(t1 - t), p, row, distance, t);
      }
    }
    for (std::int64_t row = begin + R * distance; row < end; ++row) {
      for (std::int64_t t = t0; t < t1; t += width) tile_of<W, 1>(cols(t1 - t), p, row, 0, t);
    }
  }
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
  if (p.scale == 1 && p.bias == nullptr && p.act == Act::kNone && p.saved == nullptr) return;
  const Vec scale = Vec::broadcast(p.scale);
  for (std::int64_t t = 0; t < p.T; ++t) {
    float* y = p.y + t * p.y_stride + begin;
    for_vectors(end - begin, [&](std::int64_t i, int n) {
      Vec z = scale * get(y + i, n);
      if (p.bias != nullptr) z = z + get(p.bias + begin + i, n);
      if (p.saved != nullptr) put(p.saved + t * p.y_stride + begin + i, n, z);
      put(y + i, n, apply(p.act, z));
    });
  }
}

}  // namespace prwkv::PRWKV_ISA
