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
#include "ops/linear/integer_product_cpu.h"

namespace prwkv::PRWKV_ISA {

using cpu::Product;

/// Weights that are widened to f32 and meet f32 activations, Vec::size of both at a time.
template <class W>
struct AsFloats {
  static constexpr std::int64_t kStep = Vec::size;
  using Activation = float;
  using Operand = Vec;
  static Vec activations(const float* p, int n) { return get(p, n); }
  static Vec multiply_add(Vec w, Vec x, Vec sum) { return fma(w, x, sum); }
  static const float* rows(const Product& p) { return p.x; }
  static std::int64_t stride(const Product& p) { return p.x_stride; }
};
struct WeightF32 : AsFloats<WeightF32> {
  static constexpr std::int64_t bytes = 4;
  static Vec load(const std::byte* p) { return Vec::load_f32(p); }
};
struct WeightF16 : AsFloats<WeightF16> {
  static constexpr std::int64_t bytes = 2;
  static Vec load(const std::byte* p) { return Vec::load_f16(p); }
};
#ifdef PRWKV_HAS_BF16
/// bf16 weights and activations: an instruction multiplies 32 of each and adds the products two by
/// two.
struct WeightBF16 {
  static constexpr std::int64_t bytes = 2, kStep = Pairs::size;
  using Activation = std::uint16_t;
  using Operand = Pairs;
  static Pairs load(const std::byte* p) { return Pairs::load(p); }
  static Pairs activations(const std::uint16_t* p, int) { return Pairs::load(p); }
  static Vec multiply_add(Pairs w, Pairs x, Vec sum) { return dot(w, x, sum); }
  static const std::uint16_t* rows(const Product& p) {
    return reinterpret_cast<const std::uint16_t*>(p.activations);
  }
  /// Rows end with zeros, so that no step is shorter than others.
  static std::int64_t stride(const Product& p) { return padded(p.in); }
  static std::int64_t padded(std::int64_t in) { return (in + kStep - 1) / kStep * kStep; }
};

inline void convert_rows(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t stride = WeightBF16::padded(a.in);
  for (std::int64_t t = begin; t < end; ++t) {
    const float* x = a.x + t * a.x_stride;
    auto* to = reinterpret_cast<std::uint16_t*>(a.to) + t * stride;
    for (std::int64_t i = 0; i < stride; i += Vec::size) {
      const std::int64_t left = a.in - i;
      const Vec v = left >= Vec::size ? Vec::load(x + i)
                    : left > 0        ? Vec::load_first(x + i, static_cast<int>(left))
                                      : Vec::zero();
      store_bf16(v, to + i);
    }
  }
}
#else
struct WeightBF16 : AsFloats<WeightBF16> {
  static constexpr std::int64_t bytes = 2;
  static Vec load(const std::byte* p) { return Vec::load_bf16(p); }
};
#endif

/// The first n weights, zeros behind them; never reads past the n-th.
template <class W>
inline typename W::Operand load_weights(const std::byte* p, int n) {
  if (n == 0) return W::load(p);
  alignas(64) std::byte padded[static_cast<std::size_t>(W::kStep) * W::bytes] = {};
  std::memcpy(padded, p, static_cast<std::size_t>(n * W::bytes));
  return W::load(padded);
}

/// acc[r][t] += Σ w_r[i] x_t[i] over n terms, with the weight rows w_stride bytes apart.
template <class W, int R, int X>
inline __attribute__((always_inline)) void multiply_add(Vec (&acc)[R][X], const std::byte* w,
                                                        std::int64_t w_stride,
                                                        const typename W::Activation* x,
                                                        std::int64_t x_stride, std::int64_t n) {
  const auto step = [&](std::int64_t i, int left) __attribute__((always_inline)) {
    typename W::Operand xv[X];
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) xv[t] = W::activations(x + t * x_stride + i, left);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto wv = load_weights<W>(w + r * w_stride + i * W::bytes, left);
#pragma GCC unroll 8
      for (int t = 0; t < X; ++t) acc[r][t] = W::multiply_add(wv, xv[t], acc[r][t]);
    }
  };
  std::int64_t i = 0;
  for (; i + W::kStep <= n; i += W::kStep) step(i, 0);
  if (i < n) step(i, static_cast<int>(n - i));
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
                  W::rows(p) + t0 * W::stride(p), W::stride(p), p.in);
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

/// What activations become for weights of a type, and the bytes of a row of them.
inline cpu::Form form([[maybe_unused]] DType weights) {
#ifdef PRWKV_HAS_BF16
  if (weights == DType::kBF16) return cpu::Form::kBF16;
#endif
  return panel_bytes(weights, 256) > 0 ? cpu::Form::kBytes : cpu::Form::kFloat;
}
inline std::int64_t activation_bytes(cpu::Form form, std::int64_t in) {
#ifdef PRWKV_HAS_BF16
  if (form == cpu::Form::kBF16) return WeightBF16::padded(in) * WeightBF16::bytes;
#endif
  return form == cpu::Form::kBytes ? terms_of(in) * (in / 32) * kActivationBytes : 0;
}
inline void convert_activations(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
#ifdef PRWKV_HAS_BF16
  if (a.form == cpu::Form::kBF16) return convert_rows(a, begin, end);
#endif
  quantize_activations(a, begin, end);
}

/// Output channels [begin, end) of all rows.
inline void product(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.T == 0) return;  // a tile has at least one row of x
  switch (p.dtype) {
    case DType::kF32: rows_of<WeightF32>(p, begin, end); break;
    case DType::kF16: rows_of<WeightF16>(p, begin, end); break;
    case DType::kBF16: rows_of<WeightBF16>(p, begin, end); break;
    default: with_block(p.dtype, [&]<class Block>() { panels_of<Block>(p, begin, end); });
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
