/// Two loops over f32 vectors in the form that compilers turn into vector instructions, with an order of
/// sums of their own.
#pragma once

#include <algorithm>
#include <cstdint>

namespace prwkv::quant {

/// Σ a_i b_i: lanes of f32 over some hundred terms, these sums in f64.
inline double dot(const float* a, const float* b, std::int64_t n) {
  constexpr std::int64_t kLanes = 16, kPiece = 512;
  double total = 0;
  for (std::int64_t begin = 0; begin < n; begin += kPiece) {
    const std::int64_t end = std::min(begin + kPiece, n);
    float lane[kLanes] = {};
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (std::int64_t k = 0; k < kLanes; ++k) lane[k] += a[i + k] * b[i + k];
    }
    double sum = 0;
    for (; i < end; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    for (const float x : lane) sum += static_cast<double>(x);
    total += sum;
  }
  return total;
}

/// y += s x.
inline void add_scaled(float s, const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += s * x[i];
}

}  // namespace prwkv::quant
