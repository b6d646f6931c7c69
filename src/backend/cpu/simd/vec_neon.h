/// The vector vocabulary of vec_scalar.h on NEON: eight floats in two registers of 32.
///
/// Eight, so that sums are added in the order of AVX2, panels have its layout, and one load of
/// activations serves two registers of weights.
#pragma once

#include <arm_neon.h>

#include <cstring>

#include "backend/cpu/simd/bytes_neon.h"

namespace prwkv::PRWKV_ISA {

struct Vec {
  static constexpr int size = 8;
  static constexpr int registers = 16;
  static constexpr int tile_rows = 4, tile_cols = 6;
#ifdef PRWKV_HAS_I8MM
  static constexpr int panel_tile_cols = 4;  // sums of two rows take as many registers again
#else
  static constexpr int panel_tile_cols = 6;
#endif
  static constexpr bool panel_pairs = false;
  float32x4_t low, high;

  static Vec broadcast(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
  static Vec zero() { return broadcast(0.0f); }
  static Vec load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4)}; }
  static Vec load_first(const float* p, int n) {
    float padded[size] = {};
    std::memcpy(padded, p, static_cast<std::size_t>(n) * sizeof(float));
    return load(padded);
  }
  void store(float* p) const {
    vst1q_f32(p, low);
    vst1q_f32(p + 4, high);
  }
  void store_first(float* p, int n) const {
    float all[size];
    store(all);
    std::memcpy(p, all, static_cast<std::size_t>(n) * sizeof(float));
  }

  // Bytes are loaded: weights may lie at any address.
  static Vec load_f32(const void* p) {
    const auto* bytes = static_cast<const std::uint8_t*>(p);
    return {vreinterpretq_f32_u8(vld1q_u8(bytes)), vreinterpretq_f32_u8(vld1q_u8(bytes + 16))};
  }
  static Vec load_f16(const void* p) {
    const float16x8_t h = vreinterpretq_f16_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
    return {vcvt_f32_f16(vget_low_f16(h)), vcvt_high_f32_f16(h)};
  }
  static Vec load_bf16(const void* p) {
    const uint16x8_t h = vreinterpretq_u16_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
    return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(h), 16)),
            vreinterpretq_f32_u32(vshll_high_n_u16(h, 16))};
  }
  static float half(const void* p) {
    std::uint16_t bits;
    std::memcpy(&bits, p, sizeof bits);
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))), 0);
  }
  static Vec load_i8(const void* p) {
    return widen_8(vmovl_s8(vld1_s8(static_cast<const std::int8_t*>(p))));
  }
  static Vec load_low_nibbles(const void* p) {
    const uint8x8_t bytes = vld1_u8(static_cast<const std::uint8_t*>(p));
    return widen_8(vreinterpretq_s16_u16(vmovl_u8(vand_u8(bytes, vdup_n_u8(15)))));
  }
  static Vec load_high_nibbles(const void* p) {
    const uint8x8_t bytes = vld1_u8(static_cast<const std::uint8_t*>(p));
    return widen_8(vreinterpretq_s16_u16(vmovl_u8(vshr_n_u8(bytes, 4))));
  }
  void store_i8(void* p) const {
    const int16x8_t narrow =
        vcombine_s16(vmovn_s32(vcvtq_s32_f32(low)), vmovn_s32(vcvtq_s32_f32(high)));
    vst1_s8(static_cast<std::int8_t*>(p), vmovn_s16(narrow));
  }
  static void widen_bytes(Bytes b, Vec* to) {
    const int8x16_t low = vreinterpretq_s8_u8(b.low), high = vreinterpretq_s8_u8(b.high);
    to[0] = widen_8(vmovl_s8(vget_low_s8(low)));
    to[1] = widen_8(vmovl_high_s8(low));
    to[2] = widen_8(vmovl_s8(vget_low_s8(high)));
    to[3] = widen_8(vmovl_high_s8(high));
  }

  friend Vec operator+(Vec a, Vec b) { return {a.low + b.low, a.high + b.high}; }
  friend Vec operator-(Vec a, Vec b) { return {a.low - b.low, a.high - b.high}; }
  friend Vec operator*(Vec a, Vec b) { return {a.low * b.low, a.high * b.high}; }
  friend Vec operator/(Vec a, Vec b) { return {a.low / b.low, a.high / b.high}; }
  friend Vec sqrt(Vec a) { return {vsqrtq_f32(a.low), vsqrtq_f32(a.high)}; }
  friend Vec fma(Vec a, Vec b, Vec c) {
    return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
  }
  // The instructions for these two give NaN where either operand is; here it is the second operand.
  friend Vec max(Vec a, Vec b) { return select_less(b, a, a, b); }
  friend Vec min(Vec a, Vec b) { return select_less(a, b, a, b); }
  friend Vec select_less(Vec a, Vec b, Vec x, Vec y) {
    return {vbslq_f32(vcltq_f32(a.low, b.low), x.low, y.low),
            vbslq_f32(vcltq_f32(a.high, b.high), x.high, y.high)};
  }
  friend Vec round(Vec a) { return {vrndnq_f32(a.low), vrndnq_f32(a.high)}; }
  friend Vec pow2(Vec n) { return {pow2_4(n.low), pow2_4(n.high)}; }
  friend float sum(Vec a) {
    const float32x4_t four = a.low + a.high;
    return vaddv_f32(vget_low_f32(four) + vget_high_f32(four));
  }
  friend void sum4(Vec a, Vec b, Vec c, Vec d, float* to) {
    const auto halves = [](Vec x, Vec y) {
      const float32x4_t p = x.low + x.high, q = y.low + y.high;
      return vcombine_f32(vget_low_f32(p), vget_low_f32(q)) +
             vcombine_f32(vget_high_f32(p), vget_high_f32(q));
    };
    vst1q_f32(to, vpaddq_f32(halves(a, b), halves(c, d)));
  }
  friend float max_element(Vec a) { return vmaxvq_f32(vmaxq_f32(a.low, a.high)); }
  friend float max_magnitude(const Vec* a, int n) {
    float32x4_t m = vdupq_n_f32(0.0f);  // the instruction gives NaN where either operand is
    for (int i = 0; i < n; ++i)
      m = vmaxq_f32(m, vmaxq_f32(vabsq_f32(a[i].low), vabsq_f32(a[i].high)));
    return vmaxvq_f32(m);
  }

 private:
  static Vec widen_8(int16x8_t bytes) {
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(bytes))), vcvtq_f32_s32(vmovl_high_s16(bytes))};
  }
  static float32x4_t pow2_4(float32x4_t n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vcvtq_s32_f32(n) + vdupq_n_s32(127), 23));
  }
};

}  // namespace prwkv::PRWKV_ISA
