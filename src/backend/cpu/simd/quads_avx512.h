/// The vocabulary of quads_scalar.h on AVX-512: sixteen weight rows. With PRWKV_HAS_VNNI a product
/// of bytes is one instruction, else the three of AVX2.
#pragma once

#include <cstddef>

#include "backend/cpu/simd/vec_avx512.h"

namespace prwkv::PRWKV_ISA {

struct Quads {
  static constexpr int size = 64;
  __m512i v;

  static Quads load(const std::byte* p) { return {_mm512_loadu_si512(p)}; }
  void store(std::byte* p) const { _mm512_storeu_si512(p, v); }
  friend Quads operator|(Quads a, Quads b) { return {_mm512_or_si512(a.v, b.v)}; }
  friend Quads lookup(const std::int8_t* table, Quads a) {
    const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(row), a.v)};
  }
};

// Shifts are those of 16-bit lanes: what crosses from one byte into the other is masked out.
template <int up, int mask>
inline Quads moved(Quads a) {
  const __m512i m = _mm512_set1_epi8(static_cast<char>(mask));
  if constexpr (up > 0) return {_mm512_and_si512(_mm512_slli_epi16(a.v, up), m)};
  if constexpr (up < 0) return {_mm512_and_si512(_mm512_srli_epi16(a.v, -up), m)};
  return {_mm512_and_si512(a.v, m)};
}
template <int from, int mask>
inline Quads field(Quads a) {
  return moved<-from, mask>(a);
}

inline void zip(Quads (&w)[4]) {
  const auto ab_low = _mm512_unpacklo_epi8(w[0].v, w[1].v);
  const auto ab_high = _mm512_unpackhi_epi8(w[0].v, w[1].v);
  const auto cd_low = _mm512_unpacklo_epi8(w[2].v, w[3].v);
  const auto cd_high = _mm512_unpackhi_epi8(w[2].v, w[3].v);
  w[0].v = _mm512_unpacklo_epi16(ab_low, cd_low);
  w[1].v = _mm512_unpackhi_epi16(ab_low, cd_low);
  w[2].v = _mm512_unpacklo_epi16(ab_high, cd_high);
  w[3].v = _mm512_unpackhi_epi16(ab_high, cd_high);
}

/// Four neighbouring activations, for all rows.
struct Four {
  __m512i v;
  explicit Four(const std::int8_t* x) {
    std::int32_t bytes;
    std::memcpy(&bytes, x, sizeof bytes);
    v = _mm512_set1_epi32(bytes);
  }
};

struct Sums {
  __m512i v;

  template <int down>
  static Sums broadcast(std::int32_t n) {
    return {_mm512_srai_epi32(_mm512_set1_epi32(n), down)};
  }
#ifdef PRWKV_HAS_VNNI
  // The instruction wants w unsigned: w + 128, and the sum begins at −128 Σ x.
  static constexpr int kSignedZero = 128;
  friend Sums dot(Sums s, Quads w, Four x) { return {_mm512_dpbusd_epi32(s.v, w.v, x.v)}; }
  friend Sums dot_signed(Sums s, Quads w, Four x) { return dot(s, w, x); }
#else
  static constexpr int kSignedZero = 0;
  // Pairs of products are added in 16 bits: 2 · 127 · 128 is the most there can be, and fits.
  friend Sums dot(Sums s, Quads w, Four x) { return widened(s, _mm512_maddubs_epi16(w.v, x.v)); }
  // The instruction wants one factor unsigned: |w|, and x takes the sign of w.
  friend Sums dot_signed(Sums s, Quads w, Four x) {
    const __m512i positive = x.v;
    const __m512i turned =
        _mm512_mask_sub_epi8(positive, _mm512_movepi8_mask(w.v), _mm512_setzero_si512(), positive);
    return widened(s, _mm512_maddubs_epi16(_mm512_abs_epi8(w.v), turned));
  }
#endif
  friend Sums operator+(Sums a, Sums b) { return {_mm512_add_epi32(a.v, b.v)}; }
  friend Vec to_float(Sums s) { return {_mm512_cvtepi32_ps(s.v)}; }

 private:
  static Sums widened(Sums s, __m512i pairs) {
    return {_mm512_add_epi32(s.v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))};
  }
};

}  // namespace prwkv::PRWKV_ISA
