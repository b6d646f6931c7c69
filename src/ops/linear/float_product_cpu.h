/// Products with matrices of floats in panels.
///
/// A panel holds Vec::size neighbouring rows of the matrix, one for each lane of a register, column after
/// column (backend/cpu/panels.h is the same for blocks). It is read from its first byte to its last:
/// one long stream for a single row of activations, and the operand of a register tile for many, in
/// which each weight meets an activation that is broadcast. There are no horizontal sums.
///
///     y = Σ over segments (Σ over the inputs of a segment, in increasing order, x_i W_i)
///
/// Segments have 512 inputs. The order is the same for every number of rows and threads, and for weights
/// by input (by_input_cpu.h).
#pragma once

#include <cstring>
#include <type_traits>

#include "backend/cpu/simd/math.h"
#include "backend/cpu/simd/transpose.h"
#include "ops/linear/blocking_cpu.h"
#include "ops/linear/streams_cpu.h"

namespace prwkv::PRWKV_ISA {

/// Inputs that are summed by themselves.
inline constexpr std::int64_t kSegment = 512;
/// Inputs of a block of weights that stays in L1 while tiles of activations pass by.
inline constexpr std::int64_t kDepth = 128;
static_assert(kSegment % kDepth == 0);

/// Weights that are widened to f32 and meet f32 activations, a column at a time.
template <int bytes>
struct AsFloats {
  static constexpr int kBytes = bytes, kColumns = 1;
  static constexpr int kStepsAtOnce = 1;       ///< panels have whole multiples of these
  static constexpr bool kIsWide = bytes == 4;  ///< nothing is gained by widening them beforehand
  using Activation = float;
  using Operand = Vec;
  static Vec multiply_add(Vec w, Vec x, Vec sum) { return fma(w, x, sum); }
};
struct F32Weights : AsFloats<4> {
  static Vec load(const std::byte* p) { return Vec::load_f32(p); }
};
struct F16Weights : AsFloats<2> {
  static Vec load(const std::byte* p) { return Vec::load_f16(p); }
};
struct BF16Weights : AsFloats<2> {
  static Vec load(const std::byte* p) { return Vec::load_bf16(p); }
};
#ifdef PRWKV_HAS_BF16
/// bf16 weights and activations: an instruction multiplies two columns and adds both products.
struct BF16Pairs {
  static constexpr int kBytes = 2, kColumns = 2, kStepsAtOnce = 1;
  static constexpr cpu::Form kForm = cpu::Form::kBF16Tiles;
  static constexpr bool kIsWide = true;
  using Activation = std::uint16_t;
  using Operand = Pairs;
  static Pairs load(const std::byte* p) { return Pairs::load(p); }
  static Vec multiply_add(Pairs w, Pairs x, Vec sum) { return dot(w, x, sum); }
};
#endif

/// Calls f.operator()<W>() with the weights of a float type; false for others.
template <class F>
inline __attribute__((always_inline)) bool with_float(DType dtype, const F& f) {
  switch (dtype) {
    case DType::kF32: f.template operator()<F32Weights>(); return true;
    case DType::kF16: f.template operator()<F16Weights>(); return true;
    case DType::kBF16: f.template operator()<BF16Weights>(); return true;
    default: return false;
  }
}

template <class W>
struct FloatPanel {
  static constexpr int kRows = Vec::size;
  static constexpr int kStepBytes = kRows * W::kColumns * W::kBytes;
  /// Columns come one by one, or in pairs, and these some at a time; what the last may lack is zero.
  static constexpr std::int64_t steps(std::int64_t in) {
    constexpr std::int64_t columns = W::kColumns * W::kStepsAtOnce;
    return (in + columns - 1) / columns * W::kStepsAtOnce;
  }
  static constexpr std::int64_t bytes(std::int64_t in) { return steps(in) * kStepBytes; }
  static constexpr int kAsk = 256;  ///< bytes between two looks ahead
};

/// Rows [begin, end) of a matrix into its panels; begin is the first row of a panel.
template <class W>
inline void pack_float_rows(const cpu::Packing& p, std::int64_t begin, std::int64_t end) {
  using P = FloatPanel<W>;
  constexpr int kUnit = W::kColumns * W::kBytes;  // of a row in a step
  using Unit = std::conditional_t<kUnit == 2, std::uint16_t, std::uint32_t>;
  constexpr int n = kSquare<Unit>;
  static_assert(P::kRows % n == 0);
  const std::int64_t row_bytes = p.in * W::kBytes;
  for (std::int64_t first = begin; first < end; first += P::kRows) {
    std::byte* panel = p.panels + first / P::kRows * P::bytes(p.in);
    const std::byte* rows = p.rows + (first - begin) * row_bytes;
    const std::int64_t count = end - first < P::kRows ? end - first : P::kRows;
    std::int64_t s = 0;  // steps that are done
    if (count == P::kRows) {
      for (; (s + n) * W::kColumns <= p.in; s += n) {
        for (int r = 0; r < P::kRows; r += n)
          transpose<Unit>(rows + r * row_bytes + s * kUnit, row_bytes,
                          panel + s * P::kStepBytes + r * kUnit, P::kStepBytes);
      }
    }
    const std::int64_t done = s * P::kStepBytes;
    std::memset(panel + done, 0, static_cast<std::size_t>(P::bytes(p.in) - done));
    for (std::int64_t r = 0; r < count; ++r) {
      for (std::int64_t i = s * W::kColumns; i < p.in; ++i) {
        std::memcpy(
            panel + i / W::kColumns * P::kStepBytes + r * kUnit + i % W::kColumns * W::kBytes,
            rows + r * row_bytes + i * W::kBytes, W::kBytes);
      }
    }
  }
}

/// Activations in tiles: `width` rows together, a column (or two) of each in turn, so that a tile is one
/// stream.
template <class W>
inline void fill_tiles(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  using Activation = typename W::Activation;
  auto* tiles = reinterpret_cast<Activation*>(a.to);
  const std::int64_t steps = FloatPanel<W>::steps(a.in);
  for (std::int64_t t = begin; t < end;) {
    const std::int64_t tile = t / a.width * a.width;
    const std::int64_t width = a.T - tile < a.width ? a.T - tile : a.width;
    const std::int64_t last = end < tile + width ? end : tile + width;
    const float* x = a.x + t * a.x_stride;
    Activation* to = tiles + (tile * steps + t - tile) * W::kColumns;
    // Some columns at a time, which stay in L1 until all rows of the tile have come.
    constexpr std::int64_t kAtOnce = 64;
    for (std::int64_t s0 = 0; s0 < steps; s0 += kAtOnce) {
      const std::int64_t s1 = steps - s0 < kAtOnce ? steps : s0 + kAtOnce;
      std::int64_t r = 0;
      if constexpr (W::kColumns == 1) {
        constexpr int n = kSquare<std::uint32_t>;
        for (; r + n <= last - t; r += n) {
          std::int64_t s = s0;
          for (; s + n <= s1; s += n) {
            transpose<std::uint32_t>(reinterpret_cast<const std::byte*>(x + r * a.x_stride + s),
                                     a.x_stride * 4,
                                     reinterpret_cast<std::byte*>(to + s * width + r), width * 4);
          }
          for (; s < s1; ++s) {
            for (int i = 0; i < n; ++i) to[s * width + r + i] = x[(r + i) * a.x_stride + s];
          }
        }
      }
      for (; r < last - t; ++r) {
        const float* from = x + r * a.x_stride;
        for (std::int64_t s = s0; s < s1; ++s) {
          Activation* at = to + (s * width + r) * W::kColumns;
          if constexpr (W::kColumns == 1)
            *at = from[s];
          else
            store_bf16_pair(from + 2 * s, 2 * s + 1 < a.in, at);
        }
      }
    }
    t = last;
  }
}

/// Where the activations of a tile lie: at(s, t) is what row t has for step s, in all lanes.
struct InRows {
  const float* x;
  std::int64_t stride;
  __attribute__((always_inline)) Vec at(std::int64_t s, int t) const {
    return Vec::broadcast(x[t * stride + s]);
  }
};
/// Step after step, `stride` apart: in a tile that was filled, or where rows of the product are columns of x.
struct InSteps {
  const float* x;
  std::int64_t stride;
  __attribute__((always_inline)) Vec at(std::int64_t s, int t) const {
    return Vec::broadcast(x[s * stride + t]);
  }
};
#ifdef PRWKV_HAS_BF16
struct InPairs {
  const std::uint16_t* x;
  std::int64_t width;
  __attribute__((always_inline)) Pairs at(std::int64_t s, int t) const {
    return Pairs::broadcast(x + (s * width + t) * 2);
  }
};
#endif

/// The tile of X rows that begins with row t, from step s on.
template <class W, class Where, int X>
inline __attribute__((always_inline)) Where tile_of(const cpu::Product& p, std::int64_t t,
                                                    std::int64_t s) {
  if constexpr (std::is_same_v<Where, InRows>) {
    return {p.x + t * p.x_stride + s, p.x_stride};
  } else {
    if constexpr (std::is_same_v<Where, InSteps>) {
      if (p.activations == nullptr) return {p.x + s * p.x_stride + t, p.x_stride};
    }
    const auto* tiles = reinterpret_cast<const typename W::Activation*>(p.activations);
    return {tiles + (t * FloatPanel<W>::steps(p.in) + s * X) * W::kColumns, X};
  }
}

/// Whether activations of f32 are read where they are, row by row.
inline bool is_in_rows(const cpu::Product& p) {
  return p.activations == nullptr && !p.x_is_transposed;
}

/// The same in tiles, which few rows always are; one row is one without being filled.
template <class W>
struct Tiled {
  using Where = InSteps;
};
#ifdef PRWKV_HAS_BF16
template <>
struct Tiled<BF16Pairs> {
  using Where = InPairs;
};
#endif

/// `steps` columns of weights: N panels `distance` bytes apart, each step `step` bytes behind the one before it.
struct WeightBlock {
  const std::byte* w;
  std::int64_t distance, step;
};

/// acc[n][t] += Σ over `steps` columns of weights and activations; `ask(offset)` is called every kAsk bytes of a
/// panel.
template <class W, int N, int X, class Where, class Ask>
inline __attribute__((always_inline)) void add_columns(const WeightBlock& block, const Where& x,
                                                       std::int64_t steps, Ask&& ask,
                                                       Vec (&acc)[N][X]) {
  constexpr int kStepBytes = FloatPanel<W>::kStepBytes, kSteps = FloatPanel<W>::kAsk / kStepBytes;
  const auto step = [&](std::int64_t s) __attribute__((always_inline)) {
    typename W::Operand wv[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) wv[n] = W::load(block.w + n * block.distance + s * block.step);
#pragma GCC unroll 16
    for (int t = 0; t < X; ++t) {
      const auto xv = x.at(s, t);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) acc[n][t] = W::multiply_add(wv[n], xv, acc[n][t]);
    }
  };
  std::int64_t s = 0;
  for (; s + kSteps <= steps; s += kSteps) {
    ask(s * kStepBytes);
#pragma GCC unroll 16
    for (int k = 0; k < kSteps; ++k) step(s + k);
  }
  for (; s < steps; ++s) step(s);
}

/// y = or += sums of a segment, of one vector of channels, the first `left` of them or all (0). A sum that
/// came to −0 by underflow becomes +0: a term 0 · w that one way adds and another leaves out would have
/// made it so.
inline void put_segment(float* y, int left, bool is_first, Vec sum) {
  put(y, left, (is_first ? Vec::zero() : get(y, left)) + sum);
}

/// One tile of activations: N panels as streams from memory. Each weight is used here and not again.
template <class W, int N, int X>
inline __attribute__((noinline)) void stream_tile(const cpu::Product& p, const Streams& streams,
                                                  std::int64_t panel, std::int64_t distance,
                                                  std::int64_t end) {
  using P = FloatPanel<W>;
  struct Ask {
    const Streams& streams;
    std::int64_t from;
    // Inlined early: GCC takes a function that only prefetches for one without effects, and drops calls.
    __attribute__((always_inline)) void operator()(std::int64_t offset) const {
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) streams.ask<P::kAsk>(n, from + offset);
    }
  };
  const std::int64_t all = P::steps(p.in);
  constexpr std::int64_t kSteps = kSegment / W::kColumns;
  for (std::int64_t s = 0; s < all; s += kSteps) {
    Vec acc[N][X];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 16
      for (int t = 0; t < X; ++t) acc[n][t] = Vec::zero();
    }
    const std::int64_t from = s * P::kStepBytes;
    add_columns<W>(WeightBlock{streams.first + from, streams.distance, P::kStepBytes},
                   tile_of<W, typename Tiled<W>::Where, X>(p, 0, s),
                   all - s < kSteps ? all - s : kSteps, Ask{streams, from}, acc);
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const std::int64_t row = (panel + n * distance) * P::kRows;
#pragma GCC unroll 16
      for (int t = 0; t < X; ++t)
        put_segment(p.y + t * p.y_stride + row, channels_left(row, end), s == 0 && !p.adds,
                    acc[n][t]);
    }
  }
}

/// One tile of activations and output channels [begin, end).
template <class W, int X>
inline void few_rows_of(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  using P = FloatPanel<W>;
  constexpr int N = kStreams * X + kStreams < Vec::registers ? kStreams : 2;  // sums and weights
  const std::int64_t bytes = P::bytes(p.in);
  const Division d = {begin / P::kRows, (end + P::kRows - 1) / P::kRows, N};
  const auto streams = [&](std::int64_t panel, std::int64_t distance, std::int64_t gap) {
    return Streams{p.w + panel * bytes, distance * bytes, bytes, gap * bytes};
  };
  for (std::int64_t i = d.begin; i < d.begin + d.distance(); ++i) {
    stream_tile<W, N, X>(p, streams(i, d.distance(), d.gap_after(i)), i, d.distance(), end);
  }
  if (d.rest() == d.end) return;
  with_width<N - 1>(d.end - d.rest(), [&]<int left>() {  // neighbours: as many streams as there are
    stream_tile<W, left, X>(p, streams(d.rest(), 1, 0), d.rest(), 1, end);
  });
}

/// Results of a strip: panels from `panel` on, channels before `end`.
struct Strip {
  std::int64_t panel, end;
  bool adds;

  template <int N, int X>
  __attribute__((always_inline)) void put(const cpu::Product& p, std::int64_t row,
                                          const Vec (&acc)[N][X]) const {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      const std::int64_t channel = (panel + n) * Vec::size;
      float* y = p.y + row * p.y_stride + channel;
      const int left = channels_left(channel, end);
#pragma GCC unroll 16
      for (int t = 0; t < X; ++t) put_segment(y + t * p.y_stride, left, !adds, acc[n][t]);
    }
  }
};

/// sums (rows [t0, t1) of a strip) = or += weights (N panels, in L1) · activations, `steps` columns from `first` on; the
/// last ones go to y if a place there is given. `soon`: Soon, or what looks like it.
template <class W, int N, class Where, class Ask>
inline void multiply_block(const cpu::Product& p, const WeightBlock& block, std::int64_t first,
                           std::int64_t steps, Ask& soon, std::int64_t t0, std::int64_t t1,
                           bool is_first, float* sums, const Strip* results = nullptr) {
  for (std::int64_t t = t0; t < t1; t += p.width) {
    soon.begin_tile();
    with_width<Vec::tile_cols>(t1 - t < p.width ? t1 - t : p.width, [&]<int X>() {
      Vec acc[N][X];
      float* strip = sums + (t - t0) * kStrip;
      load_sums(is_first ? nullptr : strip, acc);
      const auto x = tile_of<W, Where, X>(p, t, first);
      add_columns<W>(block, x, steps, soon, acc);
      results == nullptr ? store_sums(acc, strip) : results->put(p, t, acc);
    });
  }
}

/// Whole segments of N neighbouring panels and several tiles of rows. Blocks of narrow weights are widened into
/// L1 once for all of them.
template <class W, int N, class Where>
inline void float_chunk_of(const cpu::Product& p, const Grouping& g, const Chunk& c,
                           std::int64_t end) {
  using P = FloatPanel<W>;
  using Wide = std::conditional_t<W::kIsWide, W, F32Weights>;
  constexpr std::int64_t kSteps = kDepth / W::kColumns;
  constexpr std::int64_t kPart = P::kAsk / FloatPanel<Wide>::kStepBytes * P::kStepBytes;
  alignas(64) float wide[W::kIsWide ? 1 : N * kDepth * Vec::size];
  constexpr std::int64_t kWhole = kSegment / W::kColumns;
  alignas(64) float sums[kMostRows * kStrip];   // of the segment
  alignas(64) float total[kMostRows * kStrip];  // of all before it
  const std::int64_t last = c.first + c.count;
  const bool has_one = g.units <= kWhole;  // segment: its sums are the result
  const Strip strip = {c.panel, end, p.adds};
  ask_for_results<N>(p, c);
  if (c.first > 0) {
    for_results<N>(p, c, end, [&](const float* y, int left, std::int64_t at) {
      get(y, left).store(total + at);
    });
  }
  const std::byte* w = p.w + c.panel * g.panel_bytes;
  for (std::int64_t s = c.first; s < last; s += kSteps) {
    const std::int64_t steps = last - s < kSteps ? last - s : kSteps;
    const std::byte* now = w + s * g.unit_bytes;
    WeightBlock block = {now, g.panel_bytes, g.unit_bytes};
    if constexpr (!W::kIsWide) {
      for (int n = 0; n < N; ++n) {
        float* to = wide + n * kDepth * Vec::size;
        for (std::int64_t k = 0; k < steps; ++k)
          W::load(now + n * g.panel_bytes + k * P::kStepBytes).store(to + k * Vec::size);
      }
      constexpr int kFloats = Vec::size * static_cast<int>(sizeof(float));
      block = {reinterpret_cast<const std::byte*>(wide), kDepth * kFloats, kFloats};
    }
    // Weights that are no panels are found by the processor's own looking ahead.
    const std::byte* next = s + steps == last ? c.next : now + steps * P::kStepBytes;
    Soon<N> soon(p.w_row_bytes == 0 ? next : nullptr, g.panel_bytes, kPart, c.tiles(p.width));
    multiply_block<Wide, N, Where>(p, block, s, steps, soon, c.t0, c.t1, s % kWhole == 0, sums,
                                   has_one && s + steps == last ? &strip : nullptr);
    if (has_one || (s + steps < last && (s + steps) % kWhole != 0)) continue;
    for (std::int64_t at = 0; at < (c.t1 - c.t0) * kStrip; at += Vec::size)
      put_segment(total + at, 0, s < kWhole, Vec::load(sums + at));
  }
  if (has_one) return;
  const bool adds = p.adds && c.first == 0;
  for_results<N>(p, c, end, [&](float* y, int left, std::int64_t at) {
    const Vec sum = Vec::load(total + at);
    put(y, left, adds ? get(y, left) + sum : sum);
  });
}

/// Output channels [begin, end) of all rows, without the epilogue; begin is the first of a panel.
template <class W>
inline void float_panels_of(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  using P = FloatPanel<W>;
  const bool is_packed = p.w_row_bytes == 0;
  if (p.T <= p.width && is_packed && p.activations != nullptr)
    return with_width<Vec::tile_cols>(p.T, [&]<int X>() { few_rows_of<W, X>(p, begin, end); });
  const Grouping segments = {.units = P::steps(p.in),
                             .unit_bytes = is_packed ? P::kStepBytes : p.w_row_bytes,
                             .panel_bytes = is_packed ? P::bytes(p.in) : P::kStepBytes,
                             .quantum = kSegment / W::kColumns,
                             .row_bytes = kSegment * (W::kColumns == 1 ? 4 : 2)};
  const auto chunks_of = [&]<class Where>() {
    for_chunks<2>(p, segments, begin, end,
                  [&]<int N>(const Chunk& c) { float_chunk_of<W, N, Where>(p, segments, c, end); });
  };
  if constexpr (W::kColumns == 1) {
    if (is_in_rows(p)) return chunks_of.template operator()<InRows>();
  }
  chunks_of.template operator()<typename Tiled<W>::Where>();
}

}  // namespace prwkv::PRWKV_ISA
