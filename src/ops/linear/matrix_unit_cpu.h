/// Products of bf16 in the processor's matrix unit (AMX): sixteen rows of activations meet sixteen output channels and
/// 32 inputs in one instruction.
///
/// Panels are those of pairs (float_product_cpu.h), filled up with zeros to whole tiles: sixteen steps of a panel, a
/// kilobyte, are a tile as they lie. Activations are rows of bf16, filled up likewise.
///
///     y = Σ over groups of 32 inputs, in increasing order, (Σ even inputs x_i W_i) + (Σ odd inputs x_i W_i)
///
/// each Σ by fused multiply-adds from zero, denormal numbers counting as zeros: the unit's own order, so it is the same
/// for every number of rows. (Intel's manual has it under TDPBF16PS.)
#pragma once

#include <cstring>

#include "backend/cpu/simd/tiles_amx.h"
#include "ops/linear/pairs_cpu.h"

namespace prwkv::PRWKV_ISA {

/// Sixteen steps of pairs.
struct BF16Tiles : BF16Pairs {
  static constexpr int kStepsAtOnce = 16;
  static constexpr cpu::Form kForm = cpu::Form::kBF16Rows;
};

/// Sums of `rows` rows of y from `row` on, and of one panel, into and out of tile t.
struct Results {
  const cpu::Product& p;
  std::int64_t end;  ///< channels that exist

  template <int t>
  void begin(std::int64_t row, std::int64_t panel, std::int64_t rows) const {
    if (!p.adds) return clear_tile<t>();
    const std::int64_t channel = panel * Vec::size;
    const float* y = p.y + row * p.y_stride + channel;
    const int left = channels_left(channel, end);
    if (left == 0) return load_tile<t>(y, p.y_stride * 4);
    alignas(64) float sums[kTileRows * Vec::size];
    for (std::int64_t r = 0; r < rows; ++r)
      get(y + r * p.y_stride, left).store(sums + r * Vec::size);
    Tiles::expose_memory();
    load_tile<t>(sums, kTileRowBytes);
  }
  template <int t>
  void put(std::int64_t row, std::int64_t panel, std::int64_t rows) const {
    const std::int64_t channel = panel * Vec::size;
    float* y = p.y + row * p.y_stride + channel;
    const int left = channels_left(channel, end);
    if (left == 0) return store_tile<t>(y, p.y_stride * 4);
    alignas(64) float sums[kTileRows * Vec::size];
    store_tile<t>(sums, kTileRowBytes);
    for (std::int64_t r = 0; r < rows; ++r)
      prwkv::PRWKV_ISA::put(y + r * p.y_stride, left, Vec::load(sums + r * Vec::size));
  }
};

/// Rows of activations, from `row` on.
inline const std::byte* tile_rows(const cpu::Product& p, std::int64_t row) {
  return p.activations + row * FloatPanel<BF16Tiles>::steps(p.in) * 4;
}

/// Up to sixteen rows, from `row` on, and N panels as streams from memory.
template <int N>
inline void few_rows_of_tiles(const Results& y, const Streams& streams, std::int64_t row,
                              std::int64_t rows, std::int64_t panel, std::int64_t distance) {
  static_assert(N <= 4);
  const std::int64_t groups = FloatPanel<BF16Tiles>::steps(y.p.in) / BF16Tiles::kStepsAtOnce,
                     row_bytes = groups * kTileRowBytes;
  const std::byte* x = tile_rows(y.p, row);
  y.begin<0>(row, panel, rows);
  if constexpr (N > 1) y.begin<1>(row, panel + distance, rows);
  if constexpr (N > 2) y.begin<2>(row, panel + 2 * distance, rows);
  if constexpr (N > 3) y.begin<3>(row, panel + 3 * distance, rows);
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::byte* w = streams.first + g * kTileBytes;
    for (int n = 0; n < N; ++n) streams.ask<kTileBytes>(n, g * kTileBytes);
    load_tile<4>(x + g * kTileRowBytes, row_bytes);
    load_tile<6>(w, kTileRowBytes);
    add_tile_product<0, 4, 6>();
    if constexpr (N > 1) {
      load_tile<7>(w + streams.distance, kTileRowBytes);
      add_tile_product<1, 4, 7>();
    }
    if constexpr (N > 2) {
      load_tile<6>(w + 2 * streams.distance, kTileRowBytes);
      add_tile_product<2, 4, 6>();
    }
    if constexpr (N > 3) {
      load_tile<7>(w + 3 * streams.distance, kTileRowBytes);
      add_tile_product<3, 4, 7>();
    }
  }
  y.put<0>(row, panel, rows);
  if constexpr (N > 1) y.put<1>(row, panel + distance, rows);
  if constexpr (N > 2) y.put<2>(row, panel + 2 * distance, rows);
  if constexpr (N > 3) y.put<3>(row, panel + 3 * distance, rows);
}

/// Two tiles of rows and two panels: each operand is used twice.
inline void square_of_tiles(const Results& y, const std::byte* w, std::int64_t panel_bytes,
                            std::int64_t row, std::int64_t panel) {
  const std::int64_t row_bytes = FloatPanel<BF16Tiles>::steps(y.p.in) * 4,
                     lower = kTileRows * row_bytes, next = row + kTileRows;
  const std::byte* x = tile_rows(y.p, row);
  y.begin<0>(row, panel, kTileRows);
  y.begin<1>(row, panel + 1, kTileRows);
  y.begin<2>(next, panel, kTileRows);
  y.begin<3>(next, panel + 1, kTileRows);
  for (std::int64_t at = 0; at < row_bytes; at += kTileRowBytes, w += kTileBytes) {
    load_tile<4>(x + at, row_bytes);
    load_tile<6>(w, kTileRowBytes);
    add_tile_product<0, 4, 6>();
    load_tile<7>(w + panel_bytes, kTileRowBytes);
    add_tile_product<1, 4, 7>();
    load_tile<5>(x + at + lower, row_bytes);
    add_tile_product<2, 5, 6>();
    add_tile_product<3, 5, 7>();
  }
  y.put<0>(row, panel, kTileRows);
  y.put<1>(row, panel + 1, kTileRows);
  y.put<2>(next, panel, kTileRows);
  y.put<3>(next, panel + 1, kTileRows);
}

/// Output channels [begin, end) of all rows, without the epilogue; begin is the first of a panel.
inline void multiply(BF16Tiles, const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kCache = std::int64_t{1} << 20;  // of L2, for rows of activations
  const std::int64_t bytes = FloatPanel<BF16Tiles>::bytes(p.in),
                     row_bytes = FloatPanel<BF16Tiles>::steps(p.in) * 4, first = begin / Vec::size,
                     last = (end + Vec::size - 1) / Vec::size;
  const Results y = {p, end};
  Tiles tiles;
  // Whole squares of two tiles by two; rows whose activations stay in L2 meet all panels before others come.
  const std::int64_t squares = p.T / (2 * kTileRows) * (2 * kTileRows),
                     fitting = kCache / row_bytes / (2 * kTileRows) * (2 * kTileRows),
                     at_once = fitting < 2 * kTileRows ? 2 * kTileRows : fitting;
  if (squares > 0) tiles.use(kTileRows);
  for (std::int64_t from = 0; from < squares; from += at_once) {
    const std::int64_t to = from + at_once < squares ? from + at_once : squares;
    for (std::int64_t panel = first; panel + 1 < last; panel += 2) {
      for (std::int64_t row = from; row < to; row += 2 * kTileRows)
        square_of_tiles(y, p.w + panel * bytes, bytes, row, panel);
    }
  }
  const auto few_rows = [&](std::int64_t row, std::int64_t rows, std::int64_t panel_from) {
    tiles.use(rows);
    const Division d = {panel_from, last, kStreams};
    for (std::int64_t i = d.begin; i < d.begin + d.distance(); ++i) {
      few_rows_of_tiles<kStreams>(
          y, {p.w + i * bytes, d.distance() * bytes, bytes, d.gap_after(i) * bytes}, row, rows, i,
          d.distance());
    }
    if (d.rest() == d.end) return;
    with_width<kStreams - 1>(d.end - d.rest(), [&]<int left>() {
      few_rows_of_tiles<left>(y, {p.w + d.rest() * bytes, bytes, bytes}, row, rows, d.rest(), 1);
    });
  };
  if ((last - first) % 2 != 0) {  // the panel without a partner
    for (std::int64_t row = 0; row < squares; row += kTileRows) few_rows(row, kTileRows, last - 1);
  }
  for (std::int64_t row = squares; row < p.T; row += kTileRows)
    few_rows(row, p.T - row < kTileRows ? p.T - row : kTileRows, first);
}

/// Rows [begin, end) of activations, rounded to nearest even.
inline void convert(BF16Tiles, const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t row_bytes = FloatPanel<BF16Tiles>::steps(a.in) * 4;
  for (std::int64_t t = begin; t < end; ++t) {
    const float* x = a.x + t * a.x_stride;
    std::byte* to = a.to + t * row_bytes;
    for (std::int64_t i = 0; i < a.in; i += kTileInputs, to += kTileRowBytes) {
      const std::int64_t left = a.in - i;
      const auto part = [&](std::int64_t at) {
        if (left >= at + Vec::size) return Vec::load(x + i + at);
        return left > at ? Vec::load_first(x + i + at, static_cast<int>(left - at)) : Vec::zero();
      };
      Pairs::side_by_side(part(0), part(Vec::size)).store(to);
    }
  }
}

/// Columns [begin, end) of x as rows of bf16: squares of pairs, turned.
inline void convert_columns(BF16Tiles, const cpu::ColumnTiles& a, std::int64_t begin,
                            std::int64_t end) {
  const std::int64_t row_bytes = FloatPanel<BF16Tiles>::steps(a.steps) * 4;
  for (std::int64_t s = 0; s < a.steps; s += kTileInputs) {
    for (std::int64_t c = begin; c < end; c += Vec::size) {
      const int n = static_cast<int>(end - c < Vec::size ? end - c : Vec::size);
      alignas(64) std::byte pairs[kTileBytes];
      for (int k = 0; k < kTileInputs / 2; ++k)
        pair_of_rows(a.x + c, a.stride, s + 2 * k, a.steps, n).store(pairs + k * kTileRowBytes);
      std::byte* to = a.to + c * row_bytes + s * 2;
      constexpr int side = kSquare<std::uint32_t>;
      if (n == Vec::size) {
        for (int r = 0; r < Vec::size; r += side) {
          for (int k = 0; k < kTileInputs / 2; k += side)
            transpose<std::uint32_t>(pairs + k * kTileRowBytes + r * 4, kTileRowBytes,
                                     to + r * row_bytes + k * 4, row_bytes);
        }
      } else {
        for (int r = 0; r < n; ++r) {
          for (int k = 0; k < kTileInputs / 2; ++k)
            std::memcpy(to + r * row_bytes + k * 4, pairs + k * kTileRowBytes + r * 4, 4);
        }
      }
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
