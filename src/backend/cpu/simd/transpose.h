/// Small squares, turned. Written with the compiler's own vectors: each instruction set has instructions
/// that interleave, and compilers find them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace prwkv::PRWKV_ISA {

/// Rows and columns of a square whose rows fill 16 bytes.
template <class T>
inline constexpr int kSquare = 16 / static_cast<int>(sizeof(T));

/// Column k of a square, whose rows lie `row_bytes` apart, becomes the kSquare elements at
/// to + k · column_bytes. T is an unsigned integer of 2 or 4 bytes; addresses are arbitrary.
template <class T>
inline void transpose(const std::byte* rows, std::int64_t row_bytes, std::byte* to,
                      std::int64_t column_bytes) {
  using Line [[gnu::vector_size(16)]] = T;
  constexpr int n = kSquare<T>;
  Line a[n], b[n];
#pragma GCC unroll 8
  for (int r = 0; r < n; ++r) std::memcpy(&a[r], rows + r * row_bytes, sizeof(Line));
    // Interleaving lines i and i + n/2, log2(n) times, is the transposition.
#pragma GCC unroll 3
  for (int step = 1; step < n; step *= 2) {
#pragma GCC unroll 4
    for (int i = 0; i < n / 2; ++i) {
      if constexpr (n == 8) {
        b[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
      } else {
        b[2 * i] = __builtin_shufflevector(a[i], a[i + 2], 0, 4, 1, 5);
        b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 2], 2, 6, 3, 7);
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) a[i] = b[i];
  }
#pragma GCC unroll 8
  for (int k = 0; k < n; ++k) std::memcpy(to + k * column_bytes, &a[k], sizeof(Line));
}

}  // namespace prwkv::PRWKV_ISA
