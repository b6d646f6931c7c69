/// Thirty-two numbers of eight bits in portable C++: what the quants of a block are unpacked with
/// before they become floats. Every bytes_*.h defines `Bytes` with exactly these members.
#pragma once

#include <cstdint>
#include <cstring>

namespace prwkv::PRWKV_ISA {

struct Bytes {
  static constexpr int size = 32;
  std::uint8_t v[size];

  static Bytes load(const void* p) {
    Bytes r;
    std::memcpy(r.v, p, sizeof r.v);
    return r;
  }
  /// The low halves of 16 bytes, then their high halves.
  static Bytes halves(const void* p) {
    std::uint8_t packed[size / 2];
    std::memcpy(packed, p, sizeof packed);
    Bytes r;
    for (int i = 0; i < size / 2; ++i) {
      r.v[i] = packed[i] & 15;
      r.v[i + size / 2] = packed[i] >> 4;
    }
    return r;
  }
  /// 16 where a bit of the 32 at p is set, else 0.
  static Bytes fifth_bits(const void* p) {
    std::uint8_t bits[size / 8];
    std::memcpy(bits, p, sizeof bits);
    Bytes r;
    for (int i = 0; i < size; ++i)
      r.v[i] = static_cast<std::uint8_t>((bits[i / 8] >> (i % 8) & 1) << 4);
    return r;
  }

  /// (a >> from) & mask, for masks that fit in the 8 − from bits that are left.
  friend Bytes field(Bytes a, int from, std::uint8_t mask) {
    for (std::uint8_t& e : a.v) e = static_cast<std::uint8_t>(e >> from & mask);
    return a;
  }
  /// a << n, no bit being lost.
  friend Bytes raised(Bytes a, int n) {
    for (std::uint8_t& e : a.v) e = static_cast<std::uint8_t>(e << n);
    return a;
  }
  friend Bytes operator|(Bytes a, const Bytes& b) {
    for (int i = 0; i < size; ++i) a.v[i] |= b.v[i];
    return a;
  }
  /// Signed from here on.
  friend Bytes minus(Bytes a, int n) {
    for (std::uint8_t& e : a.v) e = static_cast<std::uint8_t>(e - n);
    return a;
  }
  /// table[a], a < 16.
  friend Bytes lookup(const std::int8_t* table, Bytes a) {
    for (std::uint8_t& e : a.v) e = static_cast<std::uint8_t>(table[e]);
    return a;
  }
};

inline std::int32_t sum_of_16(const std::int8_t* p) {
  std::int32_t sum = 0;
  for (int i = 0; i < 16; ++i) sum += p[i];
  return sum;
}

}  // namespace prwkv::PRWKV_ISA
