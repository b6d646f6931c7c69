/// The vector vocabulary of vec_scalar.h on AVX2 + FMA + F16C: eight floats in one register,
/// sixteen registers.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "backend/cpu/simd/bytes_avx2.h"

namespace prwkv::PRWKV_ISA {

struct Vec {
  static constexpr int size = 8;
  static constexpr int registers = 16;
  static constexpr int tile_rows = 4, tile_cols = 6, panel_tile_cols = 4;
  static constexpr bool panel_pairs = false;
  __m256 v;

  static Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static Vec zero() { return {_mm256_setzero_ps()}; }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Vec load_first(const float* p, int n) { return {_mm256_maskload_ps(p, first(n))}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store_first(float* p, int n) const { _mm256_maskstore_ps(p, first(n), v); }

  static Vec load_f32(const void* p) { return {_mm256_loadu_ps(static_cast<const float*>(p))}; }
  static Vec load_f16(const void* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
  }
  static Vec load_bf16(const void* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
  }
  static float half(const void* p) {
    unsigned short bits;
    std::memcpy(&bits, p, sizeof bits);
    return _cvtsh_ss(bits);
  }
  static Vec load_i8(const void* p) {
    return widen_8(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  }
  static Vec load_low_nibbles(const void* p) {
    return {_mm256_cvtepi32_ps(_mm256_and_si256(bytes_at(p), _mm256_set1_epi32(15)))};
  }
  static Vec load_high_nibbles(const void* p) {
    return {_mm256_cvtepi32_ps(_mm256_srli_epi32(bytes_at(p), 4))};
  }
  void store_i8(void* p) const {
    const __m256i wide = _mm256_cvtps_epi32(v);
    const __m128i narrow =
        _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(static_cast<__m128i*>(p), _mm_packs_epi16(narrow, narrow));
  }
  static void widen_bytes(Bytes b, Vec* to) {
    const __m128i low = _mm256_castsi256_si128(b.v), high = _mm256_extracti128_si256(b.v, 1);
    to[0] = widen_8(low);
    to[1] = widen_8(_mm_srli_si128(low, 8));
    to[2] = widen_8(high);
    to[3] = widen_8(_mm_srli_si128(high, 8));
  }

  friend Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
  friend Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
  friend Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  friend Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
  friend Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
  friend Vec select_less(Vec a, Vec b, Vec x, Vec y) {
    return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
  }
  friend Vec round(Vec a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  friend Vec pow2(Vec n) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(biased, 23))};
  }
  friend float sum(Vec a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  friend void sum4(Vec a, Vec b, Vec c, Vec d, float* to) {
    const auto halves = [](__m256 x, __m256 y) {
      return _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
    };
    const __m256 ab = halves(a.v, b.v), cd = halves(c.v, d.v);
    __m256 s = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
    s = _mm256_add_ps(s, _mm256_movehdup_ps(s));  // a _ c _ b _ d _
    const __m128 ac = _mm256_castps256_ps128(s), bd = _mm256_extractf128_ps(s, 1);
    _mm_storeu_ps(to, _mm_unpacklo_ps(_mm_shuffle_ps(ac, ac, 0x08), _mm_shuffle_ps(bd, bd, 0x08)));
  }
  friend float max_element(Vec a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
  }
  friend float max_magnitude(const Vec* a, int n) {
    const __m256i positive = _mm256_set1_epi32(0x7fffffff);
    __m256i m = _mm256_setzero_si256();
    for (int i = 0; i < n; ++i)
      m = _mm256_max_epi32(m, _mm256_and_si256(_mm256_castps_si256(a[i].v), positive));
    __m128i s = _mm_max_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1));
    s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epi32(s, _mm_shuffle_epi32(s, 0xb1))));
  }

 private:
  static __m256i bytes_at(const void* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  }
  static Vec widen_8(__m128i bytes) { return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))}; }
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

}  // namespace prwkv::PRWKV_ISA
