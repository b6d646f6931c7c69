/// From numbers to blocks. The types with blocks of 32 and one scale follow ggml's formulas, so that the
/// bytes are those that other programs write; the others search (search.h).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "quant/blocks.h"
#include "quant/layout.h"
#include "quant/search.h"
#include "quant/six_bits.h"
#include "tensor/half.h"

namespace prwkv::quant {
namespace {

void put(float x, HalfBytes& h) {
  const std::uint16_t bits = to_f16(x).bits;
  h[0] = static_cast<Byte>(bits & 0xff);
  h[1] = static_cast<Byte>(bits >> 8);
}

/// ⌊x⌋ for x in [low, high], the end for what lies outside, low for NaN.
int truncated(float x, int low, int high) {
  if (!(x > static_cast<float>(low))) return low;
  return x < static_cast<float>(high) ? static_cast<int>(x) : high;
}

/// d, and 1 / d to multiply with: first clamped to what f16 can hold, so that huge values saturate
/// instead of becoming infinite.
struct Scale {
  explicit Scale(float wanted)
      : d(std::clamp(wanted, -65504.0f, 65504.0f)), inverse(reciprocal(d)) {}
  float d, inverse;
};

void put_nibbles(const int* q, Byte* qs) {
  for (int j = 0; j < 16; ++j) qs[j] = static_cast<Byte>((q[j] & 15) | (q[j + 16] & 15) << 4);
}

void put_fifth_bits(const int* q, Byte* qh) {
  for (int i = 0; i < 4; ++i) qh[i] = 0;
  for (int j = 0; j < 32; ++j) qh[j / 8] |= static_cast<Byte>((q[j] >> 4) << (j % 8));
}

/// Q4_0, Q5_0: the element of largest magnitude becomes quant 0, which stands for −half.
void centred(const float* x, int half, HalfBytes& d, int* q) {
  float extreme = 0;
  for (int j = 0; j < 32; ++j) extreme = std::abs(x[j]) > std::abs(extreme) ? x[j] : extreme;
  const Scale scale(extreme / static_cast<float>(-half));
  put(scale.d, d);
  for (int j = 0; j < 32; ++j)
    q[j] = truncated(x[j] * scale.inverse + static_cast<float>(half) + 0.5f, 0, 2 * half - 1);
}

/// Q4_1, Q5_1: minimum and maximum become quants 0 and `most`.
void ranged(const float* x, int most, HalfBytes& d, HalfBytes& m, int* q) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  const Scale scale((*high - *low) / static_cast<float>(most));
  const Scale minimum(*low);
  put(scale.d, d);
  put(minimum.d, m);
  for (int j = 0; j < 32; ++j) q[j] = truncated((x[j] - minimum.d) * scale.inverse + 0.5f, 0, most);
}

void encode(const float* x, BlockQ4_0& b) {
  int q[32];
  centred(x, 8, b.d, q);
  put_nibbles(q, b.qs);
}

void encode(const float* x, BlockQ5_0& b) {
  int q[32];
  centred(x, 16, b.d, q);
  put_nibbles(q, b.qs);
  put_fifth_bits(q, b.qh);
}

void encode(const float* x, BlockQ4_1& b) {
  int q[32];
  ranged(x, 15, b.d, b.m, q);
  put_nibbles(q, b.qs);
}

void encode(const float* x, BlockQ5_1& b) {
  int q[32];
  ranged(x, 31, b.d, b.m, q);
  put_nibbles(q, b.qs);
  put_fifth_bits(q, b.qh);
}

void encode(const float* x, BlockQ8_0& b) {
  float largest = 0;
  for (int j = 0; j < 32; ++j) largest = std::max(largest, std::abs(x[j]));
  const Scale scale(largest / 127);
  put(scale.d, b.d);
  for (int j = 0; j < 32; ++j) {
    const float q = x[j] * scale.inverse;
    const int magnitude = truncated(std::abs(q) + 0.5f, 0, 127);
    b.qs[j] = static_cast<std::int8_t>(q < 0 ? -magnitude : magnitude);
  }
}

Byte byte(float x) { return static_cast<Byte>(static_cast<int>(x)); }

template <class From, class To>
void copy_bytes(const From& from, To& to) {
  for (std::size_t i = 0; i < std::size(to); ++i) to[i] = byte(from[i]);
}

void encode(const float* x, BlockQ2_K& b) {
  const auto fit = Shifted<16, 3, 15>::search(x);
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

void encode(const float* x, BlockQ3_K& b) {
  const auto fit = Scaled<Integers<-4, 3>, 16, -32, 31>::search(x);
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

void encode(const float* x, BlockQ4_K& b) { put_shifted(Shifted<8, 15, 63>::search(x), b); }

void encode(const float* x, BlockQ5_K& b) {
  const auto fit = Shifted<8, 31, 63>::search(x);
  put_shifted(fit, b);
  for (Byte& bits : b.qh) bits = 0;
  for (int e = 0; e < 256; ++e)
    b.qh[e % 32] |= static_cast<Byte>((byte(fit.q[e]) >> 4) << (e / 32));
}

void encode(const float* x, BlockQ6_K& b) {
  const auto fit = Scaled<Integers<-32, 31>, 16, -128, 127>::search(x);
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
void put_levels(const float* levels, Byte* qs) {
  int q[32];
  for (int j = 0; j < 32; ++j) {
    const auto* at = std::find(std::begin(kIq4Levels), std::end(kIq4Levels),
                               static_cast<std::int8_t>(levels[j]));
    q[j] = static_cast<int>(at - std::begin(kIq4Levels));
  }
  put_nibbles(q, qs);
}

void encode(const float* x, BlockIQ4_NL& b) {
  const auto fit = Scaled<Iq4Levels, 1, 1, 1, 32>::search(x);
  put(fit.d, b.d);
  put_levels(fit.q, b.qs);
}

void encode(const float* x, BlockIQ4_XS& b) {
  const auto fit = Scaled<Iq4Levels, 8, -32, 31>::search(x);
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

template <class Stored, class Convert>
void narrow(const float* from, std::int64_t n, std::byte* to, Convert convert) {
  for (std::int64_t i = 0; i < n; ++i, to += sizeof(Stored)) {
    const Stored stored = convert(from[i]);
    std::memcpy(to, &stored, sizeof stored);
  }
}

}  // namespace

void quantize(DType dtype, const float* values, std::int64_t n, std::byte* blocks) {
  const bool done = with_block(dtype, [&]<class Block>() {
    constexpr int kMost = 256;
    const auto size = static_cast<int>(info(dtype).block_size);
    for (std::int64_t i = 0; i < n; i += size, blocks += sizeof(Block)) {
      float x[kMost] = {};
      for (int j = 0; j < size; ++j) x[j] = searchable(values[i + j]);
      Block block;
      encode(x, block);
      std::memcpy(blocks, &block, sizeof block);
    }
  });
  if (done) return;
  switch (dtype) {
    case DType::kF64:
      return narrow<double>(values, n, blocks, [](float x) { return static_cast<double>(x); });
    case DType::kF32: return narrow<float>(values, n, blocks, [](float x) { return x; });
    case DType::kF16: return narrow<f16>(values, n, blocks, to_f16);
    case DType::kBF16: return narrow<bf16>(values, n, blocks, to_bf16);
    default: fail(Code::kInternal, "elements of type {} are not numbers", name_of(dtype));
  }
}

}  // namespace prwkv::quant
