/// The bytes of a block, for each type: fields in the order of the file, made of bytes alone, so that a
/// block may start anywhere. Facts: GGUF, ggml-common.h of ggml-org/ggml.
///
/// d and dmin are f16, little-endian. qs holds the low bits of the quants q, qh and hmask their high
/// bits; equations in decode.cc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace prwkv::quant {

using Byte = std::uint8_t;
using HalfBytes = Byte[2];

/// Of IQ4_NL and IQ4_XS: quants are indices into this table. Not inline: nothing that kernels use may be
/// shared by objects of different instruction sets.
constexpr std::int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};

// 32 elements. Byte j of qs holds element j in its low and element j + 16 in its high half.
struct BlockQ4_0 {
  HalfBytes d;
  Byte qs[16];
};
struct BlockQ4_1 {
  HalfBytes d, m;
  Byte qs[16];
};
struct BlockQ5_0 {
  HalfBytes d;
  Byte qh[4];  ///< u32: bit j is the fifth bit of element j
  Byte qs[16];
};
struct BlockQ5_1 {
  HalfBytes d, m;
  Byte qh[4];
  Byte qs[16];
};
struct BlockQ8_0 {
  HalfBytes d;
  std::int8_t qs[32];
};
struct BlockIQ4_NL {
  HalfBytes d;
  Byte qs[16];
};

// 256 elements in sub-blocks of 16 (Q2_K, Q3_K, Q6_K) or 32, each with a small integer scale.
struct BlockQ2_K {
  Byte scales[16];  ///< low half: scale, high half: minimum, of sub-block i
  Byte qs[64];      ///< four elements a byte, 32 apart
  HalfBytes d, dmin;
};
struct BlockQ3_K {
  Byte hmask[32];
  Byte qs[64];
  Byte scales[12];  ///< 16 of six bits
  HalfBytes d;
};
struct BlockQ4_K {
  HalfBytes d, dmin;
  Byte scales[12];  ///< 8 scales and 8 minima of six bits
  Byte qs[128];
};
struct BlockQ5_K {
  HalfBytes d, dmin;
  Byte scales[12];
  Byte qh[32];
  Byte qs[128];
};
struct BlockQ6_K {
  Byte ql[128];
  Byte qh[64];
  std::int8_t scales[16];
  HalfBytes d;
};
struct BlockIQ4_XS {
  HalfBytes d;
  Byte scales_h[2];  ///< u16: bits 2 i, 2 i + 1 are the high bits of scale i
  Byte scales_l[4];  ///< two scales a byte
  Byte qs[128];
};

/// Calls f.operator()<Block>() with the block of a type; false for types without blocks.
template <class F>
bool with_block(DType dtype, const F& f) {
  switch (dtype) {
    case DType::kQ4_0: f.template operator()<BlockQ4_0>(); return true;
    case DType::kQ4_1: f.template operator()<BlockQ4_1>(); return true;
    case DType::kQ5_0: f.template operator()<BlockQ5_0>(); return true;
    case DType::kQ5_1: f.template operator()<BlockQ5_1>(); return true;
    case DType::kQ8_0: f.template operator()<BlockQ8_0>(); return true;
    case DType::kQ2_K: f.template operator()<BlockQ2_K>(); return true;
    case DType::kQ3_K: f.template operator()<BlockQ3_K>(); return true;
    case DType::kQ4_K: f.template operator()<BlockQ4_K>(); return true;
    case DType::kQ5_K: f.template operator()<BlockQ5_K>(); return true;
    case DType::kQ6_K: f.template operator()<BlockQ6_K>(); return true;
    case DType::kIQ4_NL: f.template operator()<BlockIQ4_NL>(); return true;
    case DType::kIQ4_XS: f.template operator()<BlockIQ4_XS>(); return true;
    default: return false;
  }
}

}  // namespace prwkv::quant
