/// y = act(scale · W x + bias) for one row of x or many, weights read where they lie; those that are
/// stored by input have their own order of sums (by_input_cpu.h).
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
#include "ops/linear/by_input_cpu.h"
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
  static void convert(Vec x, float* to) { x.store(to); }
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
  static void convert(Vec x, std::uint16_t* to) { store_bf16(x, to); }
};
#else
struct WeightBF16 : AsFloats<WeightBF16> {
  static constexpr std::int64_t bytes = 2;
  static Vec load(const std::byte* p) { return Vec::load_bf16(p); }
};
#endif

/// Activations in tiles: `width` rows together, kStep elements of each in turn, zeros behind the last.
/// A tile is then one stream. Rows where they lie would be 2ⁿ bytes apart, and so compete for the same
/// few places of L1 with each other and with the weights.
template <class W>
constexpr std::int64_t padded(std::int64_t in) {
  return (in + W::kStep - 1) / W::kStep * W::kStep;
}
template <class W>
inline void fill_tiles(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  auto* tiles = reinterpret_cast<typename W::Activation*>(a.to);
  for (std::int64_t t = begin; t < end; ++t) {
    const std::int64_t first = t / a.width * a.width;
    const std::int64_t width = a.T - first < a.width ? a.T - first : a.width;
    const float* x = a.x + t * a.x_stride;
    auto* to = tiles + first * padded<W>(a.in) + (t - first) * W::kStep;
    for (std::int64_t i = 0; i < a.in; i += W::kStep, to += width * W::kStep) {
      for (std::int64_t k = 0; k < W::kStep; k += Vec::size) {
        const std::int64_t left = a.in - i - k;
        W::convert(left >= Vec::size ? Vec::load(x + i + k)
                   : left > 0        ? Vec::load_first(x + i + k, static_cast<int>(left))
                                     : Vec::zero(),
                   to + k);
      }
    }
  }
}

/// The first n weights, zeros behind them; never reads past the n-th.
template <class W>
inline typename W::Operand load_weights(const std::byte* p, int n) {
  if (n == 0) return W::load(p);
  alignas(64) std::byte buffer[static_cast<std::size_t>(W::kStep) * W::bytes] = {};
  std::memcpy(buffer, p, static_cast<std::size_t>(n * W::bytes));
  return W::load(buffer);
}

/// acc[r][t] += Σ w_r[i] x_t[i] over n columns of a tile, with the weight rows w_stride bytes apart.
template <class W, int R, int X>
inline __attribute__((always_inline)) void multiply_add(Vec (&acc)[R][X], const std::byte* w,
                                                        std::int64_t w_stride,
                                                        const typename W::Activation* x,
                                                        std::int64_t n) {
  const auto step = [&](std::int64_t i, int left) __attribute__((always_inline)) {
    if constexpr (X == 1) {
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) read_ahead<W::kStep * W::bytes>(w + r * w_stride + i * W::bytes);
    }
    typename W::Operand xv[X];
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) xv[t] = W::activations(x + i * X + t * W::kStep, left);
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
  const auto* x = reinterpret_cast<const typename W::Activation*>(p.activations);
  multiply_add<W>(acc, p.w + row * p.in * W::bytes, distance * p.in * W::bytes,
                  x + t0 * padded<W>(p.in), p.in);
#pragma GCC unroll 8
  for (int t = 0; t < X; ++t) {
    float y[R];
    if constexpr (R == 4) {
      sum4(acc[0][t], acc[1][t], acc[2][t], acc[3][t], y);
    } else {
      for (int r = 0; r < R; ++r) y[r] = sum(acc[r][t]);
    }
    for (int r = 0; r < R; ++r) p.y[(t0 + t) * p.y_stride + row + r * distance] = y[r];
  }
}

/// Output channels [begin, end), without the epilogue. A block of activation rows stays in L2; its
/// first tile brings R weight rows into L1 and the other tiles find them there. Widening 16-bit weights
/// again in every tile is hidden behind its multiply-adds; widening them once into a panel measured
/// slower.
template <class W>
inline void rows_of(const Product& p, std::int64_t begin, std::int64_t end) {
  constexpr int R = Vec::tile_rows;
  constexpr std::int64_t kMostRows = 48;
  const std::int64_t most = kMostRows / p.width * p.width, fitting = rows_in_cache(p, p.in * 4);
  const std::int64_t step = fitting < most ? fitting : most;
  const std::int64_t distance = (end - begin) / R;
  for (std::int64_t t0 = 0; t0 < p.T; t0 += step) {
    const std::int64_t t1 = p.T - t0 < step ? p.T : t0 + step;
    const auto tiles = [&]<int rows>(std::int64_t row) {
      for (std::int64_t t = t0; t < t1; t += p.width) {
        with_width<Vec::tile_cols>(t1 - t < p.width ? t1 - t : p.width,
                                   [&]<int X>() { tile<W, rows, X>(p, row, distance, t); });
      }
    };
    for (std::int64_t row = begin; row < begin + distance; ++row) tiles.template operator()<R>(row);
    for (std::int64_t row = begin + R * distance; row < end; ++row)
      tiles.template operator()<1>(row);
  }
}

/// What T rows of activations become for weights of a type, how many of them then lie together, and
/// the bytes of one.
inline cpu::Form form(DType weights, Layout layout, std::int64_t T) {
  if (panel_bytes(weights, 256) > 0) return cpu::Form::kBytes;
  if (layout == Layout::kByInput) return cpu::Form::kFloat;
#ifdef PRWKV_HAS_BF16
  if (weights == DType::kBF16) return cpu::Form::kBF16Tiles;
#endif
  return T == 1 ? cpu::Form::kFloat : cpu::Form::kFloatTiles;
}
inline std::int64_t tile_cols(cpu::Form form) {
  return form == cpu::Form::kBytes ? Vec::panel_tile_cols : Vec::tile_cols;
}
inline std::int64_t activation_bytes(cpu::Form form, std::int64_t in) {
  switch (form) {
    case cpu::Form::kFloat: break;
    case cpu::Form::kFloatTiles: return padded<WeightF32>(in) * 4;
    case cpu::Form::kBF16Tiles: return padded<WeightBF16>(in) * 2;
    case cpu::Form::kBytes: return terms_of(in) * (in / 32) * kActivationBytes;
  }
  return 0;
}
inline void convert_activations(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  switch (a.form) {
    case cpu::Form::kFloat: break;
    case cpu::Form::kFloatTiles: return fill_tiles<WeightF32>(a, begin, end);
    case cpu::Form::kBF16Tiles: return fill_tiles<WeightBF16>(a, begin, end);
    case cpu::Form::kBytes: return quantize_activations(a, begin, end);
  }
}

/// Output channels [begin, end) of all rows.
inline void product(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.T == 0) return;  // a tile has at least one row of x
  if (p.layout == Layout::kByInput) {
    by_input_rows_of(p, begin, end);
  } else {
    switch (p.dtype) {
      case DType::kF32: rows_of<WeightF32>(p, begin, end); break;
      case DType::kF16: rows_of<WeightF16>(p, begin, end); break;
      case DType::kBF16: rows_of<WeightBF16>(p, begin, end); break;
      default: with_block(p.dtype, [&]<class Block>() { panels_of<Block>(p, begin, end); });
    }
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
