/// Matrices of bf16 as pairs of columns, on processors that multiply those: operands of the way back, which come as
/// f32 and lie the other way, and panels as f32 again.
///
/// Panels of pairs are those of float_product_cpu.h, of weights W: BF16Pairs, or BF16Tiles of matrix_unit_cpu.h.
#pragma once

#include "ops/linear/gradient_cpu.h"

namespace prwkv::PRWKV_ISA {

/// Rows s and s + 1 of a matrix of f32, `stride` floats apart: its first n columns, as pairs. Rows from `rows` on are
/// zero.
inline Pairs pair_of_rows(const float* x, std::int64_t stride, std::int64_t s, std::int64_t rows,
                          int n) {
  const auto row = [&](std::int64_t r) {
    if (r >= rows) return Vec::zero();
    return n == Vec::size ? Vec::load(x + r * stride) : Vec::load_first(x + r * stride, n);
  };
  return Pairs::interleaved(row(s), row(s + 1));
}

/// Rows [begin, end) of a matrix of f32 into panels of its columns; begin is a multiple of kStepsOfPairs, and the owner
/// of the last rows fills the panels up.
template <class W>
inline void pack_column_pairs(const cpu::Columns& a, std::int64_t begin, std::int64_t end) {
  using P = FloatPanel<W>;
  static_assert(cpu::kStepsOfPairs % (W::kColumns * W::kStepsAtOnce) == 0);
  const std::int64_t last = end == a.n_rows ? P::steps(a.n_rows) : end / 2,
                     stride = a.stride / static_cast<std::int64_t>(sizeof(float));
  const auto* x = reinterpret_cast<const float*>(a.rows);
  for (std::int64_t s0 = begin / 2; s0 < last; s0 += cpu::kStepsOfPairs / 2) {
    const std::int64_t s1 = last - s0 < cpu::kStepsOfPairs / 2 ? last : s0 + cpu::kStepsOfPairs / 2;
    for (std::int64_t c = 0; c < a.n_columns; c += Vec::size) {
      const int n = static_cast<int>(a.n_columns - c < Vec::size ? a.n_columns - c : Vec::size);
      std::byte* panel =
          reinterpret_cast<std::byte*>(a.panels) + c / Vec::size * P::bytes(a.n_rows);
      for (std::int64_t s = s0; s < s1; ++s)
        pair_of_rows(x + c, stride, 2 * s, a.n_rows, n).store(panel + s * P::kStepBytes);
    }
  }
}

/// Panels [begin, end) as f32.
template <class W>
inline void unpack_pairs(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  using P = FloatPanel<W>;
  for (std::int64_t panel = begin; panel < end; ++panel) {
    for (std::int64_t c = 0; c < u.in; ++c) {
      const auto* pair = reinterpret_cast<const std::uint32_t*>(u.packed + panel * P::bytes(u.in) +
                                                                c / 2 * P::kStepBytes);
      alignas(64) std::uint32_t bits[Vec::size];  // an f32 has those of a bf16 in front
      for (int r = 0; r < Vec::size; ++r)
        bits[r] = c % 2 == 0 ? pair[r] << 16 : pair[r] & 0xffff0000u;
      put_columns(u, panel, c, {Vec::load_f32(reinterpret_cast<const std::byte*>(bits))});
    }
  }
}

// ---- what isa_bf16.h asks for, of pairs in registers

inline void multiply(BF16Pairs, const cpu::Product& p, std::int64_t begin, std::int64_t end) {
  float_panels_of<BF16Pairs>(p, begin, end);
}
inline void convert(BF16Pairs, const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  fill_tiles<BF16Pairs>(a, begin, end);
}
/// Columns [begin, end) of x as rows of tiles.
inline void convert_columns(BF16Pairs, const cpu::ColumnTiles& a, std::int64_t begin,
                            std::int64_t end) {
  constexpr int kBytes = 4;  // of a pair
  const std::int64_t steps = FloatPanel<BF16Pairs>::steps(a.steps);
  constexpr std::int64_t kAtOnce = 32;  // steps whose lines stay in L1 for all tiles
  for (std::int64_t s0 = 0; s0 < steps; s0 += kAtOnce) {
    const std::int64_t s1 = steps - s0 < kAtOnce ? steps : s0 + kAtOnce;
    for (std::int64_t t = begin; t < end;) {
      const std::int64_t tile = t / a.width * a.width;
      const std::int64_t width = a.rows - tile < a.width ? a.rows - tile : a.width;
      const std::int64_t last = end < tile + width ? end : tile + width;
      for (std::int64_t s = s0; s < s1; ++s) {
        std::byte* to = a.to + (tile * steps + s * width + t - tile) * kBytes;
        for_vectors(last - t, [&](std::int64_t i, int n) {
          const int lanes = n == 0 ? Vec::size : n;
          pair_of_rows(a.x + t + i, a.stride, 2 * s, a.steps, lanes)
              .store_first(to + i * kBytes, lanes);
        });
      }
      t = last;
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
