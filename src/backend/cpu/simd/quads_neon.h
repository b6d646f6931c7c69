/// The vocabulary of quads_scalar.h on NEON: eight weight rows in two registers. With
/// PRWKV_HAS_DOTPROD a product of bytes is one instruction, else it takes four. With
/// PRWKV_HAS_I8MM one instruction multiplies two rows of weights with two of activations.
///
/// All instructions here take signed bytes on both sides, so weights need no zero of their own.
#pragma once

#include <cstddef>

#include "backend/cpu/simd/vec_neon.h"

namespace prwkv::PRWKV_ISA {

struct Quads {
  static constexpr int size = 32;
  uint8x16_t low, high;

  static Quads load(const std::byte* p) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(p);
    return {vld1q_u8(bytes), vld1q_u8(bytes + 16)};
  }
  void store(std::byte* p) const {
    auto* bytes = reinterpret_cast<std::uint8_t*>(p);
    vst1q_u8(bytes, low);
    vst1q_u8(bytes + 16, high);
  }
  friend Quads operator|(Quads a, Quads b) {
    return {vorrq_u8(a.low, b.low), vorrq_u8(a.high, b.high)};
  }
  friend Quads lookup(const std::int8_t* table, Quads a) {
    const uint8x16_t row = vreinterpretq_u8_s8(vld1q_s8(table));
    return {vqtbl1q_u8(row, a.low), vqtbl1q_u8(row, a.high)};
  }
};

template <int up, int mask>
inline uint8x16_t moved(uint8x16_t a) {
  if constexpr (up > 0) a = vshlq_n_u8(a, up);
  if constexpr (up < 0) a = vshrq_n_u8(a, -up);
  // All bits that are left after the shift need no mask.
  constexpr int kLeft = up > 0 ? 0xff << up & 0xff : 0xff >> -up;
  if constexpr ((mask & kLeft) == kLeft) return a;
  return vandq_u8(a, vdupq_n_u8(mask));
}
template <int up, int mask>
inline Quads moved(Quads a) {
  return {moved<up, mask>(a.low), moved<up, mask>(a.high)};
}
template <int from, int mask>
inline Quads field(Quads a) {
  return moved<-from, mask>(a);
}

/// The same of 16 bytes each.
inline void zip(uint8x16_t& a, uint8x16_t& b, uint8x16_t& c, uint8x16_t& d) {
  const auto pairs = [](uint8x16_t x, uint8x16_t y) {
    return uint16x8x2_t{vreinterpretq_u16_u8(vzip1q_u8(x, y)),
                        vreinterpretq_u16_u8(vzip2q_u8(x, y))};
  };
  const uint16x8x2_t ab = pairs(a, b), cd = pairs(c, d);
  a = vreinterpretq_u8_u16(vzip1q_u16(ab.val[0], cd.val[0]));
  b = vreinterpretq_u8_u16(vzip2q_u16(ab.val[0], cd.val[0]));
  c = vreinterpretq_u8_u16(vzip1q_u16(ab.val[1], cd.val[1]));
  d = vreinterpretq_u8_u16(vzip2q_u16(ab.val[1], cd.val[1]));
}
inline void zip(Quads (&w)[4]) {
  zip(w[0].low, w[1].low, w[2].low, w[3].low);
  zip(w[0].high, w[1].high, w[2].high, w[3].high);
}

/// Four neighbouring activations, for all rows.
struct Four {
  int8x16_t v;
  explicit Four(const std::int8_t* x) {
    std::int32_t bytes;
    std::memcpy(&bytes, x, sizeof bytes);
    v = vreinterpretq_s8_s32(vdupq_n_s32(bytes));
  }
};

struct Sums {
  static constexpr int kSignedZero = 0;
  int32x4_t low, high;

  template <int down>
  static Sums broadcast(std::int32_t n) {
    const int32x4_t all = vdupq_n_s32(n >> down);
    return {all, all};
  }
  friend Sums dot(Sums s, Quads w, Four x) {
    return {dot_4(s.low, vreinterpretq_s8_u8(w.low), x.v),
            dot_4(s.high, vreinterpretq_s8_u8(w.high), x.v)};
  }
  friend Sums dot_signed(Sums s, Quads w, Four x) { return dot(s, w, x); }
  friend Sums operator+(Sums a, Sums b) { return {a.low + b.low, a.high + b.high}; }
  friend Vec to_float(Sums s) { return {vcvtq_f32_s32(s.low), vcvtq_f32_s32(s.high)}; }

 private:
  static int32x4_t dot_4(int32x4_t s, int8x16_t w, int8x16_t x) {
#ifdef PRWKV_HAS_DOTPROD
    return vdotq_s32(s, w, x);
#else
    // Pairs of products are added in 16 bits: 2 · 127 · 128 is the most there can be, and fits.
    const int16x8_t first = vmull_s8(vget_low_s8(w), vget_low_s8(x));
    return vpadalq_s16(s, vpaddq_s16(first, vmull_high_s8(w, x)));
#endif
  }
};

#ifdef PRWKV_HAS_I8MM
/// Eight neighbouring bytes of every weight row: two rows in each register.
struct Octets {
  int8x16_t v[Vec::size / 2];

  /// Of two quads that follow each other.
  Octets(Quads first, Quads second) {
    put(0, first.low, second.low);
    put(2, first.high, second.high);
  }

 private:
  void put(int at, uint8x16_t first, uint8x16_t second) {
    const int32x4_t a = vreinterpretq_s32_u8(first), b = vreinterpretq_s32_u8(second);
    v[at] = vreinterpretq_s8_s32(vzip1q_s32(a, b));
    v[at + 1] = vreinterpretq_s8_s32(vzip2q_s32(a, b));
  }
};

/// Eight neighbouring activations of two rows.
struct Eights {
  int8x16_t v;
  Eights(const std::int8_t* first, const std::int8_t* second)
      : v(vcombine_s8(vld1_s8(first), vld1_s8(second))) {}
};

/// Sums for each weight row in two rows of activations.
struct SumsOfTwo {
  int32x4_t v[Vec::size / 2];  // rows 2 i and 2 i + 1 of weights, each in both rows

  static SumsOfTwo zero() {
    const int32x4_t none = vdupq_n_s32(0);
    return {{none, none, none, none}};
  }
  friend SumsOfTwo dot(SumsOfTwo s, const Octets& w, Eights x) {
#pragma GCC unroll 4
    for (int i = 0; i < Vec::size / 2; ++i) s.v[i] = vmmlaq_s32(s.v[i], w.v[i], x.v);
    return s;
  }
  [[nodiscard]] Sums first() const { return {vuzp1q_s32(v[0], v[1]), vuzp1q_s32(v[2], v[3])}; }
  [[nodiscard]] Sums second() const { return {vuzp2q_s32(v[0], v[1]), vuzp2q_s32(v[2], v[3])}; }
};
#endif

}  // namespace prwkv::PRWKV_ISA
