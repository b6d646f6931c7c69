/// Products of panels with activations of eight bits.
///
/// Each 32 neighbouring activations are rounded to integers q in [−127, 127] with one scale, so that
/// a product with 32 weights is exact in integers and is scaled once:
///
///     y_r = Σ over groups  s_x (s_r Σᵢ w_ri q_i − m_r Σᵢ q_i)
///
/// with the scale s_r and the minimum m_r of the weights, one for each 32 or 16. Groups are added in
/// increasing order in f32, whatever the number of rows; so a row's result does not depend on the
/// rows beside it. What rounding the activations costs: docs/numerics.md.
#pragma once

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/panels.h"
#include "ops/linear/blocking_cpu.h"
#include "ops/linear/streams_cpu.h"

namespace prwkv::PRWKV_ISA {

/// Activation rows as tiles read them: X rows together, and of these group after group
///
///     q      i8  [row][32]
///     s      f32 [row]
///     start  i32 [3][row]   −128 Σ q of all 32, of the first 16 and of the last 16
///     minus  f32 [3][row]   −s Σ q likewise
///
/// The last two are what weights with a zero point and weights with a minimum need: in memory they are one
/// broadcast, computed they would be a tenth of a product.
template <int X>
struct ActivationGroup {
  std::int8_t q[X][32];
  float scale[X];
  std::int32_t start[3][X];
  float minus[3][X];

  static const ActivationGroup* at(const std::byte* p) {
    return reinterpret_cast<const ActivationGroup*>(p);
  }
};
inline constexpr std::int64_t kActivationBytes = sizeof(ActivationGroup<1>);  ///< of 32, in one row

/// Up to this many columns, activations are two such terms: their eight bits, and eight bits of what
/// these leave. Such matrices are low-rank halves and tiny models: next to nothing of the time, and
/// sensitive.
inline constexpr std::int64_t kNarrow = 256;
inline std::int64_t terms_of(std::int64_t in) { return in <= kNarrow ? 2 : 1; }

/// Blocks of columns whose weights stay in L1 while tiles of activations pass by.
template <class Block>
inline constexpr std::int64_t kBlocksAtOnce = 512 / Panel<Block>::Q::kElements;

/// 32 activations; `rest` receives what is left of them. What is not finite makes the scale NaN, and so
/// the results of its row.
template <int X>
inline void quantize_group(const float* x, ActivationGroup<X>& to, int row, float* rest) {
  constexpr int kVecs = 32 / Vec::size;
  const Vec most = Vec::broadcast(127.0f), least = Vec::broadcast(-127.0f);
  Vec v[kVecs];
#pragma GCC unroll 8
  for (int i = 0; i < kVecs; ++i) v[i] = Vec::load(x + i * Vec::size);
  // Scales below would have no reciprocal; such activations are zero beside any others.
  constexpr float kSmallest = 1e-36f;
  const float m = max_magnitude(v, kVecs);
  const float scale = (m < kSmallest ? 0.0f : m / 127.0f) + (m - m);
  const Vec inverse = Vec::broadcast(m < kSmallest ? 0.0f : 127.0f / m);
#pragma GCC unroll 8
  for (int i = 0; i < kVecs; ++i) {
    const Vec q = max(min(round(v[i] * inverse), most), least);
    q.store_i8(to.q[row] + i * Vec::size);
    if (rest != nullptr) fma(q, Vec::broadcast(-scale), v[i]).store(rest + i * Vec::size);
  }
  to.scale[row] = scale;
  const std::int32_t halves[2] = {sum_of_16(to.q[row]), sum_of_16(to.q[row] + 16)};
  const std::int32_t sums[3] = {halves[0] + halves[1], halves[0], halves[1]};
  for (int i = 0; i < 3; ++i) {
    to.start[i][row] = -128 * sums[i];
    to.minus[i][row] = -scale * static_cast<float>(sums[i]);
  }
}

/// Rows [begin, end) of the activations.
inline void quantize_activations(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  for (std::int64_t t = begin; t < end; ++t) {
    const std::int64_t first = t / a.width * a.width;
    const std::int64_t cols = a.T - first < a.width ? a.T - first : a.width;
    std::byte* tile = a.to + first * (a.in / 32) * kActivationBytes;
    with_width<Vec::panel_tile_cols>(cols, [&]<int X>() {
      auto* groups = reinterpret_cast<ActivationGroup<X>*>(tile);
      auto* second =
          reinterpret_cast<ActivationGroup<X>*>(tile + a.T * (a.in / 32) * kActivationBytes);
      const int row = static_cast<int>(t - first);
      const bool is_narrow = terms_of(a.in) == 2;
      for (std::int64_t g = 0; g < a.in / 32; ++g) {
        float rest[32];
        quantize_group<X>(a.x + t * a.x_stride + 32 * g, groups[g], row,
                          is_narrow ? rest : nullptr);
        if (is_narrow) quantize_group<X>(rest, second[g], row, nullptr);
      }
    });
  }
}

/// Integer sums of quads [first, last) of a group, for N panels whose blocks are `stride` bytes apart.
template <class P, int N, int X, int first, int last>
inline __attribute__((always_inline)) void add_quads(const std::byte* group, std::int64_t stride,
                                                     const ActivationGroup<X>& x, Sums (&d)[N][X]) {
  if constexpr (first < last) {
    Quads w[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) w[n] = P::template quad<first>(group + n * stride);
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) {
      const Four four(x.q[t] + 4 * first);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) {
        if constexpr (P::kIsSigned)
          d[n][t] = dot_signed(d[n][t], w[n], four);
        else
          d[n][t] = dot(d[n][t], w[n], four);
      }
    }
    add_quads<P, N, X, first + 1, last>(group, stride, x, d);
  }
}

#ifdef PRWKV_HAS_I8MM
/// The same in steps of two quads and two activation rows; the last of an odd number of rows is its own
/// partner.
template <class P, int X, int first, int last>
inline __attribute__((always_inline)) void add_octets(const std::byte* group,
                                                      const ActivationGroup<X>& x,
                                                      SumsOfTwo (&d)[(X + 1) / 2]) {
  if constexpr (first < last) {
    const Octets w(P::template quad<first>(group), P::template quad<first + 1>(group));
#pragma GCC unroll 4
    for (int t = 0; t < X; t += 2) {
      const int partner = t + 1 < X ? t + 1 : t;
      d[t / 2] = dot(d[t / 2], w, Eights(x.q[t] + 4 * first, x.q[partner] + 4 * first));
    }
    add_octets<P, X, first + 2, last>(group, x, d);
  }
}
template <class P, int N, int X, int first, int last>
inline __attribute__((always_inline)) void add_octets(const std::byte* group, std::int64_t stride,
                                                      const ActivationGroup<X>& x,
                                                      Sums (&d)[N][X]) {
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    SumsOfTwo pairs[(X + 1) / 2];
#pragma GCC unroll 4
    for (SumsOfTwo& pair : pairs) pair = SumsOfTwo::zero();
    add_octets<P, X, first, last>(group + n * stride, x, pairs);
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t)
      d[n][t] = d[n][t] + (t % 2 == 0 ? pairs[t / 2].first() : pairs[t / 2].second());
  }
}
#endif

/// Adds what the weights of one scale give: all of a group, or half of it.
template <class P, int half, int N, int X>
inline __attribute__((always_inline)) void add_share(const std::byte* block, std::int64_t stride,
                                                     int g, const ActivationGroup<X>& x,
                                                     Vec (&acc)[N][X]) {
  static_assert(128 % (P::kZero == 0 ? 1 : P::kZero) == 0);
  constexpr int kDown = __builtin_ctz(P::kZero == 0 ? 128 : 128 / P::kZero);
  constexpr int kWhich = P::kShares == 2 ? 1 + half : 0;
  Sums d[N][X];
#pragma GCC unroll 8
  for (int t = 0; t < X; ++t) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
      d[n][t] = Sums::broadcast<kDown>(P::kZero == 0 ? 0 : x.start[kWhich][t]);
  }
  constexpr int kFirst = 8 / P::kShares * half, kLast = kFirst + 8 / P::kShares;
  const std::byte* group = block + P::kHeader + g * P::kGroupBytes;
#ifdef PRWKV_HAS_I8MM
  if constexpr (X > 1)
    add_octets<P, N, X, kFirst, kLast>(group, stride, x, d);
  else
#endif
    add_quads<P, N, X, kFirst, kLast>(group, stride, x, d);
  const int share = g * P::kShares + half;
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    const Vec scale = P::scales(block + n * stride, share);
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t)
      acc[n][t] = fma(scale * Vec::broadcast(x.scale[t]), to_float(d[n][t]), acc[n][t]);
    if constexpr (P::kHasOffset) {
      const Vec minimum = P::minima(block + n * stride, share);
#pragma GCC unroll 8
      for (int t = 0; t < X; ++t)
        acc[n][t] = fma(minimum, Vec::broadcast(x.minus[kWhich][t]), acc[n][t]);
    }
  }
}

/// sums += N panels, `stride` bytes apart, of so many blocks · X activation rows; `ask(offset)` is called for
/// each group of a panel.
template <class P, int N, int X, class Ask>
inline __attribute__((noinline)) void add_blocks(const std::byte* panel, std::int64_t stride,
                                                 std::int64_t blocks, const std::byte* activations,
                                                 Ask& ask, Vec (&sums)[N][X]) {
  const auto* x = ActivationGroup<X>::at(activations);
  Vec acc[N][X];  // not `sums`: these never need an address
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) acc[n][t] = sums[n][t];
  }
  for (std::int64_t b = 0; b < blocks; ++b, panel += P::kBlockBytes) {
    for (int g = 0; g < P::kGroups; ++g, ++x) {
      ask(b * P::kBlockBytes + g * P::kPart);
      add_share<P, 0>(panel, stride, g, *x, acc);
      if constexpr (P::kShares == 2) add_share<P, 1>(panel, stride, g, *x, acc);
    }
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 8
    for (int t = 0; t < X; ++t) sums[n][t] = acc[n][t];
  }
}

/// The only tile of activation rows and N panels from `panel` on, `distance` of them apart: streams from
/// memory. `gap`, in panels: see Streams.
template <class Block, int N, int X>
inline void stream_blocks(const cpu::Product& p, std::int64_t panel, std::int64_t distance,
                          std::int64_t gap, std::int64_t end) {
  using P = Panel<Block>;
  const std::int64_t size = P::bytes(p.in), stride = distance * size;
  const Streams streams = {p.w + panel * size, stride, size, gap * size};
  const std::int64_t blocks = p.in / P::Q::kElements;
  auto ask = [&](std::int64_t offset) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) streams.ask<P::kPart>(n, offset);
  };
  Vec sums[N][X] = {};
  add_blocks<P, N, X>(streams.first, stride, blocks, p.activations, ask, sums);
  if (terms_of(p.in) == 2) {
    Vec second[N][X] = {};
    add_blocks<P, N, X>(streams.first, stride, blocks,
                        p.activations + p.T * (p.in / 32) * kActivationBytes, ask, second);
    for (int n = 0; n < N; ++n) {
      for (int i = 0; i < X; ++i) sums[n][i] = sums[n][i] + second[n][i];
    }
  }
  for (int n = 0; n < N; ++n) {
    const std::int64_t row = (panel + n * distance) * P::kRows;
    for (int i = 0; i < X; ++i)
      put(p.y + i * p.y_stride + row, channels_left(row, end), sums[n][i]);
  }
}

/// Panels [begin, end) and the only tile of activation rows.
template <class Block, int X>
inline void few_rows_of(const cpu::Product& p, std::int64_t begin, std::int64_t end,
                        std::int64_t end_row) {
  constexpr auto fits = [](int n) { return 2 * n * X + n + 2 <= Vec::registers; };
  constexpr int N = fits(kStreams) ? kStreams : fits(2) ? 2 : 1;
  const Division d = {begin, end, N};
  for (std::int64_t i = begin; i < begin + d.distance(); ++i)
    stream_blocks<Block, N, X>(p, i, d.distance(), d.gap_after(i), end_row);
  if constexpr (N > 1) {
    if (d.rest() == end) return;
    with_width<N - 1>(end - d.rest(), [&]<int left>() {  // neighbours: as many streams as there are
      stream_blocks<Block, left, X>(p, d.rest(), 1, 0, end_row);
    });
  }
}

/// A group of columns of N neighbouring panels and several tiles of rows. Sums go on from group to group: y
/// holds them. Codes of less than eight bits are unpacked into L1 once for all tiles.
template <class Block, int N>
inline void block_chunk_of(const cpu::Product& p, const Chunk& c, std::int64_t end) {
  using P = Panel<Block>;
  constexpr bool kIsWide = P::Q::kLow == 8;
  using Tiled = std::conditional_t<kIsWide, P, WideFor<Block>>;
  constexpr std::int64_t kAtOnce = kBlocksAtOnce<Block>, kWide = kAtOnce * P::kGroups;
  alignas(64) std::byte wide[kIsWide ? 64 : N * kWide * Tiled::kBlockBytes];
  alignas(64) float sums[kMostRows * kStrip], second[kMostRows * kStrip];
  ask_for_results<N>(p, c);
  const std::int64_t size = P::bytes(p.in), row_bytes = p.in / 32 * kActivationBytes;
  const auto add = [&](const std::byte* x, float* strips) {
    for (std::int64_t b = c.first; b < c.first + c.count; b += kAtOnce) {
      const std::int64_t left = c.first + c.count - b;
      const std::int64_t blocks = left < kAtOnce ? left : kAtOnce;
      const std::byte* w = p.w + c.panel * size + b * P::kBlockBytes;
      const std::byte* next = left <= blocks ? c.next : w + blocks * P::kBlockBytes;
      std::int64_t stride = size, count = blocks;
      if constexpr (!kIsWide) {
        stride = kWide * Tiled::kBlockBytes;
        count = blocks * P::kGroups;
        for (int n = 0; n < N; ++n) widen<Block>(w + n * size, blocks, wide + n * stride);
        w = wide;
      }
      Soon<N> soon(next, size, P::kPart, c.tiles(p.width));
      for (std::int64_t t = c.t0; t < c.t1; t += p.width) {
        soon.begin_tile();
        with_width<Vec::panel_tile_cols>(c.t1 - t < p.width ? c.t1 - t : p.width, [&]<int X>() {
          float* strip = strips + (t - c.t0) * kStrip;
          const std::byte* tile = x + t * row_bytes + b * P::kGroups * X * kActivationBytes;
          Vec acc[N][X];
          load_sums(b == 0 ? nullptr : strip, acc);
          add_blocks<Tiled, N, X>(w, stride, count, tile, soon, acc);
          store_sums(acc, strip);
        });
      }
    }
  };
  if (c.first > 0) {
    for_results<N>(p, c, end, [&](const float* y, int left, std::int64_t at) {
      get(y, left).store(sums + at);
    });
  }
  add(p.activations, sums);
  const bool has_second = terms_of(p.in) == 2;
  if (has_second) add(p.activations + p.T * row_bytes, second);
  for_results<N>(p, c, end, [&](float* y, int left, std::int64_t at) {
    const Vec sum = Vec::load(sums + at);
    put(y, left, has_second ? sum + Vec::load(second + at) : sum);
  });
}

/// Output channels [begin, end) of all rows, without the epilogue; begin is the first of a panel. Two panels
/// at once where registers suffice: each activation is then loaded once for both.
template <class Block>
inline void block_panels_of(const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  using P = Panel<Block>;
  if (p.T <= p.width) {
    return with_width<Vec::panel_tile_cols>(p.T, [&]<int X>() {
      few_rows_of<Block, X>(p, begin / P::kRows, (end + P::kRows - 1) / P::kRows, end);
    });
  }
  constexpr std::int64_t kQuantum = 256;
  const Grouping groups = {.units = p.in / P::Q::kElements,
                           .unit_bytes = P::kBlockBytes,
                           .panel_bytes = P::bytes(p.in),
                           .quantum = kQuantum / P::Q::kElements,
                           .row_bytes = kQuantum / 32 * kActivationBytes};
  for_chunks<Vec::panel_pairs ? 2 : 1>(
      p, groups, begin, end, [&]<int N>(const Chunk& c) { block_chunk_of<Block, N>(p, c, end); });
}

}  // namespace prwkv::PRWKV_ISA
