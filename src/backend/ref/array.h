/// How reference kernels see tensors: indexable, any float type, values as double.
#pragma once

#include <cmath>
#include <cstring>
#include <vector>

#include "backend/op_args.h"
#include "quant/blocks.h"
#include "tensor/half.h"

namespace prwkv::ref {

/// Element i of a type with blocks: its whole block is decoded.
inline double load_from_block(const Tensor& t, std::int64_t i) {
  constexpr std::int64_t kMost = 256;
  const std::int64_t size = info(t.dtype).block_size;
  float block[kMost];
  quant::dequantize(t.dtype, t.as<const std::byte>() + row_bytes(t.dtype, i / size * size), size,
                    block);
  return block[i % size];
}

/// Element i as double, whatever the stored type; elements may be unaligned (weights in a mapped
/// file).
inline double load(const Tensor& t, std::int64_t i) {
  if (is_block(t.dtype)) return load_from_block(t, i);
  const char* p = static_cast<const char*>(t.data) + row_bytes(t.dtype, i);
  const auto read = [p]<class T>(T value) {
    std::memcpy(&value, p, sizeof value);
    return value;
  };
  switch (t.dtype) {
    case DType::kF64: return read(double{});
    case DType::kF32: return read(float{});
    case DType::kF16: return to_float(read(f16{}));
    case DType::kBF16: return to_float(read(bf16{}));
    default: return 0;
  }
}

/// Row r of a matrix, each block decoded once.
inline std::vector<double> load_row(const Tensor& t, std::int64_t r) {
  const std::int64_t n = t.dim(1);
  std::vector<double> row(static_cast<std::size_t>(n));
  if (is_block(t.dtype)) {
    std::vector<float> decoded(row.size());
    quant::dequantize(t.dtype, t.as<const std::byte>() + row_bytes(t.dtype, r * n), n,
                      decoded.data());
    row.assign(decoded.begin(), decoded.end());
  } else {
    for (std::int64_t i = 0; i < n; ++i) row[static_cast<std::size_t>(i)] = load(t, r * n + i);
  }
  return row;
}

inline void store(const Tensor& t, std::int64_t i, double value) {
  if (t.dtype == DType::kF64)
    t.as<double>()[i] = value;
  else
    t.as<float>()[i] = static_cast<float>(value);
}

inline void accumulate(const Tensor& t, std::int64_t i, double value) {
  if (t) store(t, i, load(t, i) + value);
}

inline std::int32_t index(const Tensor& t, std::int64_t i) { return t.as<const std::int32_t>()[i]; }

inline double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

inline const double kDecay7Scale = std::exp(-0.5);

inline double apply(Act act, double z) {
  switch (act) {
    case Act::kNone: return z;
    case Act::kSigmoid: return sigmoid(z);
    case Act::kTanh: return std::tanh(z);
    case Act::kSilu: return z * sigmoid(z);
    case Act::kReluSq: return z < 0 ? 0 : z * z;  // NaN stays NaN
    case Act::kExp: return std::exp(z);
    case Act::kNegExp: return -std::exp(z);
    case Act::kExpNegExp: return std::exp(-std::exp(z));
    case Act::kDecay7: return std::exp(-kDecay7Scale * sigmoid(z));
  }
  return z;
}

/// d act / d z.
inline double slope(Act act, double z) {
  const double s = sigmoid(z);
  switch (act) {
    case Act::kNone: return 1;
    case Act::kSigmoid: return s * (1 - s);
    case Act::kTanh: return 1 - std::tanh(z) * std::tanh(z);
    case Act::kSilu: return s * (1 + z * (1 - s));
    case Act::kReluSq: return z < 0 ? 0 : 2 * z;
    case Act::kExp: return std::exp(z);
    case Act::kNegExp: return -std::exp(z);
    case Act::kExpNegExp: return -std::exp(z) * std::exp(-std::exp(z));
    case Act::kDecay7: return -kDecay7Scale * s * (1 - s) * std::exp(-kDecay7Scale * s);
  }
  return 1;
}

}  // namespace prwkv::ref
