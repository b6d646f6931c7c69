/// Products with a matrix that is stored by input: all weights of one input are one contiguous row.
///
/// max(x, 0)² is zero for most channels of a trained model. A zero takes its row out of the product, so
/// one row of x reads only the rows whose inputs are not zero: fewer bytes than a dense product can.
///
///     y = Σ over segments (Σ over the inputs of a segment, in increasing order, x_i W_i)
///
/// Leaving out a term 0 · w changes no bit of such a sum, as long as w is finite: sums begin at +0 and
/// stay what they are (put_segment has the one exception). So the results are those of the dense
/// product, and one row of x gives the same bits alone (segment by segment, on any number of threads)
/// and among others (tiles of rows).
///
/// Floats lie as (in, out). Q8_0: 32 inputs together, their codes as (32, out), then the scales of these
/// codes as (out); codes of a row are permuted within `Quads::size` channels so that interleaving four
/// rows (`zip`) gives quads in order.
#pragma once

#include <cstring>

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/math.h"
#include "ops/linear/float_product_cpu.h"
#include "ops/linear/integer_product_cpu.h"

namespace prwkv::PRWKV_ISA {

/// Outputs are a multiple of this, inputs of 32: no tail anywhere.
inline constexpr std::int64_t kChannels = 64;
static_assert(kChannels % Quads::size == 0);

inline constexpr std::int64_t kQ8Bytes = sizeof(quant::BlockQ8_0);  // of 32 inputs of an output

/// What a matrix takes in this layout; 0: it cannot lie so. Where the processor multiplies bf16, a
/// product of bf16 weights along `in` is twice as fast for many rows.
inline std::int64_t by_input_bytes(DType dtype, std::int64_t out, std::int64_t in) {
  if (out % kChannels != 0 || in % 32 != 0) return 0;
  switch (dtype) {
    case DType::kF32: return out * in * 4;
    case DType::kF16: return out * in * 2;
    case DType::kQ8_0: return terms_of(in) == 1 ? out * (in / 32) * kQ8Bytes : 0;
#ifndef PRWKV_HAS_BF16
    case DType::kBF16: return out * in * 2;
#endif
    default: return 0;
  }
}

/// Where the code of a channel lies among those of its input.
inline std::int64_t place_of(std::int64_t channel) {
  constexpr std::int64_t kLane = 16;  // bytes that zip's instructions interleave
  const std::int64_t strip = channel / Quads::size * Quads::size, at = channel - strip;
  const std::int64_t vec = at / Vec::size, row = at % Vec::size;
  return strip + row / 4 * kLane + vec * 4 + row % 4;
}

/// Inputs of groups [begin, end) of 32 of some rows of the matrix.
inline void pack_by_input(const cpu::ByInputPacking& p, std::int64_t begin, std::int64_t end) {
  if (p.dtype == DType::kQ8_0) {
    for (std::int64_t g = begin; g < end; ++g) {
      std::byte* group = p.to + g * p.out * kQ8Bytes;
      for (std::int64_t r = 0; r < p.n; ++r) {
        const std::int64_t channel = p.first + r;
        const auto* b =
            reinterpret_cast<const quant::BlockQ8_0*>(p.rows + (r * (p.in / 32) + g) * kQ8Bytes);
        std::byte* codes = group + place_of(channel);
        for (int i = 0; i < 32; ++i)
          codes[i * p.out] = static_cast<std::byte>(b->qs[i] + Sums::kSignedZero);
        std::memcpy(group + 32 * p.out + 2 * channel, b->d, 2);
      }
    }
    return;
  }
  const auto turn = [&]<class T>(T) {
    constexpr int n = kSquare<T>, size = sizeof(T);
    static_assert(kChannels % n == 0 && 32 % n == 0);
    for (std::int64_t i = 32 * begin; i < 32 * end; i += n) {
      for (std::int64_t r = 0; r < p.n; r += n) {
        transpose<T>(p.rows + (r * p.in + i) * size, p.in * size,
                     p.to + (i * p.out + p.first + r) * size, p.out * size);
      }
    }
  };
  if (p.dtype == DType::kF32)
    turn(std::uint32_t{});
  else
    turn(std::uint16_t{});
}

/// Which of n numbers are not zero; all of them if nothing is to be left out, or if more than three
/// quarters are not: reading on is then as fast as leaping.
template <class T>
inline int active_inputs(const T* x, int n, bool skips, std::int32_t* index) {
  int count = 0;
  if (skips) {
    for (int i = 0; i < n; ++i) {
      index[count] = i;
      count += x[i] != 0 ? 1 : 0;  // NaN is not zero
    }
    if (4 * count <= 3 * n) return count;
  }
  for (int i = 0; i < n; ++i) index[i] = i;
  return n;
}

/// Rows of weights that come so much later are asked for; 8 measured the same, none half the speed.
inline constexpr int kAhead = 4;

/// Output channels [begin, end), multiples of kChannels.
struct Channels {
  std::int64_t begin, end;
};

/// sum += Σ x_j w_j over n rows of weights, and asks for n rows that will be wanted soon.
template <class W, int n>
inline __attribute__((always_inline)) void add_rows(const std::byte* const (&w)[n],
                                                    const float (&x)[n],
                                                    const std::byte* const (&soon)[n],
                                                    Channels channels, float* sum) {
  constexpr std::int64_t kLine = 64 / W::kBytes;
  Vec xv[n];
#pragma GCC unroll 4
  for (int j = 0; j < n; ++j) xv[j] = Vec::broadcast(x[j]);
  for (std::int64_t c = channels.begin; c < channels.end; c += kLine) {
#pragma GCC unroll 4
    for (int j = 0; j < n; ++j) __builtin_prefetch(soon[j] + c * W::kBytes);
#pragma GCC unroll 8
    for (std::int64_t v = c; v < c + kLine; v += Vec::size) {
      Vec s = Vec::load(sum + v);
#pragma GCC unroll 4
      for (int j = 0; j < n; ++j) s = fma(W::load(w[j] + v * W::kBytes), xv[j], s);
      s.store(sum + v);
    }
  }
}

inline void set_to_zero(float* sum, Channels channels) {
  for (std::int64_t c = channels.begin; c < channels.end; c += Vec::size)
    Vec::zero().store(sum + c);
}

/// sum = Σ over inputs [first, first + n) of one row of x; returns the bytes of weights that it read.
template <class W>
inline std::int64_t sum_of_segment(const cpu::Product& p, std::int64_t first, std::int64_t n,
                                   Channels channels, float* sum) {
  std::int32_t index[kSegment];
  const float* x = p.x + first;
  const int count = active_inputs(x, static_cast<int>(n), p.skips_zeros, index);
  set_to_zero(sum, channels);
  const std::int64_t row = p.out * W::kBytes;
  const std::byte* rows = p.w + first * row;
  const auto row_of = [&](int k) { return rows + index[k < count ? k : count - 1] * row; };
  int k = 0;
  for (; k + 2 <= count; k += 2) {
    add_rows<W, 2>({row_of(k), row_of(k + 1)}, {x[index[k]], x[index[k + 1]]},
                   {row_of(k + kAhead), row_of(k + kAhead + 1)}, channels, sum);
  }
  if (k < count) add_rows<W, 1>({row_of(k)}, {x[index[k]]}, {row_of(k + kAhead)}, channels, sum);
  return count * (channels.end - channels.begin) * W::kBytes;
}

/// The inputs of a group of 32 that count, four by four; places that are left over multiply by zero.
struct ActiveGroup {
  std::int32_t index[32 + 3];
  std::int8_t q[32 + 3];
  int count = 0;

  void find(const ActivationGroup<1>& x, bool skips) {
    count = active_inputs(x.q[0], 32, skips, index);
    for (int i = 0; i < count; ++i) q[i] = x.q[0][index[i]];
    for (int i = count; i < count + 3; ++i) index[i] = count > 0 ? index[0] : 0, q[i] = 0;
  }
  /// Whether its sum of products and its scale leave everything as it is.
  [[nodiscard]] bool is_nothing(const ActivationGroup<1>& x) const {
    return count == 0 && x.scale[0] == x.scale[0];
  }
};

/// Asks for the weights of a group row after row, a few lines at a time: whole rows are what memory likes
/// to give, while the group before is being added strip by strip.
struct RowsToAsk {
  const std::byte* group;
  const ActiveGroup& active;
  std::int64_t out;
  Channels channels;
  int row = 0;
  std::int64_t at = 0;  // bytes of that row

  void ask(int lines) {
    for (; lines > 0 && row <= active.count; --lines) {
      const bool is_scales = row == active.count;
      const std::byte* begin = is_scales ? group + 32 * out + 2 * channels.begin
                                         : group + active.index[row] * out + channels.begin;
      __builtin_prefetch(begin + at);
      at += 64;
      if (at < (channels.end - channels.begin) * (is_scales ? 2 : 1)) continue;
      at = 0;
      ++row;
    }
  }
};

inline std::int64_t sum_of_q8_segment(const cpu::Product& p, std::int64_t first, std::int64_t n,
                                      Channels channels, float* sum) {
  constexpr int kZeroBits = 7;
  static_assert(Sums::kSignedZero == 0 || Sums::kSignedZero == 1 << kZeroBits);
  const auto* x = ActivationGroup<1>::at(p.activations) + first / 32;
  const std::int64_t groups = n / 32, group_bytes = p.out * kQ8Bytes;
  const std::byte* codes = p.w + first / 32 * group_bytes;
  set_to_zero(sum, channels);
  std::int64_t bytes = 0;
  ActiveGroup found[2];
  found[0].find(x[0], p.skips_zeros);
  for (std::int64_t g = 0; g < groups; ++g, codes += group_bytes) {
    const ActiveGroup& now = found[g % 2];
    ActiveGroup& next = found[(g + 1) % 2];
    // The next segment is what this thread most likely does next, unless others share its channels.
    if (g + 1 < groups || (p.segments.parts == 1 && first + n < p.in))
      next.find(x[g + 1], p.skips_zeros);
    else
      next.count = 0;
    const int quads = (now.count + 3) / 4;
    if (now.is_nothing(x[g])) continue;
    bytes += (now.count + 2) * (channels.end - channels.begin);
    // What the codes' own zero adds goes off at the start.
    const std::int32_t minus_sum = Sums::kSignedZero == 0 ? 0 : x[g].sums[0][0] + x[g].sums[1][0];
    const Vec scale = Vec::broadcast(x[g].scale[0]);
    const std::byte* scales = codes + 32 * p.out;
    RowsToAsk soon = {codes + group_bytes, next, p.out, channels};
    for (std::int64_t c = channels.begin; c < channels.end; c += Quads::size) {
      if (next.count > 0 && c % 64 == 0) soon.ask(next.count + 2);
      Sums s[4];
#pragma GCC unroll 4
      for (Sums& e : s) e = Sums::template broadcast<kZeroBits>(minus_sum);
      for (int k = 0; k < quads; ++k) {
        Quads w[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) w[i] = Quads::load(codes + now.index[4 * k + i] * p.out + c);
        zip(w);
        const Four four(now.q + 4 * k);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) s[i] = dot_signed(s[i], w[i], four);
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const std::int64_t at = c + i * Vec::size;
        fma(Vec::load_f16(scales + 2 * at) * scale, to_float(s[i]), Vec::load(sum + at))
            .store(sum + at);
      }
    }
  }
  return bytes;
}

/// One row of x: units [begin, end) of Product::Segments, each a segment of the inputs and a part of the
/// channels.
inline void segments_of(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  const std::int64_t parts = p.segments.parts, all = p.out / kChannels;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t s = unit / parts, part = unit % parts;
    const Channels channels = {all * part / parts * kChannels,
                               all * (part + 1) / parts * kChannels};
    const std::int64_t first = s * kSegment, left = p.in - first;
    const std::int64_t n = left < kSegment ? left : kSegment;
    float* sum = p.segments.sums + s * p.out;
    std::int64_t& bytes = p.segments.bytes_read[unit];
    switch (p.dtype) {
      case DType::kF32: bytes = sum_of_segment<F32Weights>(p, first, n, channels, sum); break;
      case DType::kF16: bytes = sum_of_segment<F16Weights>(p, first, n, channels, sum); break;
      case DType::kBF16: bytes = sum_of_segment<BF16Weights>(p, first, n, channels, sum); break;
      default: bytes = sum_of_q8_segment(p, first, n, channels, sum);
    }
  }
}

/// y[t] = or += what a segment gives to a vector of channels.
inline void put_segment(const cpu::Product& p, std::int64_t t, std::int64_t channel, bool is_first,
                        Vec sum) {
  put_segment(p.y + t * p.y_stride + channel, 0, is_first, sum);
}

/// Channels that a piece has at most where there are many rows of x: slices of the rows of weights that
/// are long enough for memory, and short enough for L2.
inline constexpr std::int64_t kMostChannels = 256;

/// Many rows of x. Blocks of weights become panels of f32 in the cache, for as many rows as have their
/// sums in L2.
template <class W>
inline void many_rows(const cpu::Product& p, Channels channels) {
  constexpr std::int64_t kRows = 96, kPanel = kDepth * Vec::size;
  alignas(64) float wide[kMostChannels * kDepth];
  alignas(64) float sums[kRows * kMostChannels];
  const std::int64_t n = channels.end - channels.begin, row = p.out * W::kBytes;
  const std::int64_t step = kRows / p.width * p.width;
  for (std::int64_t t0 = 0; t0 < p.T; t0 += step) {
    const std::int64_t t1 = p.T - t0 < step ? p.T : t0 + step;
    for (std::int64_t i0 = 0; i0 < p.in; i0 += kDepth) {
      const std::int64_t depth = p.in - i0 < kDepth ? p.in - i0 : kDepth;
      const std::byte* block = p.w + i0 * row + channels.begin * W::kBytes;
      for (std::int64_t i = 0; i < depth; ++i) {
        const std::byte* w = block + i * row;
        for (std::int64_t b = 0; b < n * W::kBytes; b += 64)
          __builtin_prefetch(w + kAhead * row + b);
        for (std::int64_t c = 0; c < n; c += Vec::size)
          W::load(w + c * W::kBytes).store(wide + c / Vec::size * kPanel + i * Vec::size);
      }
      for (std::int64_t c = 0; c < n; c += kStrip) {
        const WeightBlock strip = {reinterpret_cast<const std::byte*>(wide + c * kDepth),
                                   kPanel * static_cast<int>(sizeof(float)), i0, depth};
        multiply_block<F32Weights, 2>(p, strip, {}, t0, t1, i0 % kSegment == 0, sums + c * kRows);
      }
      if (i0 + depth < p.in && (i0 + depth) % kSegment != 0) continue;
      for (std::int64_t t = t0; t < t1; ++t) {
        for (std::int64_t c = 0; c < n; c += Vec::size) {
          const float* sum = sums + c / kStrip * kStrip * kRows + (t - t0) * kStrip + c % kStrip;
          put_segment(p, t, channels.begin + c, i0 < kSegment, Vec::load(sum));
        }
      }
    }
  }
}

/// Many rows of x and Q8_0: a segment becomes panels (backend/cpu/panels.h) in the cache.
inline void many_rows_of_q8(const cpu::Product& p, Channels channels) {
  using P = Panel<quant::BlockQ8_0>;
  constexpr std::int64_t kGroups = kSegment / 32;
  alignas(64) std::byte panels[kMostChannels / P::kRows * kGroups * P::kBlockBytes];
  const std::int64_t row_bytes = p.in / 32 * kActivationBytes, n = channels.end - channels.begin;
  for (std::int64_t first = 0; first < p.in; first += kSegment) {
    const std::int64_t end = p.in - first < kSegment ? p.in : first + kSegment;
    const std::int64_t groups = (end - first) / 32, stride = groups * P::kBlockBytes;
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::byte* codes = p.w + (first / 32 + g) * p.out * kQ8Bytes + channels.begin;
      const std::byte* scales = codes + 32 * p.out + channels.begin;
      std::byte* to = panels + g * P::kBlockBytes;
      for (std::int64_t k = 0; k < 8; ++k) {
        for (std::int64_t i = 4 * k; i < 4 * k + 4; ++i) {
          for (std::int64_t b = 0; b < n; b += 64)
            __builtin_prefetch(codes + i * p.out + p.out * kQ8Bytes + b);
        }
        for (std::int64_t c = 0; c < n; c += Quads::size) {
          Quads w[4];
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) w[i] = Quads::load(codes + (4 * k + i) * p.out + c);
          zip(w);
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i)
            w[i].store(to + (c / P::kRows + i) * stride + P::kHeader + k * Quads::size);
        }
      }
      for (std::int64_t c = 0; c < n; c += P::kRows)
        std::memcpy(to + c / P::kRows * stride, scales + 2 * c, 2 * P::kRows);
    }
    for (std::int64_t t = 0; t < p.T; t += p.width) {
      const std::int64_t cols = p.T - t < p.width ? p.T - t : p.width;
      with_width<Vec::panel_tile_cols>(cols, [&]<int X>() {
        constexpr int N = Vec::panel_pairs && X > 2 ? 2 : 1;
        const std::byte* x = p.activations + t * row_bytes +
                             first / 32 * static_cast<int>(sizeof(ActivationGroup<X>));
        for (std::int64_t c = 0; c < n; c += N * P::kRows) {
          Vec sums[N][X] = {};
          Silent silent;
          add_blocks<quant::BlockQ8_0, N, X>(panels + c / P::kRows * stride, stride, groups, x,
                                             silent, sums);
          for (int m = 0; m < N; ++m) {
            for (int i = 0; i < X; ++i)
              put_segment(p, t + i, channels.begin + c + m * P::kRows, first == 0, sums[m][i]);
          }
        }
      });
    }
  }
}

/// Output channels [begin, end), multiples of kChannels, of many rows of x; of one row, what the segments
/// give together. Without the epilogue.
inline void by_input_rows_of(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  if (p.T == 1) {
    for (std::int64_t first = 0; first < p.in; first += kSegment) {
      const float* sums = p.segments.sums + first / kSegment * p.out;
      for (std::int64_t c = begin; c < end; c += Vec::size)
        put_segment(p, 0, c, first == 0, Vec::load(sums + c));
    }
    return;
  }
  for (std::int64_t c = begin; c < end; c += kMostChannels) {
    const Channels channels = {c, end - c < kMostChannels ? end : c + kMostChannels};
    switch (p.dtype) {
      case DType::kF32: many_rows<F32Weights>(p, channels); break;
      case DType::kF16: many_rows<F16Weights>(p, channels); break;
      case DType::kBF16: many_rows<BF16Weights>(p, channels); break;
      default: many_rows_of_q8(p, channels);
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
