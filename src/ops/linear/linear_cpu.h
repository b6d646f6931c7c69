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

#include "backend/cpu/block_weights.h"
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

/// acc[r][t] += Σ w_r[i] x_t[i] over n terms, with the weight rows w_stride bytes apart.
template <class W, int R, int X>
inline __attribute__((always_inline)) void multiply_add(Vec (&acc)[R][X], const std::byte* w,
                                                        std::int64_t w_stride, const float* x,
                                                        std::int64_t x_stride, std::int64_t n) {
  for_vectors(
      n, [&](std::int64_t i, int left) __attribute__((always_inline)) {
        Vec xv[X];
#pragma GCC unroll 8
        for (int t = 0; t < X; ++t) xv[t] = get(x + t * x_stride + i, left);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          const Vec wv = load_weights<W>(w + r * w_stride + i * W::bytes, left);
#pragma GCC unroll 8
          for (int t = 0; t < X; ++t) acc[r][t] = fma(wv, xv[t], acc[r][t]);
        }
      });
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
  multiply_add<W>(acc, p.w + row * p.in * W::bytes, distance * p.in * W::bytes,
                  p.x + t0 * p.x_stride, p.x_stride, p.in);
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

/// How activation rows are cut: into tiles of about equal width, and into blocks of tiles that stay in
/// L2.
struct Cut {
  explicit Cut(const Product& p) {
    constexpr std::int64_t kBlockBytes = 384 * 1024;
    const std::int64_t tiles = (p.T + Vec::tile_cols - 1) / Vec::tile_cols;
    width = (p.T + tiles - 1) / tiles;
    const std::int64_t fitting = kBlockBytes / (p.in * 4) / width * width;
    const std::int64_t most = kMostRows / width * width;
    block = fitting < width ? width : fitting > most ? most : fitting;
  }
  [[nodiscard]] std::int64_t cols(std::int64_t left) const { return left < width ? left : width; }
  static constexpr std::int64_t kMostRows = 48;  ///< of a block
  std::int64_t width, block;
};

/// Output channels [begin, end), without the epilogue. The first tile of a block of activation rows
/// brings R weight rows into L1 and the other tiles find them there. Widening 16-bit weights again in
/// every tile is hidden behind its multiply-adds; widening them once into a panel measured slower.
template <class W>
inline void rows_of(const Product& p, std::int64_t begin, std::int64_t end) {
  constexpr int R = Vec::tile_rows;
  const Cut cut(p);
  const std::int64_t distance = (end - begin) / R;
  for (std::int64_t t0 = 0; t0 < p.T; t0 += cut.block) {
    const std::int64_t t1 = p.T - t0 < cut.block ? p.T : t0 + cut.block;
    for (std::int64_t row = begin; row < begin + distance; ++row) {
      for (std::int64_t t = t0; t < t1; t += cut.width) {
        tile_of<W, R>(cut.cols(t1 - t), p, row, distance, t);
      }
    }
    for (std::int64_t row = begin + R * distance; row < end; ++row) {
      for (std::int64_t t = t0; t < t1; t += cut.width)
        tile_of<W, 1>(cut.cols(t1 - t), p, row, 0, t);
    }
  }
}

/// Bytes of a weight row of blocks.
template <class Block>
inline std::int64_t block_row_bytes(const Product& p) {
  return p.in / Quants<Block>::kElements * static_cast<std::int64_t>(sizeof(Block));
}

/// One activation row: the weights are decoded into registers and used up at once.
template <class Block, int R>
inline void one_row_tile(const Product& p, std::int64_t row, std::int64_t distance) {
  using Q = Quants<Block>;
  const std::int64_t bytes = block_row_bytes<Block>(p);
  const Block* w[R];
  Vec acc[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    w[r] = reinterpret_cast<const Block*>(p.w + (row + r * distance) * bytes);
    acc[r] = Vec::zero();
  }
  for (const float* x = p.x; x < p.x + p.in; x += Q::kElements) {
    ScalesOf<Block> scales[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) Q::scales(*w[r], scales[r]);
#pragma GCC unroll 8
    for (int g = 0; g < Q::kElements / kGroup; ++g) {
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        Vec v[kGroupVecs];
        decode_group(*w[r], scales[r], g, v);
#pragma GCC unroll 4
        for (int i = 0; i < kGroupVecs; ++i)
          acc[r] = fma(v[i], Vec::load(x + g * kGroup + i * Vec::size), acc[r]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) ++w[r];
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) p.y[row + r * distance] = sum(acc[r]);
}

/// A few weight rows decoded as far as L1 has room for them beside the activations, and the sums of all
/// tiles of a block, which wait in memory while the next stretch is decoded.
template <int R>
struct Panel {
  static constexpr std::int64_t kLength = 256;
  alignas(64) float w[R][kLength];
  Vec acc[Cut::kMostRows * R];

  template <int X = Vec::tile_cols>
  void add(std::int64_t cols, Vec* sums, const float* x, std::int64_t x_stride, std::int64_t n) {
    if constexpr (X > 1) {
      if (cols < X) return add<X - 1>(cols, sums, x, x_stride, n);
    }
    Vec part[R][X];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int t = 0; t < X; ++t) part[r][t] = sums[t * R + r];
    }
    multiply_add<WeightF32>(part, reinterpret_cast<const std::byte*>(w), sizeof w[0], x, x_stride,
                            n);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int t = 0; t < X; ++t) sums[t * R + r] = part[r][t];
    }
  }
};

/// Weight rows row, row + distance, … (R of them) times activation rows [t0, t1).
template <class Block, int R>
inline void panel_product(const Product& p, const Cut& cut, std::int64_t row, std::int64_t distance,
                          std::int64_t t0, std::int64_t t1) {
  constexpr auto kBytes = static_cast<std::int64_t>(sizeof(Block));
  Panel<R> panel;
  for (std::int64_t i = 0; i < (t1 - t0) * R; ++i) panel.acc[i] = Vec::zero();
  for (std::int64_t at = 0; at < p.in; at += panel.kLength) {
    const std::int64_t n = p.in - at < panel.kLength ? p.in - at : panel.kLength;
    for (int r = 0; r < R; ++r) {
      decode<Block>(p.w + (row + r * distance) * block_row_bytes<Block>(p) +
                        at / Quants<Block>::kElements * kBytes,
                    n, panel.w[r]);
    }
    for (std::int64_t t = t0; t < t1; t += cut.width)
      panel.add(cut.cols(t1 - t), panel.acc + (t - t0) * R, p.x + t * p.x_stride + at, p.x_stride,
                n);
  }
  for (std::int64_t t = t0; t < t1; ++t) {
    for (int r = 0; r < R; ++r)
      p.y[t * p.y_stride + row + r * distance] = sum(panel.acc[(t - t0) * R + r]);
  }
}

/// As rows_of, for weights in blocks: the same sums in the same order as for the decoded matrix.
template <class Block>
inline void block_rows_of(const Product& p, std::int64_t begin, std::int64_t end) {
  constexpr int R = Vec::tile_rows;
  const std::int64_t distance = (end - begin) / R;
  if (p.T == 1) {
    for (std::int64_t row = begin; row < begin + distance; ++row)
      one_row_tile<Block, R>(p, row, distance);
    for (std::int64_t row = begin + R * distance; row < end; ++row)
      one_row_tile<Block, 1>(p, row, 0);
    return;
  }
  const Cut cut(p);
  for (std::int64_t t0 = 0; t0 < p.T; t0 += cut.block) {
    const std::int64_t t1 = p.T - t0 < cut.block ? p.T : t0 + cut.block;
    for (std::int64_t row = begin; row < begin + distance; ++row)
      panel_product<Block, R>(p, cut, row, distance, t0, t1);
    for (std::int64_t row = begin + R * distance; row < end; ++row)
      panel_product<Block, 1>(p, cut, row, 0, t0, t1);
  }
}

/// Output channels [begin, end) of all rows.
inline void product(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.T == 0) return;  // a tile has at least one row of x
  switch (p.dtype) {
    case DType::kF32: rows_of<WeightF32>(p, begin, end); break;
    case DType::kF16: rows_of<WeightF16>(p, begin, end); break;
    case DType::kBF16: rows_of<WeightBF16>(p, begin, end); break;
    default: with_block(p.dtype, [&]<class Block>() { block_rows_of<Block>(p, begin, end); });
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
