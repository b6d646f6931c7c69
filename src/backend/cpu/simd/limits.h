/// What this instruction set can do at most, measured by `prwkv bench` next to the engine's own
/// speed.
#pragma once

#include <cstddef>

#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// Independent chains of FMAs in registers; returns the flops done (2 a lane and FMA).
inline double fma_flops(std::int64_t steps) {
  constexpr int kChains = 12;
  Vec acc[kChains];
  for (Vec& a : acc) a = Vec::broadcast(1.0f);
  const Vec m = Vec::broadcast(0.999999f), c = Vec::broadcast(1e-6f);
  for (std::int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = fma(acc[i], m, c);
  }
  float total = 0;
  for (const Vec& a : acc) total += sum(a);
  // The result is used, or the loop would be removed; the sum is about 12 x size, never negative.
  return total < 0 ? 0 : 2.0 * static_cast<double>(steps) * kChains * Vec::size;
}

/// Reads `bytes` in one stream, eight registers at a time.
inline double read_bytes(const std::byte* p, std::size_t bytes) {
  constexpr std::size_t kStep = 8 * sizeof(float) * static_cast<std::size_t>(Vec::size);
  Vec acc[8];
  for (Vec& a : acc) a = Vec::zero();
  for (std::size_t at = 0; at + kStep <= bytes; at += kStep) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i)
      acc[i] = max(acc[i], Vec::load_f32(p + at + i * sizeof(Vec)));
  }
  float total = 0;
  for (const Vec& a : acc) total += max_element(a);
  return static_cast<double>(total);
}

}  // namespace prwkv::PRWKV_ISA
