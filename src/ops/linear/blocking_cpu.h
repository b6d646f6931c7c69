/// How products of many activation rows are cut so that arithmetic never waits for memory.
///
/// Loops, from the outside:
///
///     activation rows   those whose columns fit into L2 …
///     groups            … as many of them as do so
///     panels            two at a time: a strip of channels
///     chunks            of rows whose sums for the strip fit into L1
///     blocks            of columns whose weights fit into L1 beside them
///     tiles             of rows: what the registers hold
///
/// Each weight comes from memory once for the first of these, each activation from L2 once for every strip.
/// The loops down to the chunks are here; what happens in one is the business of the kinds of weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// Calls f.operator()<n>() for 1 <= n <= most.
template <int most, class F>
inline __attribute__((always_inline)) void with_width(std::int64_t n, const F& f) {
  if constexpr (most > 1) {
    if (n < most) return with_width<most - 1>(n, f);
  }
  f.template operator()<most>();
}

/// Channels of a panel that exist: 0 for all.
inline int channels_left(std::int64_t row, std::int64_t end) {
  return end - row < Vec::size ? static_cast<int>(end - row) : 0;
}

/// Rows of a chunk, and channels of a strip, at most.
inline constexpr int kMostRows = 96, kStrip = 2 * Vec::size;
static_assert(kMostRows >= Vec::tile_cols && kMostRows >= Vec::panel_tile_cols);

/// Sums of X rows and N panels, as far as they have come; strip = nullptr: zero.
template <int N, int X>
inline __attribute__((always_inline)) void load_sums(const float* strip, Vec (&acc)[N][X]) {
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 16
    for (int t = 0; t < X; ++t)
      acc[n][t] = strip == nullptr ? Vec::zero() : Vec::load(strip + t * kStrip + n * Vec::size);
  }
}
template <int N, int X>
inline __attribute__((always_inline)) void store_sums(const Vec (&acc)[N][X], float* strip) {
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
#pragma GCC unroll 16
    for (int t = 0; t < X; ++t) acc[n][t].store(strip + t * kStrip + n * Vec::size);
  }
}

/// What a chunk of rows, a strip of channels and a group of columns give. Columns are counted in units.
struct Chunk {
  [[nodiscard]] std::int64_t tiles(std::int64_t width) const {
    return (t1 - t0 + width - 1) / width;
  }

  std::int64_t panel;         ///< the first of the strip
  std::int64_t first, count;  ///< units of the group
  std::int64_t t0, t1;        ///< rows
  const std::byte* next;      ///< weights of the chunk that comes next; nullptr: none comes
};

/// The columns of panels. A unit is what the kind of weights takes at once; a group is so many quanta.
struct Grouping {
  std::int64_t units, unit_bytes;  ///< of a panel
  std::int64_t panel_bytes;        ///< from one panel to the next
  std::int64_t quantum;            ///< units
  std::int64_t row_bytes;          ///< of one row of activations in a quantum
};

/// Calls f(y, channels_left, place among the sums of the chunk) for each vector of results.
template <int N, class F>
inline __attribute__((always_inline)) void for_results(const cpu::Product& p, const Chunk& c,
                                                       std::int64_t end, const F& f) {
  for (std::int64_t t = c.t0; t < c.t1; ++t) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
      const std::int64_t row = (c.panel + n) * Vec::size;
      f(p.y + t * p.y_stride + row, channels_left(row, end), (t - c.t0) * kStrip + n * Vec::size);
    }
  }
}

/// Asks for the lines of the results: rows lie far apart, often in the same few sets of a cache, and
/// writing to them would wait. Inlined early, as Soon.
template <int N>
inline __attribute__((always_inline)) void ask_for_results(const cpu::Product& p, const Chunk& c) {
  for (std::int64_t t = c.t0; t < c.t1; ++t) {
    const float* y = p.y + t * p.y_stride + c.panel * Vec::size;
    for (int i = 0; i < N * Vec::size; i += 16) __builtin_prefetch(y + i, 1);
  }
}

/// Weights that are wanted soon are asked for while others are used, a part of them by each of the first
/// tiles of a block: memory is busy all the time, and never with more than it can do.
template <int N>
class Soon {
 public:
  Soon() = default;
  /// The block at `next` of panels that lie `distance` bytes apart, nullptr for none; a tile calls once for
  /// each `part`, so many bytes of a panel.
  Soon(const std::byte* next, std::int64_t distance, std::int64_t part, std::int64_t tiles)
      : at_(next), distance_(distance), part_(part) {
    constexpr std::int64_t kTilesThatAsk = 4;
    if (next != nullptr)
      share_ = left_ = static_cast<int>(tiles < kTilesThatAsk ? tiles : kTilesThatAsk);
  }

  void begin_tile() {
    if (left_ > 0)
      --left_;
    else
      calls_to_wait_ = kNever;
  }

  // Inlined early: GCC takes a function that only prefetches for one without effects, and drops calls.
  __attribute__((always_inline)) void operator()(std::int64_t) {
    if (--calls_to_wait_ > 0) return;
    calls_to_wait_ = share_;
    for (std::int64_t i = 0; i < part_; i += 64) {
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) __builtin_prefetch(at_ + n * distance_ + i);
    }
    at_ += part_;
  }

 private:
  static constexpr std::int64_t kNever = std::int64_t{1} << 62;

  const std::byte* at_ = nullptr;
  std::int64_t distance_ = 0, part_ = 0, calls_to_wait_ = 0;  // every so manieth call asks
  int share_ = 0, left_ = 0;  // tiles that ask: in turns, and still to come
};

/// Calls f.operator()<N>(chunk) for output channels [begin, end) of all rows; begin is the first of a panel.
/// Strips have `most` panels, or what is left.
template <int most, class F>
inline void for_chunks(const cpu::Product& p, const Grouping& g, std::int64_t begin,
                       std::int64_t end, const F& f) {
  constexpr std::int64_t kCache = std::int64_t{1} << 20;
  const auto least = [](std::int64_t a, std::int64_t b) { return a < b ? a : b; };
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t head = begin / Vec::size, last = up(end, Vec::size);
  // Rows with all their columns, if that is a chunk of them: weights come once more for the next rows, but y,
  // which lies worse, is met once. Passes, and chunks in a pass, have about the same size, in whole tiles.
  const std::int64_t whole = kCache / (g.row_bytes * up(g.units, g.quantum));
  const std::int64_t fitting = (whole < kMostRows ? kMostRows : whole) / p.width;
  const std::int64_t all = up(p.T, p.width), passes = up(all, fitting), tiles = up(all, passes);
  const std::int64_t chunks = up(tiles, kMostRows / p.width);
  const std::int64_t rows = up(tiles, chunks) * p.width;
  const std::int64_t quanta = kCache / (g.row_bytes * tiles * p.width);
  const std::int64_t group = g.quantum * (quanta < 1 ? 1 : quanta);
  for (std::int64_t from = 0; from < p.T; from += chunks * rows) {
    const std::int64_t to = least(from + chunks * rows, p.T);
    for (std::int64_t first = 0; first < g.units; first += group) {
      const std::int64_t count = least(group, g.units - first);
      for (std::int64_t panel = head; panel < last; panel += most) {
        const std::byte* here = p.w + panel * g.panel_bytes + first * g.unit_bytes;
        const std::byte* beyond = here + most * g.panel_bytes;
        if (panel + most >= last)  // the next group begins with the first panels
          beyond = first + count == g.units
                       ? nullptr
                       : p.w + head * g.panel_bytes + (first + count) * g.unit_bytes;
        with_width<most>(last - panel, [&]<int N>() {
          for (std::int64_t t = from; t < to; t += rows) {
            const bool is_last = t + rows >= to;
            f.template operator()<N>(
                Chunk{panel, first, count, t, is_last ? to : t + rows, is_last ? beyond : here});
          }
        });
      }
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
