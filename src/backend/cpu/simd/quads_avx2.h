/// The vocabulary of quads_scalar.h on AVX2: eight weight rows.
#pragma once

#include <cstddef>

#include "backend/cpu/simd/vec_avx2.h"

namespace prwkv::PRWKV_ISA {

struct Quads {
  static constexpr int size = 32;
  __m256i v;

  static Quads load(const std::byte* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  void store(std::byte* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  friend Quads operator|(Quads a, Quads b) { return {_mm256_or_si256(a.v, b.v)}; }
  friend Quads lookup(const std::int8_t* table, Quads a) {
    const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row), a.v)};
  }
};

// Shifts are those of 16-bit lanes: what crosses from one byte into the other is masked out.
template <int up, int mask>
inline Quads moved(Quads a) {
  const __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
  if constexpr (up > 0) return {_mm256_and_si256(_mm256_slli_epi16(a.v, up), m)};
  if constexpr (up < 0) return {_mm256_and_si256(_mm256_srli_epi16(a.v, -up), m)};
  return {_mm256_and_si256(a.v, m)};
}
template <int from, int mask>
inline Quads field(Quads a) {
  return moved<-from, mask>(a);
}

inline void zip(Quads (&w)[4]) {
  const auto ab_low = _mm256_unpacklo_epi8(w[0].v, w[1].v);
  const auto ab_high = _mm256_unpackhi_epi8(w[0].v, w[1].v);
  const auto cd_low = _mm256_unpacklo_epi8(w[2].v, w[3].v);
  const auto cd_high = _mm256_unpackhi_epi8(w[2].v, w[3].v);
  w[0].v = _mm256_unpacklo_epi16(ab_low, cd_low);
  w[1].v = _mm256_unpackhi_epi16(ab_low, cd_low);
  w[2].v = _mm256_unpacklo_epi16(ab_high, cd_high);
  w[3].v = _mm256_unpackhi_epi16(ab_high, cd_high);
}

/// Four neighbouring activations, for all rows.
struct Four {
  __m256i v;
  explicit Four(const std::int8_t* x) {
    std::int32_t bytes;
    std::memcpy(&bytes, x, sizeof bytes);
    v = _mm256_set1_epi32(bytes);
  }
};

struct Sums {
  static constexpr int kSignedZero = 0;
  __m256i v;

  template <int down>
  static Sums broadcast(std::int32_t n) {
    return {_mm256_srai_epi32(_mm256_set1_epi32(n), down)};
  }
  // Pairs of products are added in 16 bits: 2 · 127 · 128 is the most there can be, and fits.
  friend Sums dot(Sums s, Quads w, Four x) { return widened(s, _mm256_maddubs_epi16(w.v, x.v)); }
  // The instruction wants one factor unsigned: |w|, and x takes the sign of w.
  friend Sums dot_signed(Sums s, Quads w, Four x) {
    return widened(s, _mm256_maddubs_epi16(_mm256_abs_epi8(w.v), _mm256_sign_epi8(x.v, w.v)));
  }
  friend Sums operator+(Sums a, Sums b) { return {_mm256_add_epi32(a.v, b.v)}; }
  friend Vec to_float(Sums s) { return {_mm256_cvtepi32_ps(s.v)}; }

 private:
  static Sums widened(Sums s, __m256i pairs) {
    return {_mm256_add_epi32(s.v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
  }
};

}  // namespace prwkv::PRWKV_ISA
