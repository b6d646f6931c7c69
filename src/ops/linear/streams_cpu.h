/// How products of few rows read weights, which come from memory: several long streams at once, asked for twice.
///
/// A core fetches as fast as it can only if many lines are under way all the time. Four streams whose
/// lines are asked for 4 KB ahead into L2, and 512 bytes ahead into L1, are read at 98 to 101 % of the
/// speed of the fastest plain loop over the same memory (2 GiB of f16 in huge pages, Emerald Rapids,
/// 1 and 2 threads). Two streams reach 90 and 94 %, four of them asked for once, 1 KB ahead, 89 %, and
/// one that is left to the processor 65 %.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// Streams that a thread reads side by side where one row of activations, or a few, meet the weights.
inline constexpr int kStreams = 4;

/// Panels that are read side by side, and what comes after each.
struct Streams {
  const std::byte* first;
  std::int64_t distance;     ///< bytes from one of them to the next
  std::int64_t panel_bytes;  ///< of one
  std::int64_t gap = 0;      ///< bytes between the end of a panel and what its stream reads next

  /// Asks for `bytes` that stream n will come to, now at `offset` of its panel.
  template <int bytes>
  __attribute__((always_inline)) void ask(int n, std::int64_t offset) const {
    constexpr std::int64_t kFar = 4096, kNear = 512;
    const std::byte* p = first + n * distance;
    const std::byte* far = p + beyond(offset + kFar);
    const std::byte* near = p + beyond(offset + kNear);
#pragma GCC unroll 16
    for (int i = 0; i < bytes; i += 64) {
      __builtin_prefetch(far + i, 0, 2);
      __builtin_prefetch(near + i, 0, 3);
    }
  }

 private:
  [[nodiscard]] std::int64_t beyond(std::int64_t offset) const {
    return offset < panel_bytes ? offset : offset + gap;
  }
};

/// Panels [begin, end) as n streams of equal length, `distance()` panels apart, and a rest.
struct Division {
  std::int64_t begin, end, n;

  [[nodiscard]] std::int64_t distance() const { return (end - begin) / n; }
  [[nodiscard]] std::int64_t rest() const { return begin + distance() * n; }
  /// Of the first stream's panels: how many lie between each one's end and what comes next. The piece
  /// behind this one has the same length and is divided likewise.
  [[nodiscard]] std::int64_t gap_after(std::int64_t panel) const {
    return panel + 1 < begin + distance() ? 0 : end - begin - distance();
  }
};

}  // namespace prwkv::PRWKV_ISA
