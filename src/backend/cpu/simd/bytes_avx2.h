/// The vocabulary of bytes_scalar.h in one register of AVX2; AVX-512 uses it as well.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace prwkv::PRWKV_ISA {

struct Bytes {
  static constexpr int size = 32;
  __m256i v;

  static Bytes load(const void* p) { return {_mm256_loadu_si256(static_cast<const __m256i*>(p))}; }
  static Bytes halves(const void* p) {
    const __m128i packed = _mm_loadu_si128(static_cast<const __m128i*>(p));
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(packed, 4), packed);
    return {_mm256_and_si256(both, _mm256_set1_epi8(15))};
  }
  static Bytes fifth_bits(const void* p) {
    std::int32_t bits;
    std::memcpy(&bits, p, sizeof bits);
    // Byte i of the 32 receives byte i / 8 of the bits, and keeps bit i % 8 of it.
    const __m256i spread = _mm256_shuffle_epi8(
        _mm256_set1_epi32(bits),
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    const __m256i each = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201u));
    const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, each), each);
    return {_mm256_and_si256(set, _mm256_set1_epi8(16))};
  }

  friend Bytes field(Bytes a, int from, std::uint8_t mask) {
    const __m256i shifted = _mm256_srli_epi16(a.v, from);
    return {_mm256_and_si256(shifted, _mm256_set1_epi8(static_cast<char>(mask)))};
  }
  friend Bytes raised(Bytes a, int n) { return {_mm256_slli_epi16(a.v, n)}; }
  friend Bytes operator|(Bytes a, Bytes b) { return {_mm256_or_si256(a.v, b.v)}; }
  friend Bytes minus(Bytes a, int n) {
    return {_mm256_sub_epi8(a.v, _mm256_set1_epi8(static_cast<char>(n)))};
  }
  friend Bytes lookup(const std::int8_t* table, Bytes a) {
    const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row), a.v)};
  }
};

inline std::int32_t sum_of_16(const std::int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i pairs = _mm_maddubs_epi16(_mm_set1_epi8(1), bytes);
  __m128i s = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

}  // namespace prwkv::PRWKV_ISA
