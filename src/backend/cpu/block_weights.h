/// Blocks of weights, decoded in registers: the fast twins of quant/decode.cc, equal to it bit by bit.
///
/// Every type comes down to 32 signed bytes q at a time (a group), and weight = scale q, or
/// scale q + offset. Scales are products of an f16 and a small integer, so scale q is exact in f32 for
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

  void set(float d, const quant::Byte* codes) {
    for (int i = 0; i < n; ++i) scale[i] = d * static_cast<float>(codes[i]);
  }
  void set_offset(float dmin, const quant::Byte* codes) {
    for (int i = 0; i < n; ++i) offset[i] = -(dmin * static_cast<float>(codes[i]));
  }
};

inline std::uint32_t word(const quant::Byte* p) {
  std::uint32_t w;
  std::memcpy(&w, p, sizeof w);
  return w;
}
inline void put_word(quant::Byte* p, std::uint32_t w) { std::memcpy(p, &w, sizeof w); }

/// The bits `from` and the ones above it, four bytes at once.
inline std::uint32_t low_half(std::uint32_t w, int from) { return w >> from & 0x0f0f0f0fu; }
inline std::uint32_t two_bits(std::uint32_t w, int from) { return w >> from & 0x03030303u; }

/// Q4_K, Q5_K: eight scales, then eight minima (quant/six_bits.h).
inline void unpack_pairs(const quant::Byte* packed, quant::Byte* codes) {
  const std::uint32_t a = word(packed), b = word(packed + 4), c = word(packed + 8);
  put_word(codes, a & 0x3f3f3f3fu);
  put_word(codes + 4, low_half(c, 0) | two_bits(a, 6) << 4);
  put_word(codes + 8, b & 0x3f3f3f3fu);
  put_word(codes + 12, low_half(c, 4) | two_bits(b, 6) << 4);
}

/// Q3_K: sixteen scales.
inline void unpack_sixteen(const quant::Byte* packed, quant::Byte* codes) {
  const std::uint32_t a = word(packed), b = word(packed + 4), c = word(packed + 8);
  put_word(codes, low_half(a, 0) | two_bits(c, 0) << 4);
  put_word(codes + 4, low_half(b, 0) | two_bits(c, 2) << 4);
  put_word(codes + 8, low_half(a, 4) | two_bits(c, 4) << 4);
  put_word(codes + 12, low_half(b, 4) | two_bits(c, 6) << 4);
}

/// For each block: how many elements share a scale, whether there is an offset, the scales, and group
/// g of its quants.
template <class Block>
struct Quants;

template <>
struct Quants<quant::BlockQ4_0> {
  static constexpr int kElements = 32, kShare = 32;
  static constexpr bool kHasOffset = false;
  static void scales(const quant::BlockQ4_0& b, Scales<1>& s) { s.scale[0] = Vec::half(b.d); }
  static Bytes group(const quant::BlockQ4_0& b, int) { return minus(Bytes::halves(b.qs), 8); }
};

template <>
struct Quants<quant::BlockQ4_1> {
  static constexpr int kElements = 32, kShare = 32;
  static constexpr bool kHasOffset = true;
  static void scales(const quant::BlockQ4_1& b, Scales<1>& s) {
    s.scale[0] = Vec::half(b.d);
    s.offset[0] = Vec::half(b.m);
  }
  static Bytes group(const quant::BlockQ4_1& b, int) { return Bytes::halves(b.qs); }
};

template <>
struct Quants<quant::BlockQ5_0> {
  static constexpr int kElements = 32, kShare = 32;
  static constexpr bool kHasOffset = false;
  static void scales(const quant::BlockQ5_0& b, Scales<1>& s) { s.scale[0] = Vec::half(b.d); }
  static Bytes group(const quant::BlockQ5_0& b, int) {
    return minus(Bytes::halves(b.qs) | Bytes::fifth_bits(b.qh), 16);
  }
};

template <>
struct Quants<quant::BlockQ5_1> {
  static constexpr int kElements = 32, kShare = 32;
  static constexpr bool kHasOffset = true;
  static void scales(const quant::BlockQ5_1& b, Scales<1>& s) {
    s.scale[0] = Vec::half(b.d);
    s.offset[0] = Vec::half(b.m);
  }
  static Bytes group(const quant::BlockQ5_1& b, int) {
    return Bytes::halves(b.qs) | Bytes::fifth_bits(b.qh);
  }
};

template <>
struct Quants<quant::BlockQ8_0> {
  static constexpr int kElements = 32, kShare = 32;
  static constexpr bool kHasOffset = false;
  static void scales(const quant::BlockQ8_0& b, Scales<1>& s) { s.scale[0] = Vec::half(b.d); }
  static Bytes group(const quant::BlockQ8_0& b, int) { return Bytes::load(b.qs); }
};

template <>
struct Quants<quant::BlockIQ4_NL> {
  static constexpr int kElements = 32, kShare = 32;
  static constexpr bool kHasOffset = false;
  static void scales(const quant::BlockIQ4_NL& b, Scales<1>& s) { s.scale[0] = Vec::half(b.d); }
  static Bytes group(const quant::BlockIQ4_NL& b, int) {
    return lookup(quant::kIq4Levels, Bytes::halves(b.qs));
  }
};

template <>
struct Quants<quant::BlockQ2_K> {
  static constexpr int kElements = 256, kShare = 16;
  static constexpr bool kHasOffset = true;
  static void scales(const quant::BlockQ2_K& b, Scales<16>& s) {
    quant::Byte codes[32];
    for (int i = 0; i < 4; ++i) {
      put_word(codes + 4 * i, low_half(word(b.scales + 4 * i), 0));
      put_word(codes + 16 + 4 * i, low_half(word(b.scales + 4 * i), 4));
    }
    s.set(Vec::half(b.d), codes);
    s.set_offset(Vec::half(b.dmin), codes + 16);
  }
  static Bytes group(const quant::BlockQ2_K& b, int g) {
    return field(Bytes::load(b.qs + 32 * (g / 4)), 2 * (g % 4), 3);
  }
};

template <>
struct Quants<quant::BlockQ3_K> {
  static constexpr int kElements = 256, kShare = 16;
  static constexpr bool kHasOffset = false;
  static void scales(const quant::BlockQ3_K& b, Scales<16>& s) {
    quant::Byte codes[16];
    unpack_sixteen(b.scales, codes);
    const float d = Vec::half(b.d);
    for (int i = 0; i < 16; ++i) s.scale[i] = d * static_cast<float>(codes[i] - 32);
  }
  static Bytes group(const quant::BlockQ3_K& b, int g) {
    const Bytes low = field(Bytes::load(b.qs + 32 * (g / 4)), 2 * (g % 4), 3);
    return minus(low | raised(field(Bytes::load(b.hmask), g, 1), 2), 4);
  }
};

template <>
struct Quants<quant::BlockQ4_K> {
  static constexpr int kElements = 256, kShare = 32;
  static constexpr bool kHasOffset = true;
  static void scales(const quant::BlockQ4_K& b, Scales<8>& s) {
    quant::Byte codes[16];
    unpack_pairs(b.scales, codes);
    s.set(Vec::half(b.d), codes);
    s.set_offset(Vec::half(b.dmin), codes + 8);
  }
  static Bytes group(const quant::BlockQ4_K& b, int g) {
    return field(Bytes::load(b.qs + 32 * (g / 2)), 4 * (g % 2), 15);
  }
};

template <>
struct Quants<quant::BlockQ5_K> {
  static constexpr int kElements = 256, kShare = 32;
  static constexpr bool kHasOffset = true;
  static void scales(const quant::BlockQ5_K& b, Scales<8>& s) {
    quant::Byte codes[16];
    unpack_pairs(b.scales, codes);
    s.set(Vec::half(b.d), codes);
    s.set_offset(Vec::half(b.dmin), codes + 8);
  }
  static Bytes group(const quant::BlockQ5_K& b, int g) {
    const Bytes low = field(Bytes::load(b.qs + 32 * (g / 2)), 4 * (g % 2), 15);
    return low | raised(field(Bytes::load(b.qh), g, 1), 4);
  }
};

template <>
struct Quants<quant::BlockQ6_K> {
  static constexpr int kElements = 256, kShare = 16;
  static constexpr bool kHasOffset = false;
  static void scales(const quant::BlockQ6_K& b, Scales<16>& s) {
    const float d = Vec::half(b.d);
    for (int i = 0; i < 16; ++i) s.scale[i] = d * static_cast<float>(b.scales[i]);
  }
  static Bytes group(const quant::BlockQ6_K& b, int g) {
    const int half = g / 4, part = g % 4;
    const Bytes low = field(Bytes::load(b.ql + 64 * half + 32 * (part % 2)), 4 * (part / 2), 15);
    return minus(low | raised(field(Bytes::load(b.qh + 32 * half), 2 * part, 3), 4), 32);
  }
};

template <>
struct Quants<quant::BlockIQ4_XS> {
  static constexpr int kElements = 256, kShare = 32;
  static constexpr bool kHasOffset = false;
  static void scales(const quant::BlockIQ4_XS& b, Scales<8>& s) {
    const float d = Vec::half(b.d);
    const std::uint32_t low = word(b.scales_l), high = b.scales_h[0] | b.scales_h[1] << 8;
    for (int i = 0; i < 8; ++i) {
      const auto code = static_cast<int>((low >> (4 * i) & 15) | (high >> (2 * i) & 3) << 4);
      s.scale[i] = d * static_cast<float>(code - 32);
    }
  }
  static Bytes group(const quant::BlockIQ4_XS& b, int g) {
    return lookup(quant::kIq4Levels, Bytes::halves(b.qs + 16 * g));
  }
};

/// The unpacked scales of a block.
template <class Block>
using ScalesOf = Scales<Quants<Block>::kElements / Quants<Block>::kShare>;

inline constexpr int kGroup = Bytes::size, kGroupVecs = kGroup / Vec::size;

/// Group g of a block as floats.
template <class Block>
inline void decode_group(const Block& b, const ScalesOf<Block>& s, int g, Vec* w) {
  using Q = Quants<Block>;
  Vec::widen_bytes(Q::group(b, g), w);
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
    Q::scales(*b, s);
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
