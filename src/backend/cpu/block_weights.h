/// Blocks of weights, decoded in registers: the fast twins of quant/decode.cc, equal to it bit by bit.
///
/// Every type comes down to 32 signed bytes q at a time (a group), and weight = scale q, or
/// scale q + offset. Panels (panels.h) keep the codes of these bytes in another order. Scales are products of an f16 and a small integer, so scale q is exact in f32 for
/// every type, and an fma rounds as the codec's product and sum do.
#pragma once

#include <cstring>

#include "backend/cpu/simd/math.h"
#include "quant/layout.h"

namespace prwkv::PRWKV_ISA {

/// The scales of one block, unpacked: one for each `kShare` elements.
template <int n>
struct Scales {
  float scale[n], offset[n];
};

inline std::uint32_t word(const quant::Byte* p) {
  std::uint32_t w;
  std::memcpy(&w, p, sizeof w);
  return w;
}
inline void put_word(std::int8_t* p, std::uint32_t w) { std::memcpy(p, &w, sizeof w); }

/// The bits `from` and the ones above it, four bytes at once.
inline std::uint32_t low_half(std::uint32_t w, int from) { return w >> from & 0x0f0f0f0fu; }
inline std::uint32_t two_bits(std::uint32_t w, int from) { return w >> from & 0x03030303u; }

/// Q4_K, Q5_K: eight scales and eight minima (quant/six_bits.h).
inline void unpack_pairs(const quant::Byte* packed, std::int8_t* scale, std::int8_t* minimum) {
  const std::uint32_t a = word(packed), b = word(packed + 4), c = word(packed + 8);
  put_word(scale, a & 0x3f3f3f3fu);
  put_word(scale + 4, low_half(c, 0) | two_bits(a, 6) << 4);
  put_word(minimum, b & 0x3f3f3f3fu);
  put_word(minimum + 4, low_half(c, 4) | two_bits(b, 6) << 4);
}

/// Q3_K: sixteen scales.
inline void unpack_sixteen(const quant::Byte* packed, std::int8_t* scale) {
  const std::uint32_t a = word(packed), b = word(packed + 4), c = word(packed + 8);
  put_word(scale, low_half(a, 0) | two_bits(c, 0) << 4);
  put_word(scale + 4, low_half(b, 0) | two_bits(c, 2) << 4);
  put_word(scale + 8, low_half(a, 4) | two_bits(c, 4) << 4);
  put_word(scale + 12, low_half(b, 4) | two_bits(c, 6) << 4);
}

/// How a weight follows from its code, the number that its bits spell.
enum class Coding {
  kPlain,   ///< q = code − kZero
  kSigned,  ///< q = code, a signed byte
  kLevels,  ///< q = kIq4Levels[code]
};

/// What all blocks of 32 elements have in common: one scale, and one offset or none.
template <int low, int high, int zero, bool has_offset>
struct Blocks32 {
  static constexpr int kElements = 32, kShare = 32;
  /// A code has kLow bits, kept together in the file, and kHigh bits above them, kept elsewhere.
  static constexpr int kLow = low, kHigh = high, kZero = zero;
  static constexpr bool kHasOffset = has_offset;
  static constexpr Coding kCoding = Coding::kPlain;
};
/// And those of 256: `kShare` elements have a small integer that multiplies the block's scale, and
/// one that multiplies its offset or none.
template <int share, int low, int high, int zero, bool has_offset>
struct Blocks256 : Blocks32<low, high, zero, has_offset> {
  static constexpr int kElements = 256, kShare = share;
};

/// For each block: its numbers, group g of its codes, and the integers by which its scales and
/// offsets are multiplied.
template <class Block>
struct Quants;

template <>
struct Quants<quant::BlockQ4_0> : Blocks32<4, 0, 8, false> {
  static Bytes codes(const quant::BlockQ4_0& b, int) { return Bytes::halves(b.qs); }
};

template <>
struct Quants<quant::BlockQ4_1> : Blocks32<4, 0, 0, true> {
  static Bytes codes(const quant::BlockQ4_1& b, int) { return Bytes::halves(b.qs); }
};

template <>
struct Quants<quant::BlockQ5_0> : Blocks32<4, 1, 16, false> {
  static Bytes codes(const quant::BlockQ5_0& b, int) {
    return Bytes::halves(b.qs) | Bytes::fifth_bits(b.qh);
  }
};

template <>
struct Quants<quant::BlockQ5_1> : Blocks32<4, 1, 0, true> {
  static Bytes codes(const quant::BlockQ5_1& b, int) {
    return Bytes::halves(b.qs) | Bytes::fifth_bits(b.qh);
  }
};

template <>
struct Quants<quant::BlockQ8_0> : Blocks32<8, 0, 0, false> {
  static constexpr Coding kCoding = Coding::kSigned;
  static Bytes codes(const quant::BlockQ8_0& b, int) { return Bytes::load(b.qs); }
};

template <>
struct Quants<quant::BlockIQ4_NL> : Blocks32<4, 0, 0, false> {
  static constexpr Coding kCoding = Coding::kLevels;
  static Bytes codes(const quant::BlockIQ4_NL& b, int) { return Bytes::halves(b.qs); }
};

template <>
struct Quants<quant::BlockQ2_K> : Blocks256<16, 2, 0, 0, true> {
  static void multipliers(const quant::BlockQ2_K& b, std::int8_t* scale, std::int8_t* minimum) {
    for (int i = 0; i < 16; i += 4) {
      put_word(scale + i, low_half(word(b.scales + i), 0));
      put_word(minimum + i, low_half(word(b.scales + i), 4));
    }
  }
  static Bytes codes(const quant::BlockQ2_K& b, int g) {
    return field(Bytes::load(b.qs + 32 * (g / 4)), 2 * (g % 4), 3);
  }
};

template <>
struct Quants<quant::BlockQ3_K> : Blocks256<16, 2, 1, 4, false> {
  static void multipliers(const quant::BlockQ3_K& b, std::int8_t* scale, std::int8_t*) {
    unpack_sixteen(b.scales, scale);
    for (int i = 0; i < 16; ++i) scale[i] = static_cast<std::int8_t>(scale[i] - 32);
  }
  static Bytes codes(const quant::BlockQ3_K& b, int g) {
    const Bytes low = field(Bytes::load(b.qs + 32 * (g / 4)), 2 * (g % 4), 3);
    return low | raised(field(Bytes::load(b.hmask), g, 1), 2);
  }
};

template <>
struct Quants<quant::BlockQ4_K> : Blocks256<32, 4, 0, 0, true> {
  static void multipliers(const quant::BlockQ4_K& b, std::int8_t* scale, std::int8_t* minimum) {
    unpack_pairs(b.scales, scale, minimum);
  }
  static Bytes codes(const quant::BlockQ4_K& b, int g) {
    return field(Bytes::load(b.qs + 32 * (g / 2)), 4 * (g % 2), 15);
  }
};

template <>
struct Quants<quant::BlockQ5_K> : Blocks256<32, 4, 1, 0, true> {
  static void multipliers(const quant::BlockQ5_K& b, std::int8_t* scale, std::int8_t* minimum) {
    unpack_pairs(b.scales, scale, minimum);
  }
  static Bytes codes(const quant::BlockQ5_K& b, int g) {
    const Bytes low = field(Bytes::load(b.qs + 32 * (g / 2)), 4 * (g % 2), 15);
    return low | raised(field(Bytes::load(b.qh), g, 1), 4);
  }
};

template <>
struct Quants<quant::BlockQ6_K> : Blocks256<16, 4, 2, 32, false> {
  static void multipliers(const quant::BlockQ6_K& b, std::int8_t* scale, std::int8_t*) {
    std::memcpy(scale, b.scales, sizeof b.scales);
  }
  static Bytes codes(const quant::BlockQ6_K& b, int g) {
    const int half = g / 4, part = g % 4;
    const Bytes low = field(Bytes::load(b.ql + 64 * half + 32 * (part % 2)), 4 * (part / 2), 15);
    return low | raised(field(Bytes::load(b.qh + 32 * half), 2 * part, 3), 4);
  }
};

template <>
struct Quants<quant::BlockIQ4_XS> : Blocks256<32, 4, 0, 0, false> {
  static constexpr Coding kCoding = Coding::kLevels;
  static void multipliers(const quant::BlockIQ4_XS& b, std::int8_t* scale, std::int8_t*) {
    const std::uint32_t low = word(b.scales_l), high = b.scales_h[0] | b.scales_h[1] << 8;
    for (int i = 0; i < 8; ++i) {
      const auto code = static_cast<int>((low >> (4 * i) & 15) | (high >> (2 * i) & 3) << 4);
      scale[i] = static_cast<std::int8_t>(code - 32);
    }
  }
  static Bytes codes(const quant::BlockIQ4_XS& b, int g) { return Bytes::halves(b.qs + 16 * g); }
};

/// The f16 that belongs to a block's offsets.
template <class Block>
inline const quant::Byte* offset_of(const Block& b) {
  if constexpr (Quants<Block>::kElements == 32)
    return b.m;
  else
    return b.dmin;
}

template <class Block>
inline constexpr int kSubBlocks = Quants<Block>::kElements / Quants<Block>::kShare;
/// The unpacked scales of a block.
template <class Block>
using ScalesOf = Scales<kSubBlocks<Block>>;

template <class Block>
inline void unpack_scales(const Block& b, ScalesOf<Block>& s) {
  using Q = Quants<Block>;
  const float d = Vec::half(b.d);
  if constexpr (Q::kElements == 32) {
    s.scale[0] = d;
    if constexpr (Q::kHasOffset) s.offset[0] = Vec::half(b.m);
  } else {
    std::int8_t scale[kSubBlocks<Block>], minimum[kSubBlocks<Block>];
    Q::multipliers(b, scale, minimum);
    for (int i = 0; i < kSubBlocks<Block>; ++i) s.scale[i] = d * static_cast<float>(scale[i]);
    if constexpr (Q::kHasOffset) {
      const float dmin = Vec::half(b.dmin);
      for (int i = 0; i < kSubBlocks<Block>; ++i)
        s.offset[i] = -(dmin * static_cast<float>(minimum[i]));
    }
  }
}

/// Group g of the quants, signed.
template <class Block>
inline Bytes quants(const Block& b, int g) {
  using Q = Quants<Block>;
  const Bytes codes = Q::codes(b, g);
  if constexpr (Q::kCoding == Coding::kLevels)
    return lookup(quant::kIq4Levels, codes);
  else if constexpr (Q::kZero != 0)
    return minus(codes, Q::kZero);
  else
    return codes;
}

inline constexpr int kGroup = Bytes::size, kGroupVecs = kGroup / Vec::size;

/// Group g of a block as floats.
template <class Block>
inline void decode_group(const Block& b, const ScalesOf<Block>& s, int g, Vec* w) {
  using Q = Quants<Block>;
  Vec::widen_bytes(quants(b, g), w);
#pragma GCC unroll 4
  for (int i = 0; i < kGroupVecs; ++i) {
    const int at = (g * kGroup + i * Vec::size) / Q::kShare;
    const Vec scale = Vec::broadcast(s.scale[at]);
    if constexpr (Q::kHasOffset)
      w[i] = fma(w[i], scale, Vec::broadcast(s.offset[at]));
    else
      w[i] = w[i] * scale;
  }
}

/// n elements, a multiple of the block size.
template <class Block>
inline void decode(const std::byte* blocks, std::int64_t n, float* to) {
  using Q = Quants<Block>;
  const auto* b = reinterpret_cast<const Block*>(blocks);
  for (std::int64_t at = 0; at < n; at += Q::kElements, ++b) {
    ScalesOf<Block> s;
    unpack_scales(*b, s);
#pragma GCC unroll 8
    for (int g = 0; g < Q::kElements / kGroup; ++g) {
      Vec w[kGroupVecs];
      decode_group(*b, s, g, w);
      for (int i = 0; i < kGroupVecs; ++i) w[i].store(to + at + g * kGroup + i * Vec::size);
    }
  }
}

/// Calls f.operator()<Block>() for a block type; false for the others.
template <class F>
inline bool with_block(DType dtype, const F& f) {
  switch (dtype) {
    case DType::kQ4_0: f.template operator()<quant::BlockQ4_0>(); return true;
    case DType::kQ4_1: f.template operator()<quant::BlockQ4_1>(); return true;
    case DType::kQ5_0: f.template operator()<quant::BlockQ5_0>(); return true;
    case DType::kQ5_1: f.template operator()<quant::BlockQ5_1>(); return true;
    case DType::kQ8_0: f.template operator()<quant::BlockQ8_0>(); return true;
    case DType::kQ2_K: f.template operator()<quant::BlockQ2_K>(); return true;
    case DType::kQ3_K: f.template operator()<quant::BlockQ3_K>(); return true;
    case DType::kQ4_K: f.template operator()<quant::BlockQ4_K>(); return true;
    case DType::kQ5_K: f.template operator()<quant::BlockQ5_K>(); return true;
    case DType::kQ6_K: f.template operator()<quant::BlockQ6_K>(); return true;
    case DType::kIQ4_NL: f.template operator()<quant::BlockIQ4_NL>(); return true;
    case DType::kIQ4_XS: f.template operator()<quant::BlockIQ4_XS>(); return true;
    default: return false;
  }
}

}  // namespace prwkv::PRWKV_ISA
