/// Integer products in portable C++: four neighbouring bytes of each of Vec::size weight rows, and
/// their sums. Every quads_*.h defines `Quads` and `Sums` with exactly these members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/simd/vec_scalar.h"

namespace prwkv::PRWKV_ISA {

/// Bytes 4 r … 4 r + 3 belong to weight row r.
struct Quads {
  static constexpr int size = 4 * Vec::size;
  std::uint8_t v[size];

  static Quads load(const std::byte* p) {
    Quads r;
    std::memcpy(r.v, p, sizeof r.v);
    return r;
  }
  void store(std::byte* p) const { std::memcpy(p, v, sizeof v); }
  friend Quads operator|(Quads a, const Quads& b) {
    for (int i = 0; i < size; ++i) a.v[i] |= b.v[i];
    return a;
  }
  /// table[a], a < 16; signed from here on.
  friend Quads lookup(const std::int8_t* table, Quads a) {
    for (std::uint8_t& e : a.v) e = static_cast<std::uint8_t>(table[e]);
    return a;
  }
};

/// (a >> from) & mask, for masks that fit in the 8 − from bits that are left.
template <int from, int mask>
inline Quads field(Quads a) {
  for (std::uint8_t& e : a.v) e = static_cast<std::uint8_t>(e >> from & mask);
  return a;
}
/// (a << up) & mask, or (a >> −up) & mask.
template <int up, int mask>
inline Quads moved(Quads a) {
  for (std::uint8_t& e : a.v)
    e = static_cast<std::uint8_t>((up >= 0 ? e << (up & 7) : e >> (-up & 7)) & mask);
  return a;
}

/// Bytes of four inputs become quads. The bytes 16 l + 4 k + r of all four (r < 4) are row 4 l + r of w[k]
/// afterwards: the order of instructions that interleave 16 bytes at a time.
inline void zip(Quads (&w)[4]) {
  Quads zipped[4];
  for (int k = 0; k < 4; ++k) {
    for (int row = 0; row < Vec::size; ++row) {
      for (int i = 0; i < 4; ++i) zipped[k].v[4 * row + i] = w[i].v[row / 4 * 16 + 4 * k + row % 4];
    }
  }
  for (int k = 0; k < 4; ++k) w[k] = zipped[k];
}

/// Four neighbouring activations, for all rows.
struct Four {
  std::int8_t v[4];
  explicit Four(const std::int8_t* x) { std::memcpy(v, x, sizeof v); }
};

/// A sum for each weight row.
struct Sums {
  /// What is added to signed bytes so that `dot` may take them; see there.
  static constexpr int kSignedZero = 0;
  std::int32_t v[Vec::size];

  /// n / 2^down everywhere, n a multiple of that.
  template <int down>
  static Sums broadcast(std::int32_t n) {
    Sums s;
    for (std::int32_t& e : s.v) e = n >> down;
    return s;
  }
  /// s[r] + Σᵢ w[4 r + i] x[i] over four i; bytes of w below 128, x >= −127.
  friend Sums dot(Sums s, const Quads& w, const Four& x) { return dot_signed(s, w, x); }
  /// The same for signed bytes of w, to which kSignedZero was added.
  friend Sums dot_signed(Sums s, const Quads& w, const Four& x) {
    for (int i = 0; i < Quads::size; ++i)
      s.v[i / 4] += static_cast<std::int8_t>(w.v[i]) * x.v[i % 4];
    return s;
  }
  friend Sums operator+(Sums a, const Sums& b) {
    for (int i = 0; i < Vec::size; ++i) a.v[i] += b.v[i];
    return a;
  }
  friend Vec to_float(const Sums& s) {
    Vec r;
    for (int i = 0; i < Vec::size; ++i) r.v[i] = static_cast<float>(s.v[i]);
    return r;
  }
};

}  // namespace prwkv::PRWKV_ISA
