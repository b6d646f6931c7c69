/// What this instruction set can do at most, measured by `prwkv bench` next to the engine's own
/// speed.
///
/// On x86-64 the products of bytes need more than the instruction set of the file: that function carries a
/// target of its own, and the table below is filled only with what this processor has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "backend/cpu/limit_probes.h"
#include "backend/cpu/simd/math.h"
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(PRWKV_HAS_NEON)
#include <arm_neon.h>
#endif

namespace prwkv::PRWKV_ISA {

/// Uses what a loop computed, or the loop would be removed.
template <class T>
void use(const T& value) {
  __asm__ volatile("" : : "m"(value));
}

/// Independent chains of FMAs in registers; returns the flops done (2 a lane and FMA).
inline double fma_flops(std::int64_t steps) {
  constexpr int kChains = 12;
  Vec acc[kChains];
  for (Vec& a : acc) a = Vec::broadcast(1.0f);
  Vec m = Vec::broadcast(0.999999f), c = Vec::broadcast(1e-6f);
  __asm__ volatile("" : "+m"(m), "+m"(c));  // unknown to the compiler, or it may find a shorter way
  for (std::int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = fma(acc[i], m, c);
  }
  use(acc);
  return 2.0 * static_cast<double>(steps) * kChains * Vec::size;
}

/// Reads `streams` parts of [p, p + bytes) side by side, two cache lines of each in turn.
/// `prefetch` bytes ahead are asked for, 0: none. Returns a value that depends on what was read.
template <int kStreams>
std::uint64_t read_streams(const std::byte* p, std::size_t bytes, std::size_t prefetch) {
  using Lane [[gnu::vector_size(sizeof(float) * Vec::size), gnu::may_alias]] = std::uint64_t;
  constexpr std::size_t kStep = 128, kLanes = kStep / sizeof(Lane);
  const std::size_t length = bytes / kStreams / kStep * kStep;
  Lane acc[kLanes] = {};
  for (std::size_t at = 0; at < length; at += kStep) {
#pragma GCC unroll 16
    for (std::size_t s = 0; s < kStreams; ++s) {
      const std::byte* from = p + s * length + at;
      if (prefetch > 0) {
        __builtin_prefetch(from + prefetch);
        __builtin_prefetch(from + prefetch + 64);
      }
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kLanes; ++i)
        acc[i] ^= *reinterpret_cast<const Lane*>(from + i * sizeof(Lane));
    }
  }
  std::uint64_t total = 0;
  for (const Lane& lane : acc) {
    for (std::size_t i = 0; i < sizeof(Lane) / sizeof(std::uint64_t); ++i) total ^= lane[i];
  }
  return total;
}

/// `p` and `bytes` are multiples of the page size.
inline std::uint64_t read_memory(const std::byte* p, std::size_t bytes, cpu::ReadPattern pattern) {
  switch (pattern.streams) {
    case 1: return read_streams<1>(p, bytes, pattern.prefetch);
    case 2: return read_streams<2>(p, bytes, pattern.prefetch);
    case 4: return read_streams<4>(p, bytes, pattern.prefetch);
    default: return read_streams<8>(p, bytes, pattern.prefetch);
  }
}

// Each step does one product of a full register in every chain, as many as hide its latency.
#if defined(__AVX512F__)

[[gnu::target("avx512vnni")]] inline double vpdpbusd_ops(std::int64_t steps) {
  constexpr int kChains = 12;
  const __m512i x = _mm512_set1_epi8(3), y = _mm512_set1_epi8(1);
  __m512i acc[kChains];
  for (__m512i& a : acc) a = _mm512_setzero_si512();
  for (std::int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      acc[i] = _mm512_dpbusd_epi32(acc[i], x, y);
    }
  }
  for (const __m512i& a : acc) use(a);
  return static_cast<double>(steps) * kChains * 64 * 2;
}

#if defined(PRWKV_HAS_BF16) && !defined(PRWKV_HAS_AMX)
inline double vdpbf16ps_flops(std::int64_t steps) {
  constexpr int kChains = 12;
  const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f80));  // 1.0
  __m512 acc[kChains];
  for (__m512& a : acc) a = _mm512_setzero_ps();
  for (std::int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      acc[i] = _mm512_dpbf16_ps(acc[i], x, x);
    }
  }
  for (const __m512& a : acc) use(a);
  return static_cast<double>(steps) * kChains * 32 * 2;
}
#endif

#ifdef PRWKV_HAS_AMX
/// Four independent sums of tiles; what they multiply stays in tiles.
inline double tdpbf16ps_flops(std::int64_t steps) {
  Tiles tiles;
  tiles.use(kTileRows);
  [&]<int... t>(std::integer_sequence<int, t...>) { (clear_tile<t>(), ...); }
  (std::make_integer_sequence<int, 8>{});
  constexpr std::int64_t kInstructions = 4;
  for (std::int64_t s = 0; s < steps; ++s) {
    add_tile_product<0, 4, 6>();
    add_tile_product<1, 4, 7>();
    add_tile_product<2, 5, 6>();
    add_tile_product<3, 5, 7>();
  }
  return 2.0 * static_cast<double>(steps * kInstructions * kTileRows * kTileInputs) * Vec::size;
}
#endif

inline double vpmaddubsw_ops(std::int64_t steps) {
  constexpr int kChains = 12;
  const __m512i y = _mm512_set1_epi8(1), ones = _mm512_set1_epi16(1);
  __m512i acc[kChains];
  for (__m512i& a : acc) a = _mm512_setzero_si512();
  __m512i x = _mm512_set1_epi8(3);
  for (std::int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      __asm__ volatile("" : "+v"(x));  // another one, as far as the compiler knows
      acc[i] = _mm512_add_epi32(acc[i], _mm512_madd_epi16(_mm512_maddubs_epi16(x, y), ones));
    }
  }
  for (const __m512i& a : acc) use(a);
  return static_cast<double>(steps) * kChains * 64 * 2;
}

inline cpu::LimitProbes limit_probes() {
  cpu::LimitProbes p = {
      .read = &read_memory, .fma = &fma_flops, .int8 = {"vpmaddubsw", &vpmaddubsw_ops}};
  if (__builtin_cpu_supports("avx512vnni")) p.int8 = {"vpdpbusd", &vpdpbusd_ops};
#if defined(PRWKV_HAS_AMX)
  p.bf16 = {"tdpbf16ps", &tdpbf16ps_flops};
#elif defined(PRWKV_HAS_BF16)
  p.bf16 = {"vdpbf16ps", &vdpbf16ps_flops};
#endif
  return p;
}

#elif defined(__AVX2__)

/// Products of bytes without VNNI: pairs to 16 bits, pairs of those to 32 bits, and a sum.
inline double vpmaddubsw_ops(std::int64_t steps) {
  constexpr int kChains = 8;
  const __m256i y = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
  __m256i acc[kChains];
  for (__m256i& a : acc) a = _mm256_setzero_si256();
  __m256i x = _mm256_set1_epi8(3);
  for (std::int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 8
    for (int i = 0; i < kChains; ++i) {
      __asm__ volatile("" : "+x"(x));  // another one, as far as the compiler knows
      acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(_mm256_maddubs_epi16(x, y), ones));
    }
  }
  for (const __m256i& a : acc) use(a);
  return static_cast<double>(steps) * kChains * 32 * 2;
}

inline cpu::LimitProbes limit_probes() {
  return {.read = &read_memory, .fma = &fma_flops, .int8 = {"vpmaddubsw", &vpmaddubsw_ops}};
}

#elif defined(PRWKV_HAS_NEON)

/// Steps of kChains products of 16 bytes, each of `kOps` operations, by `product(sum, x, y)`.
template <int kOps, class Product>
inline __attribute__((always_inline)) double byte_ops(std::int64_t steps, const Product& product) {
  constexpr int kChains = 16;
  const int8x16_t y = vdupq_n_s8(1);
  int32x4_t acc[kChains];
  for (int32x4_t& a : acc) a = vdupq_n_s32(0);
  int8x16_t x = vdupq_n_s8(3);
  for (std::int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      __asm__ volatile("" : "+w"(x));  // another one, as far as the compiler knows
      acc[i] = product(acc[i], x, y);
    }
  }
  for (const int32x4_t& a : acc) use(a);
  return static_cast<double>(steps) * kChains * kOps;
}

#if defined(PRWKV_HAS_I8MM)
inline double smmla_ops(std::int64_t steps) {
  return byte_ops<64>(steps,
                      [](int32x4_t s, int8x16_t x, int8x16_t y) { return vmmlaq_s32(s, x, y); });
}
inline constexpr cpu::ProductProbe kBytesProbe = {"smmla", &smmla_ops};
#elif defined(PRWKV_HAS_DOTPROD)
inline double sdot_ops(std::int64_t steps) {
  return byte_ops<32>(steps,
                      [](int32x4_t s, int8x16_t x, int8x16_t y) { return vdotq_s32(s, x, y); });
}
inline constexpr cpu::ProductProbe kBytesProbe = {"sdot", &sdot_ops};
#else
/// Products to 16 bits, pairs of them, pairs of those to 32 bits.
inline double smull_ops(std::int64_t steps) {
  return byte_ops<32>(steps, [](int32x4_t s, int8x16_t x, int8x16_t y) {
    const int16x8_t first = vmull_s8(vget_low_s8(x), vget_low_s8(y));
    return vpadalq_s16(s, vpaddq_s16(first, vmull_high_s8(x, y)));
  });
}
inline constexpr cpu::ProductProbe kBytesProbe = {"smull", &smull_ops};
#endif

inline cpu::LimitProbes limit_probes() {
  return {.read = &read_memory, .fma = &fma_flops, .int8 = kBytesProbe};
}

#else

/// Plain integers: whatever the compiler makes of them.
inline double integer_ops(std::int64_t steps) {
  constexpr int kLanes = 32;
  std::int32_t acc[kLanes] = {};
  std::int16_t x[kLanes], y[kLanes];
  for (int i = 0; i < kLanes; ++i) x[i] = 3, y[i] = 1;
  for (std::int64_t s = 0; s < steps; ++s) {
    for (int i = 0; i < kLanes; ++i) acc[i] += x[i] * y[i];
    __asm__ volatile("" : "+m"(x));  // another one, as far as the compiler knows
  }
  use(acc);
  return static_cast<double>(steps) * kLanes * 2;
}

inline cpu::LimitProbes limit_probes() {
  return {.read = &read_memory, .fma = &fma_flops, .int8 = {"integers", &integer_ops}};
}

#endif

}  // namespace prwkv::PRWKV_ISA
