/// From blocks to numbers. The arithmetic is f32, each operation rounded in the order written, so that
/// every implementation can be compared bit by bit.
#include <cstring>

#include "base/error.h"
#include "quant/blocks.h"
#include "quant/layout.h"
#include "quant/six_bits.h"
#include "tensor/half.h"

namespace prwkv::quant {
namespace {

float number(const HalfBytes& h) {
  return to_float(f16{static_cast<std::uint16_t>(h[0] | h[1] << 8)});
}

/// Element j of 32 four-bit quants, two a byte.
int nibble(const Byte* qs, int j) { return j < 16 ? qs[j] & 15 : qs[j - 16] >> 4; }

/// Bit j of a little-endian bit field.
int bit(const Byte* bits, int j) { return bits[j / 8] >> (j % 8) & 1; }

// x = d (q − 8)
void decode(const BlockQ4_0& b, float* x) {
  const float d = number(b.d);
  for (int j = 0; j < 32; ++j) x[j] = d * static_cast<float>(nibble(b.qs, j) - 8);
}

// x = d q + m
void decode(const BlockQ4_1& b, float* x) {
  const float d = number(b.d), m = number(b.m);
  for (int j = 0; j < 32; ++j) x[j] = d * static_cast<float>(nibble(b.qs, j)) + m;
}

// x = d (q − 16)
void decode(const BlockQ5_0& b, float* x) {
  const float d = number(b.d);
  for (int j = 0; j < 32; ++j) {
    const int q = nibble(b.qs, j) | bit(b.qh, j) << 4;
    x[j] = d * static_cast<float>(q - 16);
  }
}

// x = d q + m
void decode(const BlockQ5_1& b, float* x) {
  const float d = number(b.d), m = number(b.m);
  for (int j = 0; j < 32; ++j) {
    const int q = nibble(b.qs, j) | bit(b.qh, j) << 4;
    x[j] = d * static_cast<float>(q) + m;
  }
}

// x = d q
void decode(const BlockQ8_0& b, float* x) {
  const float d = number(b.d);
  for (int j = 0; j < 32; ++j) x[j] = d * static_cast<float>(b.qs[j]);
}

// x = d level[q]
void decode(const BlockIQ4_NL& b, float* x) {
  const float d = number(b.d);
  for (int j = 0; j < 32; ++j) x[j] = d * static_cast<float>(kIq4Levels[nibble(b.qs, j)]);
}

// In the blocks of 256, element e = 128 half + 32 group + l.
struct Place {
  explicit Place(int e) : half(e / 128), group(e / 32 % 4), l(e % 32) {}
  int half, group, l;
};

// x = d sc q − dmin m, 16 elements share sc and m
void decode(const BlockQ2_K& b, float* x) {
  const float d = number(b.d), dmin = number(b.dmin);
  for (int e = 0; e < 256; ++e) {
    const auto [half, group, l] = Place(e);
    const int q = b.qs[32 * half + l] >> (2 * group) & 3;
    const int sc = b.scales[e / 16] & 15, m = b.scales[e / 16] >> 4;
    x[e] = d * static_cast<float>(sc) * static_cast<float>(q) - dmin * static_cast<float>(m);
  }
}

// x = d (sc − 32) q, 16 elements share sc; q has two bits in qs, and is lower by 4 where the bit in
// hmask is not set
void decode(const BlockQ3_K& b, float* x) {
  const float d = number(b.d);
  Byte scales[16];
  unpack_q3(b.scales, scales);
  for (int e = 0; e < 256; ++e) {
    const auto [half, group, l] = Place(e);
    const int high = b.hmask[l] >> (e / 32) & 1;
    const int q = (b.qs[32 * half + l] >> (2 * group) & 3) - (high != 0 ? 0 : 4);
    const int sc = scales[e / 16] - 32;
    x[e] = d * static_cast<float>(sc) * static_cast<float>(q);
  }
}

// x = d sc q − dmin m, 32 elements share sc and m; two neighbouring groups share 32 bytes of qs
void decode(const BlockQ4_K& b, float* x) {
  const float d = number(b.d), dmin = number(b.dmin);
  Byte sc[8], m[8];
  unpack_q4(b.scales, sc, m);
  for (int e = 0; e < 256; ++e) {
    const int i = e / 32, byte = b.qs[32 * (i / 2) + e % 32];
    const int q = i % 2 == 0 ? byte & 15 : byte >> 4;
    x[e] = d * static_cast<float>(sc[i]) * static_cast<float>(q) - dmin * static_cast<float>(m[i]);
  }
}

// As Q4_K, with a fifth bit: bit i of qh[l] belongs to element l of group i
void decode(const BlockQ5_K& b, float* x) {
  const float d = number(b.d), dmin = number(b.dmin);
  Byte sc[8], m[8];
  unpack_q4(b.scales, sc, m);
  for (int e = 0; e < 256; ++e) {
    const int i = e / 32, byte = b.qs[32 * (i / 2) + e % 32];
    const int q = (i % 2 == 0 ? byte & 15 : byte >> 4) | (b.qh[e % 32] >> i & 1) << 4;
    x[e] = d * static_cast<float>(sc[i]) * static_cast<float>(q) - dmin * static_cast<float>(m[i]);
  }
}

// x = d sc (q − 32), 16 elements share sc; groups 0 and 2 share 32 bytes of ql, 1 and 3 the next 32
void decode(const BlockQ6_K& b, float* x) {
  const float d = number(b.d);
  for (int e = 0; e < 256; ++e) {
    const auto [half, group, l] = Place(e);
    const int byte = b.ql[64 * half + 32 * (group % 2) + l];
    const int low = group < 2 ? byte & 15 : byte >> 4;
    const int q = low | (b.qh[32 * half + l] >> (2 * group) & 3) << 4;
    const int sub = e / 16;
    x[e] = d * static_cast<float>(b.scales[sub]) * static_cast<float>(q - 32);
  }
}

// x = d (sc − 32) level[q], 32 elements share sc
void decode(const BlockIQ4_XS& b, float* x) {
  const float d = number(b.d);
  for (int i = 0; i < 8; ++i) {
    const int low = i % 2 == 0 ? b.scales_l[i / 2] & 15 : b.scales_l[i / 2] >> 4;
    const int sc = low | bit(b.scales_h, 2 * i) << 4 | bit(b.scales_h, 2 * i + 1) << 5;
    for (int j = 0; j < 32; ++j) {
      const int q = nibble(b.qs + 16 * i, j);
      x[32 * i + j] = d * static_cast<float>(sc - 32) * static_cast<float>(kIq4Levels[q]);
    }
  }
}

template <class T>
T read(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <class Stored>
void widen(const std::byte* from, std::int64_t n, float* to) {
  for (std::int64_t i = 0; i < n; ++i, from += sizeof(Stored)) {
    if constexpr (std::is_same_v<Stored, double>)
      to[i] = static_cast<float>(read<double>(from));
    else
      to[i] = to_float(read<Stored>(from));
  }
}

}  // namespace

void dequantize(DType dtype, const std::byte* blocks, std::int64_t n, float* values) {
  const bool done = with_block(dtype, [&]<class Block>() {
    const std::int64_t size = info(dtype).block_size;
    for (std::int64_t i = 0; i < n; i += size, blocks += sizeof(Block))
      decode(read<Block>(blocks), values + i);
  });
  if (done) return;
  switch (dtype) {
    case DType::kF64: return widen<double>(blocks, n, values);
    case DType::kF32: return widen<float>(blocks, n, values);
    case DType::kF16: return widen<f16>(blocks, n, values);
    case DType::kBF16: return widen<bf16>(blocks, n, values);
    default: fail(Code::kInternal, "elements of type {} are not numbers", name_of(dtype));
  }
}

DType fitting(DType wanted, std::int64_t columns) {
  // The next larger type with blocks of 32, as in llama.cpp's quantizer.
  constexpr struct {
    DType wanted, narrower;
  } kFallbacks[] = {
      {DType::kQ2_K, DType::kIQ4_NL},   {DType::kQ3_K, DType::kIQ4_NL},
      {DType::kIQ4_XS, DType::kIQ4_NL}, {DType::kQ4_K, DType::kQ5_0},
      {DType::kQ5_K, DType::kQ5_1},     {DType::kQ6_K, DType::kQ8_0},
  };
  if (fits(wanted, columns)) return wanted;
  for (const auto& row : kFallbacks) {
    if (row.wanted == wanted && fits(row.narrower, columns)) return row.narrower;
  }
  return DType::kF16;
}

}  // namespace prwkv::quant
