#pragma once

#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

struct Moments {
  float mean, rstd;
};

/// Mean and 1 / sqrt(variance + eps) of n values, in two passes: the one-pass form cancels when
/// |mean| >> deviation.
inline Moments moments(const float* x, std::int64_t n, double eps) {
  Vec total = Vec::zero(), squares = Vec::zero();
  for_vectors(n, [&](std::int64_t i, int left) { total = total + get(x + i, left); });
  const float mean = sum(total) / static_cast<float>(n);
  for_vectors(n, [&](std::int64_t i, int left) {
    const Vec d = get(x + i, left) - Vec::broadcast(mean);
    // Behind the last value lie zeros, which would count as −mean.
    const Vec kept = left == 0 ? d : [&] {
      alignas(64) float lanes[Vec::size];
      d.store(lanes);
      return Vec::load_first(lanes, left);
    }();
    squares = fma(kept, kept, squares);
  });
  const float variance = sum(squares) / static_cast<float>(n) + static_cast<float>(eps);
  return {mean, 1.0f / __builtin_sqrtf(variance)};
}

inline void layer_norm(const LayerNormArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t C = a.x.dim(1);
  const float *w = a.w.as<float>(), *b = a.b.as<float>();
  for (std::int64_t t = begin; t < end; ++t) {
    const float* x = a.x.as<float>() + t * C;
    float* y = a.y.as<float>() + t * C;
    const Moments m = moments(x, C, a.eps);
    for_vectors(C, [&](std::int64_t c, int n) {
      const Vec normal = (get(x + c, n) - Vec::broadcast(m.mean)) * Vec::broadcast(m.rstd);
      put(y + c, n, fma(normal, get(w + c, n), get(b + c, n)));
    });
  }
}

}  // namespace prwkv::PRWKV_ISA
