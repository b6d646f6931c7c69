/// The tiles of the matrix unit (AMX): eight registers of up to sixteen rows of 64 bytes.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// Rows of a tile, bytes of a row and of a whole tile; inputs of a row of bf16.
inline constexpr std::int64_t kTileRows = 16, kTileRowBytes = 64,
                              kTileBytes = kTileRows * kTileRowBytes, kTileInputs = 32;

/// Tiles of this thread, to the end of the scope: 0 to 3 sums, 4 and 5 activations, both of so many rows, 6 and 7 weights.
class Tiles {
 public:
  Tiles() = default;
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() {
    if (rows_ > 0) _tile_release();
  }

  /// What was in them is gone if the number of rows changes.
  void use(std::int64_t rows) {
    if (rows == rows_) return;
    rows_ = rows;
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } shape;
    for (int t = 0; t < 8; ++t) {
      shape.row_bytes[t] = kTileRowBytes;
      shape.rows[t] = static_cast<std::uint8_t>(t < 6 ? rows : kTileRows);
    }
    expose_memory();
    _tile_loadconfig(&shape);
  }

  /// What was written before can be loaded: the compiler does not know that tiles read memory.
  static void expose_memory() { __asm__ volatile("" : : : "memory"); }

 private:
  std::int64_t rows_ = 0;
};

// A tile's number is part of the instruction: a literal, without parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define PRWKV_FOR_TILE(t, DO) \
  if constexpr (t == 0) DO(0) \
  if constexpr (t == 1) DO(1) \
  if constexpr (t == 2) DO(2) \
  if constexpr (t == 3) DO(3) \
  if constexpr (t == 4) DO(4) \
  if constexpr (t == 5) DO(5) \
  if constexpr (t == 6) DO(6) \
  if constexpr (t == 7) DO(7)

template <int t>
inline __attribute__((always_inline)) void clear_tile() {
#define PRWKV_DO(n) _tile_zero(n);
  PRWKV_FOR_TILE(t, PRWKV_DO)
#undef PRWKV_DO
}
/// Rows `stride` bytes apart.
template <int t>
inline __attribute__((always_inline)) void load_tile(const void* from, std::int64_t stride) {
#define PRWKV_DO(n) _tile_loadd(n, from, stride);
  PRWKV_FOR_TILE(t, PRWKV_DO)
#undef PRWKV_DO
}
template <int t>
inline __attribute__((always_inline)) void store_tile(void* to, std::int64_t stride) {
#define PRWKV_DO(n) _tile_stored(n, to, stride);
  PRWKV_FOR_TILE(t, PRWKV_DO)
#undef PRWKV_DO
}
#undef PRWKV_FOR_TILE

/// sums[r][c] += Σ over pairs k: x[r][2 k] w[k][2 c] by themselves, and x[r][2 k + 1] w[k][2 c + 1].
template <int sums, int x, int w>
inline __attribute__((always_inline)) void add_tile_product() {
  static_assert((x == 4 || x == 5) && (w == 6 || w == 7));
#define PRWKV_DO(n)                                                     \
  if constexpr (sums == n && x == 4 && w == 6) _tile_dpbf16ps(n, 4, 6); \
  if constexpr (sums == n && x == 4 && w == 7) _tile_dpbf16ps(n, 4, 7); \
  if constexpr (sums == n && x == 5 && w == 6) _tile_dpbf16ps(n, 5, 6); \
  if constexpr (sums == n && x == 5 && w == 7) _tile_dpbf16ps(n, 5, 7);
  PRWKV_DO(0)
  PRWKV_DO(1)
  PRWKV_DO(2)
  PRWKV_DO(3)
#undef PRWKV_DO
}

// NOLINTEND(bugprone-macro-parentheses)

}  // namespace prwkv::PRWKV_ISA
