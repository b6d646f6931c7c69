/// The six-bit scales of Q3_K, Q4_K and Q5_K, packed in twelve bytes.
#pragma once

#include "quant/layout.h"

namespace prwkv::quant {

/// Q3_K: 16 scales. Low halves in the bytes 0 … 7 (scales 0 … 7 in their low, 8 … 15 in their high
/// half), the two high bits of scale i in byte 8 + i % 4, at bit 2 (i / 4).
inline void unpack_q3(const Byte* packed, Byte* scales) {
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
    scales[i] = static_cast<Byte>(low | (packed[8 + i % 4] >> (2 * (i / 4)) & 3) << 4);
  }
}

inline void pack_q3(const Byte* scales, Byte* packed) {
  for (int i = 0; i < 12; ++i) packed[i] = 0;
  for (int i = 0; i < 16; ++i) {
    packed[i % 8] |= static_cast<Byte>((scales[i] & 15) << (i < 8 ? 0 : 4));
    packed[8 + i % 4] |= static_cast<Byte>((scales[i] >> 4) << (2 * (i / 4)));
  }
}

/// Q4_K and Q5_K: 8 scales and 8 minima. The first four of each fill the low six bits of the bytes
/// 0 … 3 and 4 … 7; of the others, byte 8 … 11 holds the low halves (scale low, minimum high) and the
/// top of the bytes 0 … 7 the two high bits.
inline void unpack_q4(const Byte* packed, Byte* scales, Byte* minima) {
  for (int i = 0; i < 4; ++i) {
    scales[i] = packed[i] & 63;
    minima[i] = packed[4 + i] & 63;
    scales[4 + i] = static_cast<Byte>((packed[8 + i] & 15) | packed[i] >> 6 << 4);
    minima[4 + i] = static_cast<Byte>(packed[8 + i] >> 4 | packed[4 + i] >> 6 << 4);
  }
}

inline void pack_q4(const Byte* scales, const Byte* minima, Byte* packed) {
  for (int i = 0; i < 4; ++i) {
    packed[i] = static_cast<Byte>(scales[i] | scales[4 + i] >> 4 << 6);
    packed[4 + i] = static_cast<Byte>(minima[i] | minima[4 + i] >> 4 << 6);
    packed[8 + i] = static_cast<Byte>((scales[4 + i] & 15) | (minima[4 + i] & 15) << 4);
  }
}

}  // namespace prwkv::quant
