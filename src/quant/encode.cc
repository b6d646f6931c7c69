/// From numbers to blocks. The types with blocks of 32 and one scale follow ggml's formulas, so that the
/// bytes are those that other programs write; the others search (search.h).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "quant/blocks.h"
#include "quant/layout.h"
#include "quant/pack.h"
#include "quant/search.h"
#include "tensor/half.h"

namespace prwkv::quant {
namespace {

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

void encode(const float* x, BlockQ2_K& out) { pack(Shifted<16, 3, 15>::search(x), out); }
void encode(const float* x, BlockQ3_K& out) {
  pack(Scaled<Integers<-4, 3>, 16, -32, 31>::search(x), out);
}
void encode(const float* x, BlockQ4_K& out) { pack(Shifted<8, 15, 63>::search(x), out); }
void encode(const float* x, BlockQ5_K& out) { pack(Shifted<8, 31, 63>::search(x), out); }
void encode(const float* x, BlockQ6_K& out) {
  pack(Scaled<Integers<-32, 31>, 16, -128, 127>::search(x), out);
}
void encode(const float* x, BlockIQ4_NL& out) {
  pack(Scaled<Iq4Levels, 1, 1, 1, 32>::search(x), out);
}
void encode(const float* x, BlockIQ4_XS& out) {
  pack(Scaled<Iq4Levels, 8, -32, 31>::search(x), out);
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
