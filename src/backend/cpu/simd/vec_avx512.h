/// The vector vocabulary of vec_scalar.h on AVX-512 (F, BW, DQ, VL): sixteen floats in one
/// register, 32 registers.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "backend/cpu/simd/bytes_avx2.h"

namespace prwkv::PRWKV_ISA {

struct Vec {
  static constexpr int size = 16;
  static constexpr int registers = 32;
  static constexpr int tile_rows = 4, tile_cols = 12, panel_tile_cols = 6;
  static constexpr bool panel_pairs = true;
  __m512 v;

  static Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Vec zero() { return {_mm512_setzero_ps()}; }
  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Vec load_first(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_first(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }

  static Vec load_f32(const void* p) { return {_mm512_loadu_ps(p)}; }
  static Vec load_f16(const void* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
  }
  static Vec load_bf16(const void* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
  }
  static float half(const void* p) {
    unsigned short bits;
    std::memcpy(&bits, p, sizeof bits);
    return _cvtsh_ss(bits);
  }
  static Vec load_i8(const void* p) {
    return widen_16(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static Vec load_low_nibbles(const void* p) {
    return {_mm512_cvtepi32_ps(_mm512_and_si512(bytes_at(p), _mm512_set1_epi32(15)))};
  }
  static Vec load_high_nibbles(const void* p) {
    return {_mm512_cvtepi32_ps(_mm512_srli_epi32(bytes_at(p), 4))};
  }
  void store_i8(void* p) const {
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(v)));
  }
  static void widen_bytes(Bytes b, Vec* to) {
    to[0] = widen_16(_mm256_castsi256_si128(b.v));
    to[1] = widen_16(_mm256_extracti128_si256(b.v, 1));
  }

  friend Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
  friend Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
  friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  friend Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
  friend Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend Vec select_less(Vec a, Vec b, Vec x, Vec y) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
  }
  friend Vec round(Vec a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend Vec pow2(Vec n) {
    const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(biased, 23))};
  }
  friend float sum(Vec a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  friend void sum4(Vec a, Vec b, Vec c, Vec d, float* to) {
    const auto halves = [](__m512 x, __m512 y) {
      return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));
    };
    const __m512 ab = halves(a.v, b.v), cd = halves(c.v, d.v);
    __m512 s =
        _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    s = _mm512_add_ps(s, _mm512_permute_ps(s, 0x4e));
    s = _mm512_add_ps(s, _mm512_movehdup_ps(s));
    const __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    _mm_storeu_ps(to, _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, s)));
  }
  friend float max_element(Vec a) { return _mm512_reduce_max_ps(a.v); }
  friend float max_magnitude(const Vec* a, int n) {
    const __m512i positive = _mm512_set1_epi32(0x7fffffff);
    __m512i m = _mm512_setzero_si512();
    for (int i = 0; i < n; ++i)
      m = _mm512_max_epi32(m, _mm512_and_si512(_mm512_castps_si512(a[i].v), positive));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(m))));
  }

 private:
  static __m512i bytes_at(const void* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static Vec widen_16(__m128i bytes) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))}; }
  static __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
};

#ifdef PRWKV_HAS_BF16
/// Thirty-two bf16. Denormal numbers count as zeros, operands and sums alike.
struct Pairs {
  static constexpr int size = 32;
  __m512bh v;

  static Pairs load(const void* p) { return {reinterpret_cast<__m512bh>(_mm512_loadu_si512(p))}; }
  void store(void* p) const { _mm512_storeu_si512(p, reinterpret_cast<__m512i>(v)); }
  /// The first n pairs.
  void store_first(void* p, int n) const {
    const auto first = static_cast<__mmask16>((1u << static_cast<unsigned>(n)) - 1u);
    _mm512_mask_storeu_epi32(p, first, reinterpret_cast<__m512i>(v));
  }
  /// a[0], a[1], …, b[0], b[1], … rounded to nearest even.
  static Pairs side_by_side(Vec a, Vec b) { return {_mm512_cvtne2ps_pbh(b.v, a.v)}; }
  /// a[0], b[0], a[1], b[1], … likewise.
  static Pairs interleaved(Vec a, Vec b) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i order = _mm512_add_epi32(_mm512_set1_epi32(16 << 16),
                                           _mm512_mullo_epi32(lane, _mm512_set1_epi32(0x10001)));
    const auto apart = reinterpret_cast<__m512i>(side_by_side(a, b).v);
    return {reinterpret_cast<__m512bh>(_mm512_permutexvar_epi16(order, apart))};
  }
  /// The same two for all.
  static Pairs broadcast(const void* p) {
    int bits;
    std::memcpy(&bits, p, sizeof bits);
    return {reinterpret_cast<__m512bh>(_mm512_set1_epi32(bits))};
  }
  /// sum[i] + a[2 i] b[2 i] + a[2 i + 1] b[2 i + 1]
  friend Vec dot(Pairs a, Pairs b, Vec sum) { return {_mm512_dpbf16_ps(sum.v, a.v, b.v)}; }
};
/// Two floats, the second zero unless there are both, rounded to nearest even.
inline void store_bf16_pair(const float* x, bool both, std::uint16_t* to) {
  const __m128 pair = _mm_maskz_loadu_ps(both ? 3 : 1, x);
  const int bits = _mm_cvtsi128_si32(reinterpret_cast<__m128i>(_mm_cvtneps_pbh(pair)));
  std::memcpy(to, &bits, sizeof bits);
}
#endif

}  // namespace prwkv::PRWKV_ISA
