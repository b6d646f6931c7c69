/// The vector vocabulary in portable C++: eight floats in an array, for machines without a file of
/// their own, and as the twin that shows what the intrinsics mean. Compilers turn the loops into
/// whatever the baseline offers.
///
/// Every vec_*.h defines `Vec` in the ISA's namespace with exactly these members. Only isa_*.cc
/// includes one of them, so no function compiled with wider instructions can be picked by the
/// linker for another file.
#pragma once

#include <bit>
#include <cstring>

#include "backend/cpu/simd/bytes_scalar.h"
#include "tensor/half.h"

namespace prwkv::PRWKV_ISA {

struct Vec {
  static constexpr int size = 8;
  static constexpr int registers = 8;  ///< such vectors that stay out of memory
  /// Activation rows beside two panels of floats; beside weight rows that are not packed, half as many.
  static constexpr int tile_cols = 4, tile_rows = 2;
  /// Activation rows beside a panel of blocks (backend/cpu/panels.h).
  static constexpr int panel_tile_cols = 2;
  static constexpr bool panel_pairs = false;  ///< beside two panels at once
  float v[size];

  static Vec broadcast(float x) {
    Vec r;
    for (float& e : r.v) e = x;
    return r;
  }
  static Vec zero() { return broadcast(0.0f); }
  static Vec load(const float* p) {
    Vec r;
    std::memcpy(r.v, p, sizeof r.v);
    return r;
  }
  /// The first n < size elements, zero behind them.
  static Vec load_first(const float* p, int n) {
    Vec r = zero();
    std::memcpy(r.v, p, static_cast<std::size_t>(n) * sizeof(float));
    return r;
  }
  void store(float* p) const { std::memcpy(p, v, sizeof v); }
  void store_first(float* p, int n) const {
    std::memcpy(p, v, static_cast<std::size_t>(n) * sizeof(float));
  }

  /// `size` stored weights, unaligned, as floats.
  static Vec load_f32(const void* p) { return load(static_cast<const float*>(p)); }
  static Vec load_f16(const void* p) { return widen<f16>(p); }
  static Vec load_bf16(const void* p) { return widen<bf16>(p); }
  /// One f16.
  static float half(const void* p) {
    f16 h;
    std::memcpy(&h, p, sizeof h);
    return to_float(h);
  }
  /// `size` signed bytes as floats.
  static Vec load_i8(const void* p) {
    std::int8_t bytes[size];
    std::memcpy(bytes, p, sizeof bytes);
    Vec r;
    for (int i = 0; i < size; ++i) r.v[i] = static_cast<float>(bytes[i]);
    return r;
  }
  /// The low, or high, four bits of bytes, in [0, 15].
  static Vec load_low_nibbles(const void* p) {
    std::uint8_t bytes[size];
    std::memcpy(bytes, p, sizeof bytes);
    Vec r;
    for (int i = 0; i < size; ++i) r.v[i] = static_cast<float>(bytes[i] & 15);
    return r;
  }
  static Vec load_high_nibbles(const void* p) {
    std::uint8_t bytes[size];
    std::memcpy(bytes, p, sizeof bytes);
    Vec r;
    for (int i = 0; i < size; ++i) r.v[i] = static_cast<float>(bytes[i] >> 4);
    return r;
  }
  /// Integral elements in [−128, 127], as signed bytes.
  void store_i8(void* p) const {
    std::int8_t bytes[size];
    for (int i = 0; i < size; ++i) bytes[i] = static_cast<std::int8_t>(v[i]);
    std::memcpy(p, bytes, sizeof bytes);
  }
  /// Signed bytes as floats, in Bytes::size / size vectors.
  static void widen_bytes(const Bytes& b, Vec* to) {
    for (int i = 0; i < Bytes::size; ++i)
      to[i / size].v[i % size] = static_cast<float>(static_cast<std::int8_t>(b.v[i]));
  }

  friend Vec operator+(Vec a, const Vec& b) {
    for (int i = 0; i < size; ++i) a.v[i] += b.v[i];
    return a;
  }
  friend Vec operator-(Vec a, const Vec& b) {
    for (int i = 0; i < size; ++i) a.v[i] -= b.v[i];
    return a;
  }
  friend Vec operator*(Vec a, const Vec& b) {
    for (int i = 0; i < size; ++i) a.v[i] *= b.v[i];
    return a;
  }
  friend Vec operator/(Vec a, const Vec& b) {
    for (int i = 0; i < size; ++i) a.v[i] /= b.v[i];
    return a;
  }
  friend Vec sqrt(Vec a) {
    for (float& e : a.v) e = __builtin_sqrtf(e);
    return a;
  }
  /// a b + c; rounded once where the machine has the instruction, twice here.
  friend Vec fma(const Vec& a, const Vec& b, Vec c) {
    for (int i = 0; i < size; ++i) c.v[i] += a.v[i] * b.v[i];
    return c;
  }
  /// The second operand where either is NaN, as on x86.
  friend Vec max(const Vec& a, Vec b) {
    for (int i = 0; i < size; ++i) b.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return b;
  }
  friend Vec min(const Vec& a, Vec b) {
    for (int i = 0; i < size; ++i) b.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
    return b;
  }
  /// a < b ? x : y, element by element.
  friend Vec select_less(const Vec& a, const Vec& b, const Vec& x, Vec y) {
    for (int i = 0; i < size; ++i) y.v[i] = a.v[i] < b.v[i] ? x.v[i] : y.v[i];
    return y;
  }
  /// To the nearest integer, |a| < 2^22.
  friend Vec round(Vec a) {
    for (float& e : a.v) e = (e + 12582912.0f) - 12582912.0f;
    return a;
  }
  /// 2^n for integral n in [−126, 127].
  friend Vec pow2(Vec n) {
    for (float& e : n.v) e = std::bit_cast<float>((static_cast<std::int32_t>(e) + 127) << 23);
    return n;
  }
  /// Sum of all elements, always in this order.
  friend float sum(const Vec& a) {
    return ((a.v[0] + a.v[4]) + (a.v[2] + a.v[6])) + ((a.v[1] + a.v[5]) + (a.v[3] + a.v[7]));
  }
  /// The same sums of four at once.
  friend void sum4(const Vec& a, const Vec& b, const Vec& c, const Vec& d, float* to) {
    to[0] = sum(a), to[1] = sum(b), to[2] = sum(c), to[3] = sum(d);
  }
  friend float max_element(const Vec& a) {
    float m = a.v[0];
    for (float e : a.v) m = e > m ? e : m;
    return m;
  }
  /// The largest |element| of n vectors, NaN if there is one.
  friend float max_magnitude(const Vec* a, int n) {
    std::uint32_t m =
        0;  // numbers without a sign are ordered as their bits are, and NaN is above all
    for (int i = 0; i < n; ++i) {
      for (const float e : a[i].v) {
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(e) & 0x7fffffffu;
        m = bits > m ? bits : m;
      }
    }
    return std::bit_cast<float>(m);
  }

 private:
  template <class H>
  static Vec widen(const void* p) {
    H h[size];
    std::memcpy(h, p, sizeof h);
    Vec r;
    for (int i = 0; i < size; ++i) r.v[i] = to_float(h[i]);
    return r;
  }
};

}  // namespace prwkv::PRWKV_ISA
