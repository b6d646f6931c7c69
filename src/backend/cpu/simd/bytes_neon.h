/// The vocabulary of bytes_scalar.h in two registers of NEON.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

namespace prwkv::PRWKV_ISA {

struct Bytes {
  static constexpr int size = 32;
  uint8x16_t low, high;

  static Bytes load(const void* p) {
    const auto* bytes = static_cast<const std::uint8_t*>(p);
    return {vld1q_u8(bytes), vld1q_u8(bytes + 16)};
  }
  static Bytes halves(const void* p) {
    const uint8x16_t packed = vld1q_u8(static_cast<const std::uint8_t*>(p));
    return {vandq_u8(packed, vdupq_n_u8(15)), vshrq_n_u8(packed, 4)};
  }
  static Bytes fifth_bits(const void* p) {
    std::uint32_t bits;
    std::memcpy(&bits, p, sizeof bits);
    // Byte i of the 32 receives byte i / 8 of the bits, and keeps bit i % 8 of it.
    const uint8x16_t all = vreinterpretq_u8_u32(vdupq_n_u32(bits));
    const uint8x16_t each = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    const uint8x16_t first = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1));
    const uint8x16_t second = vaddq_u8(first, vdupq_n_u8(2));
    return masked({vtstq_u8(vqtbl1q_u8(all, first), each), vtstq_u8(vqtbl1q_u8(all, second), each)},
                  16);
  }

  friend Bytes field(Bytes a, int from, std::uint8_t mask) {
    return masked(shifted(a, -from), mask);
  }
  friend Bytes raised(Bytes a, int n) { return shifted(a, n); }
  friend Bytes operator|(Bytes a, Bytes b) {
    return {vorrq_u8(a.low, b.low), vorrq_u8(a.high, b.high)};
  }
  friend Bytes minus(Bytes a, int n) {
    const uint8x16_t by = vdupq_n_u8(static_cast<std::uint8_t>(n));
    return {vsubq_u8(a.low, by), vsubq_u8(a.high, by)};
  }
  friend Bytes lookup(const std::int8_t* table, Bytes a) {
    const uint8x16_t row = vreinterpretq_u8_s8(vld1q_s8(table));
    return {vqtbl1q_u8(row, a.low), vqtbl1q_u8(row, a.high)};
  }

 private:
  static Bytes masked(Bytes a, std::uint8_t mask) {
    const uint8x16_t m = vdupq_n_u8(mask);
    return {vandq_u8(a.low, m), vandq_u8(a.high, m)};
  }
  /// To the left; to the right if n is negative.
  static Bytes shifted(Bytes a, int n) {
    const int8x16_t by = vdupq_n_s8(static_cast<std::int8_t>(n));
    return {vshlq_u8(a.low, by), vshlq_u8(a.high, by)};
  }
};

inline std::int32_t sum_of_16(const std::int8_t* p) { return vaddlvq_s8(vld1q_s8(p)); }

}  // namespace prwkv::PRWKV_ISA
