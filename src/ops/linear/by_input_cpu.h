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

/// What a matrix takes in this layout; 0: it cannot lie so.
inline std::int64_t by_input_bytes(DType dtype, std::int64_t out, std::int64_t in) {
  if (out % kChannels != 0 || in % 32 != 0) return 0;
  switch (dtype) {
    case DType::kF32: return out * in * 4;
    case DType::kF16:
    case DType::kBF16: return out * in * 2;
    case DType::kQ8_0: return terms_of(in) == 1 ? out * (in / 32) * kQ8Bytes : 0;
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
inline void pack_q8_by_input(const cpu::ByInputPacking& p, std::int64_t begin, std::int64_t end) {
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
}
inline void pack_floats_by_input(const cpu::ByInputPacking& p, std::int64_t begin,
                                 std::int64_t end) {
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
  static_assert(Sums::kSignedZero == 0 || Sums::kSignedZero == 128);  // as ActivationGroup::start
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
    const std::int32_t start = Sums::kSignedZero == 0 ? 0 : x[g].start[0][0];
    const Vec scale = Vec::broadcast(x[g].scale[0]);
    const std::byte* scales = codes + 32 * p.out;
    RowsToAsk soon = {codes + group_bytes, next, p.out, channels};
    for (std::int64_t c = channels.begin; c < channels.end; c += Quads::size) {
      if (next.count > 0 && c % 64 == 0) soon.ask(next.count + 2);
      Sums s[4];
#pragma GCC unroll 4
      for (Sums& e : s) e = Sums::template broadcast<0>(start);
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
/// channels. f(first input, inputs, channels, sums) returns the bytes that it read.
template <class F>
inline void for_segments(const cpu::Product& p, std::int64_t begin, std::int64_t end, const F& f) {
  const std::int64_t parts = p.segments.parts, all = p.out / kChannels;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t s = unit / parts, part = unit % parts;
    const Channels channels = {all * part / parts * kChannels,
                               all * (part + 1) / parts * kChannels};
    const std::int64_t first = s * kSegment, left = p.in - first;
    const std::int64_t n = left < kSegment ? left : kSegment;
    p.segments.bytes_read[unit] = f(first, n, channels, p.segments.sums + s * p.out);
  }
}
inline void segments_of_floats(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  with_float(p.dtype, [&]<class W>() {
    for_segments(p, begin, end,
                 [&](std::int64_t first, std::int64_t n, Channels channels, float* sum) {
                   return sum_of_segment<W>(p, first, n, channels, sum);
                 });
  });
}
inline void segments_of_q8(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  for_segments(p, begin, end,
               [&](std::int64_t first, std::int64_t n, Channels channels, float* sum) {
                 return sum_of_q8_segment(p, first, n, channels, sum);
               });
}

/// Rows of weights that are wanted soon are asked for while others are used, some lines at each call: rows
/// of a slice are too short for the processor to see where they lead. Row k begins at row_at(k).
template <class RowAt>
class RowsSoon {
 public:
  RowsSoon(RowAt row_at, std::int64_t rows, std::int64_t row_bytes, std::int64_t calls)
      : row_at_(row_at), rows_(rows), row_bytes_(row_bytes) {
    if (rows > 0) {
      at_ = row_at(0);
      lines_ = (rows * row_bytes + 64 * calls - 1) / (64 * calls);
    }
  }

  void begin_tile() {}

  // Inlined early, as Soon.
  __attribute__((always_inline)) void operator()(std::int64_t) {
    for (std::int64_t line = 0; line < lines_ && row_ < rows_; ++line) {
      __builtin_prefetch(at_ + offset_, 0, 2);
      if ((offset_ += 64) < row_bytes_) continue;
      offset_ = 0;
      at_ = row_at_(++row_);
    }
  }

 private:
  RowAt row_at_;
  std::int64_t rows_, row_bytes_, lines_ = 0, row_ = 0, offset_ = 0;
  const std::byte* at_ = nullptr;
};

/// A tile of rows of x. Weights are used as they come, four inputs at once: a sum is then loaded and stored
/// for every fourth product.
template <class W>
inline void few_rows(const cpu::Product& p, Channels channels) {
  constexpr int kInputs = 4, kVecs = Vec::registers >= 32 ? 4 : 2;
  constexpr std::int64_t kSoon = 2 * kInputs, kLine = 64 / W::kBytes;
  static_assert(kChannels % (kVecs * Vec::size) == 0);
  alignas(64) float sums[Vec::tile_cols * cpu::kWidestSlice];
  const std::int64_t n = channels.end - channels.begin, row = p.out * W::kBytes;
  const auto* x = reinterpret_cast<const float*>(p.activations);  // one tile
  for (std::int64_t first = 0; first < p.in; first += kSegment) {
    const std::int64_t end = p.in - first < kSegment ? p.in : first + kSegment;
    for (std::int64_t t = 0; t < p.T; ++t) set_to_zero(sums + t * n, {0, n});
    for (std::int64_t i = first; i < end; i += kInputs) {
      const std::byte* w = p.w + i * row + channels.begin * W::kBytes;
      const std::int64_t soon = (p.in - i > kSoon ? kSoon : 0) * row;
      for (std::int64_t c = 0; c < n; c += kChannels) {
#pragma GCC unroll 4
        for (int j = 0; j < kInputs; ++j) {
#pragma GCC unroll 4
          for (std::int64_t l = 0; l < kChannels; l += kLine)
            __builtin_prefetch(w + soon + j * row + (c + l) * W::kBytes);
        }
        for (std::int64_t v = c; v < c + kChannels; v += kVecs * Vec::size) {
          Vec wv[kInputs][kVecs];
#pragma GCC unroll 4
          for (int j = 0; j < kInputs; ++j) {
#pragma GCC unroll 4
            for (int k = 0; k < kVecs; ++k)
              wv[j][k] = W::load(w + j * row + (v + k * Vec::size) * W::kBytes);
          }
          for (std::int64_t t = 0; t < p.T; ++t) {
            float* sum = sums + t * n + v;
            Vec s[kVecs];
#pragma GCC unroll 4
            for (int k = 0; k < kVecs; ++k) s[k] = Vec::load(sum + k * Vec::size);
#pragma GCC unroll 4
            for (int j = 0; j < kInputs; ++j) {
              const Vec xv = Vec::broadcast(x[(i + j) * p.T + t]);
#pragma GCC unroll 4
              for (int k = 0; k < kVecs; ++k) s[k] = fma(wv[j][k], xv, s[k]);
            }
#pragma GCC unroll 4
            for (int k = 0; k < kVecs; ++k) s[k].store(sum + k * Vec::size);
          }
        }
      }
    }
    for (std::int64_t t = 0; t < p.T; ++t) {
      float* y = p.y + t * p.y_stride + channels.begin;
      for (std::int64_t c = 0; c < n; c += Vec::size)
        put_segment(y + c, 0, first == 0, Vec::load(sums + t * n + c));
    }
  }
}

/// Rows at a fixed distance. Of no type of weights, so that all share one set of tiles.
struct Rows {
  const std::byte* first;
  std::int64_t distance;
  const std::byte* operator()(std::int64_t k) const { return first + k * distance; }
};

/// Many rows of x. Blocks of weights become panels of f32 in the cache, for as many rows as have their
/// sums in L2.
template <class W>
inline void many_rows(const cpu::Product& p, Channels channels) {
  constexpr std::int64_t kRows = 264, kPanel = kDepth * Vec::size;
  alignas(64) float wide[cpu::kWidestSlice * kDepth];
  alignas(64) float sums[kRows * cpu::kWidestSlice];
  const std::int64_t n = channels.end - channels.begin, row = p.out * W::kBytes;
  const std::int64_t step = kRows / p.width * p.width;
  const std::byte* slice = p.w + channels.begin * W::kBytes;
  for (std::int64_t t0 = 0; t0 < p.T; t0 += step) {
    const std::int64_t t1 = p.T - t0 < step ? p.T : t0 + step;
    for (std::int64_t i0 = 0; i0 < p.in; i0 += kDepth) {
      const std::int64_t depth = p.in - i0 < kDepth ? p.in - i0 : kDepth, next = i0 + depth;
      for (std::int64_t i = 0; i < depth; ++i) {
        const std::byte* w = slice + (i0 + i) * row;
        for (std::int64_t b = 0; i0 == 0 && b < n * W::kBytes; b += 64)
          __builtin_prefetch(w + kAhead * row + b);
        for (std::int64_t c = 0; c < n; c += Vec::size)
          W::load(w + c * W::kBytes).store(wide + c / Vec::size * kPanel + i * Vec::size);
      }
      const std::int64_t tiles = (t1 - t0 + p.width - 1) / p.width;
      RowsSoon soon(
          Rows{slice + next * row, row}, p.in - next < kDepth ? p.in - next : kDepth, n * W::kBytes,
          tiles * (n / kStrip) *
              (depth * FloatPanel<F32Weights>::kStepBytes / FloatPanel<F32Weights>::kAsk));
      for (std::int64_t c = 0; c < n; c += kStrip) {
        const WeightBlock strip = {reinterpret_cast<const std::byte*>(wide + c * kDepth),
                                   kPanel * static_cast<int>(sizeof(float)),
                                   FloatPanel<F32Weights>::kStepBytes};
        const auto multiply = [&]<class Where>() {
          multiply_block<F32Weights, 2, Where>(p, strip, i0, depth, soon, t0, t1,
                                               i0 % kSegment == 0, sums + c * kRows);
        };
        is_in_rows(p) ? multiply.template operator()<InRows>()
                      : multiply.template operator()<InSteps>();
      }
      if (next < p.in && next % kSegment != 0) continue;
      for (std::int64_t t = t0; t < t1; ++t) {
        float* y = p.y + t * p.y_stride + channels.begin;
        for (std::int64_t c = 0; c < n; c += Vec::size) {
          const float* sum = sums + c / kStrip * kStrip * kRows + (t - t0) * kStrip + c % kStrip;
          put_segment(y + c, 0, i0 < kSegment, Vec::load(sum));
        }
      }
    }
  }
}

/// Several rows of x and Q8_0: a segment becomes panels (backend/cpu/panels.h) in the cache.
inline void several_rows_of_q8(const cpu::Product& p, Channels channels) {
  using P = Panel<quant::BlockQ8_0>;
  constexpr std::int64_t kGroups = kSegment / 32;
  alignas(64) std::byte panels[cpu::kWidestSlice / P::kRows * kGroups * P::kBlockBytes];
  const std::int64_t group_bytes = p.out * kQ8Bytes, row_bytes = p.in / 32 * kActivationBytes;
  const std::int64_t n = channels.end - channels.begin;
  for (std::int64_t first = 0; first < p.in; first += kSegment) {
    const std::int64_t end = p.in - first < kSegment ? p.in : first + kSegment;
    const std::int64_t groups = (end - first) / 32, stride = groups * P::kBlockBytes;
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::byte* codes = p.w + (first / 32 + g) * group_bytes + channels.begin;
      std::byte* to = panels + g * P::kBlockBytes;
      for (std::int64_t k = 0; k < 8; ++k) {
        for (std::int64_t i = 4 * k; first == 0 && i < 4 * k + 4; ++i) {
          for (std::int64_t b = 0; b < n; b += 64)
            __builtin_prefetch(codes + i * p.out + group_bytes + b);
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
      const std::byte* scales = codes + 32 * p.out + channels.begin;
      for (std::int64_t c = 0; c < n; c += P::kRows)
        std::memcpy(to + c / P::kRows * stride, scales + 2 * c, 2 * P::kRows);
    }
    // Of each group 32 rows of codes, then its scales: as long as two rows.
    const auto row_at = [&](std::int64_t k) {
      const std::byte* codes = p.w + (end / 32 + k / 34) * group_bytes + channels.begin;
      return k % 34 < 32 ? codes + k % 34 * p.out
                         : codes + 32 * p.out + channels.begin + (k % 34 - 32) * n;
    };
    constexpr int N = Vec::panel_pairs ? 2 : 1;
    const std::int64_t next_groups = (p.in - end < kSegment ? p.in - end : kSegment) / 32;
    const std::int64_t tiles = (p.T + p.width - 1) / p.width;
    RowsSoon soon(row_at, 34 * next_groups, n, tiles * (n / (N * P::kRows)) * groups);
    for (std::int64_t c = 0; c < n; c += N * P::kRows) {
      const std::byte* pair = panels + c / P::kRows * stride;
      for (std::int64_t t = 0; t < p.T; t += p.width) {
        with_width<Vec::panel_tile_cols>(p.T - t < p.width ? p.T - t : p.width, [&]<int X>() {
          const std::byte* x = p.activations + t * row_bytes +
                               first / 32 * static_cast<int>(sizeof(ActivationGroup<X>));
          Vec sums[N][X] = {};
          add_blocks<P, N, X>(pair, stride, groups, x, soon, sums);
          for (int m = 0; m < N; ++m) {
            for (int i = 0; i < X; ++i)
              put_segment(p.y + (t + i) * p.y_stride + channels.begin + c + m * P::kRows, 0,
                          first == 0, sums[m][i]);
          }
        });
      }
    }
  }
}

template <class W>
inline void several_rows(const cpu::Product& p, Channels channels) {
  p.T <= p.width ? few_rows<W>(p, channels) : many_rows<W>(p, channels);
}

/// Output channels [begin, end), multiples of kChannels, of several rows of x, in slices for f; of one row, what
/// the segments give together. Without the epilogue.
template <class F>
inline void for_slices(const cpu::Product& p, std::int64_t begin, std::int64_t end, const F& f) {
  if (p.T == 1) {
    for (std::int64_t first = 0; first < p.in; first += kSegment) {
      const float* sums = p.segments.sums + first / kSegment * p.out;
      for (std::int64_t c = begin; c < end; c += Vec::size)
        put_segment(p.y + c, 0, first == 0, Vec::load(sums + c));
    }
    return;
  }
  for (std::int64_t c = begin; c < end; c += cpu::kWidestSlice) {
    f(Channels{c, end - c < cpu::kWidestSlice ? end : c + cpu::kWidestSlice});
  }
}
inline void floats_by_input(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  with_float(p.dtype, [&]<class W>() {
    for_slices(p, begin, end, [&](Channels channels) { several_rows<W>(p, channels); });
  });
}
inline void q8_by_input(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  for_slices(p, begin, end, [&](Channels channels) { several_rows_of_q8(p, channels); });
}

}  // namespace prwkv::PRWKV_ISA
