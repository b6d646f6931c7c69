/// From scales and quants to the bytes of a block. A fit of any search will do that has the members a
/// type needs: d, dmin (f16 numbers), code and low (integers, one a sub-block), q (levels, one an element).
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "quant/layout.h"
#include "quant/six_bits.h"
#include "tensor/half.h"

namespace prwkv::quant {

inline void put(float x, HalfBytes& h) {
  const std::uint16_t bits = to_f16(x).bits;
  h[0] = static_cast<Byte>(bits & 0xff);
  h[1] = static_cast<Byte>(bits >> 8);
}

inline void put_nibbles(const int* q, Byte* qs) {
  for (int j = 0; j < 16; ++j) qs[j] = static_cast<Byte>((q[j] & 15) | (q[j + 16] & 15) << 4);
}

inline void put_fifth_bits(const int* q, Byte* qh) {
  for (int i = 0; i < 4; ++i) qh[i] = 0;
  for (int j = 0; j < 32; ++j) qh[j / 8] |= static_cast<Byte>((q[j] >> 4) << (j % 8));
}

inline Byte byte(float x) { return static_cast<Byte>(static_cast<int>(x)); }

template <class From, class To>
void copy_bytes(const From& from, To& to) {
  for (std::size_t i = 0; i < std::size(to); ++i) to[i] = byte(from[i]);
}

/// The quants of 32 levels, where quant 0 stands for `least`.
template <class Fit>
void quants_of(const Fit& fit, float least, int* q) {
  for (int j = 0; j < 32; ++j) q[j] = byte(fit.q[j] - least);
}

template <class Fit>
void pack(const Fit& fit, BlockQ4_0& b) {
  int q[32];
  quants_of(fit, -8, q);
  put(fit.d, b.d);
  put_nibbles(q, b.qs);
}

template <class Fit>
void pack(const Fit& fit, BlockQ5_0& b) {
  int q[32];
  quants_of(fit, -16, q);
  put(fit.d, b.d);
  put_nibbles(q, b.qs);
  put_fifth_bits(q, b.qh);
}

template <class Fit>
void pack(const Fit& fit, BlockQ4_1& b) {
  int q[32];
  quants_of(fit, 0, q);
  put(fit.d, b.d);
  put(-fit.dmin, b.m);
  put_nibbles(q, b.qs);
}

template <class Fit>
void pack(const Fit& fit, BlockQ5_1& b) {
  int q[32];
  quants_of(fit, 0, q);
  put(fit.d, b.d);
  put(-fit.dmin, b.m);
  put_nibbles(q, b.qs);
  put_fifth_bits(q, b.qh);
}

template <class Fit>
void pack(const Fit& fit, BlockQ8_0& b) {
  put(fit.d, b.d);
  for (int j = 0; j < 32; ++j) b.qs[j] = static_cast<std::int8_t>(fit.q[j]);
}

template <class Fit>
void pack(const Fit& fit, BlockQ2_K& b) {
  put(fit.d, b.d);
  put(fit.dmin, b.dmin);
  for (int s = 0; s < 16; ++s)
    b.scales[s] = static_cast<Byte>(byte(fit.code[s]) | byte(fit.low[s]) << 4);
  for (int j = 0; j < 64; ++j) {
    const float* q = fit.q + 128 * (j / 32) + j % 32;
    b.qs[j] =
        static_cast<Byte>(byte(q[0]) | byte(q[32]) << 2 | byte(q[64]) << 4 | byte(q[96]) << 6);
  }
}

template <class Fit>
void pack(const Fit& fit, BlockQ3_K& b) {
  put(fit.d, b.d);
  Byte scales[16], q[256];
  for (int s = 0; s < 16; ++s) scales[s] = byte(fit.code[s] + 32);
  pack_q3(scales, b.scales);
  for (int e = 0; e < 256; ++e) q[e] = byte(fit.q[e] + 4);
  for (int j = 0; j < 64; ++j) {
    const Byte* at = q + 128 * (j / 32) + j % 32;
    b.qs[j] =
        static_cast<Byte>((at[0] & 3) | (at[32] & 3) << 2 | (at[64] & 3) << 4 | (at[96] & 3) << 6);
  }
  for (Byte& mask : b.hmask) mask = 0;
  for (int e = 0; e < 256; ++e) b.hmask[e % 32] |= static_cast<Byte>((q[e] >> 2) << (e / 32));
}

/// What Q4_K and Q5_K share: scales, minima and the low halves of the quants.
template <class Fit, class Block>
void put_shifted(const Fit& fit, Block& b) {
  put(fit.d, b.d);
  put(fit.dmin, b.dmin);
  Byte code[8], low[8];
  copy_bytes(fit.code, code);
  copy_bytes(fit.low, low);
  pack_q4(code, low, b.scales);
  for (int j = 0; j < 128; ++j) {
    const float* q = fit.q + 64 * (j / 32) + j % 32;
    b.qs[j] = static_cast<Byte>((byte(q[0]) & 15) | (byte(q[32]) & 15) << 4);
  }
}

template <class Fit>
void pack(const Fit& fit, BlockQ4_K& b) {
  put_shifted(fit, b);
}

template <class Fit>
void pack(const Fit& fit, BlockQ5_K& b) {
  put_shifted(fit, b);
  for (Byte& bits : b.qh) bits = 0;
  for (int e = 0; e < 256; ++e)
    b.qh[e % 32] |= static_cast<Byte>((byte(fit.q[e]) >> 4) << (e / 32));
}

template <class Fit>
void pack(const Fit& fit, BlockQ6_K& b) {
  put(fit.d, b.d);
  for (int s = 0; s < 16; ++s) b.scales[s] = static_cast<std::int8_t>(fit.code[s]);
  for (int half = 0; half < 2; ++half) {
    const float* at = fit.q + 128 * half;
    for (int l = 0; l < 32; ++l) {
      Byte q[4];
      for (int group = 0; group < 4; ++group) q[group] = byte(at[32 * group + l] + 32);
      b.ql[64 * half + l] = static_cast<Byte>((q[0] & 15) | (q[2] & 15) << 4);
      b.ql[64 * half + 32 + l] = static_cast<Byte>((q[1] & 15) | (q[3] & 15) << 4);
      b.qh[32 * half + l] =
          static_cast<Byte>(q[0] >> 4 | q[1] >> 4 << 2 | q[2] >> 4 << 4 | q[3] >> 4 << 6);
    }
  }
}

/// The indices of 32 levels, as nibbles.
inline void put_levels(const float* levels, Byte* qs) {
  int q[32];
  for (int j = 0; j < 32; ++j) {
    const auto* at = std::find(std::begin(kIq4Levels), std::end(kIq4Levels),
                               static_cast<std::int8_t>(levels[j]));
    q[j] = static_cast<int>(at - std::begin(kIq4Levels));
  }
  put_nibbles(q, qs);
}

template <class Fit>
void pack(const Fit& fit, BlockIQ4_NL& b) {
  put(fit.d, b.d);
  put_levels(fit.q, b.qs);
}

template <class Fit>
void pack(const Fit& fit, BlockIQ4_XS& b) {
  put(fit.d, b.d);
  b.scales_h[0] = b.scales_h[1] = 0;
  for (int i = 0; i < 4; ++i) b.scales_l[i] = 0;
  for (int s = 0; s < 8; ++s) {
    const int code = byte(fit.code[s] + 32);
    b.scales_l[s / 2] |= static_cast<Byte>((code & 15) << (4 * (s % 2)));
    b.scales_h[s / 4] |= static_cast<Byte>((code >> 4) << (2 * (s % 4)));
    put_levels(fit.q + 32 * s, b.qs + 16 * s);
  }
}

}  // namespace prwkv::quant
