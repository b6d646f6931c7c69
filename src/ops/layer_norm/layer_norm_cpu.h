#pragma once

#include "backend/cpu/kernel_table.h"
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

/// What the gradient of one normalised row gives to x: with ĝ = g ⊙ w,
///     g_x += rstd (ĝ − mean ĝ − x̂ mean(ĝ ⊙ x̂))
/// `g(c, n)` are the elements of g.
template <class G>
inline __attribute__((always_inline)) void norm_backward(const float* x, const float* w,
                                                         std::int64_t size, Moments m, const G& g,
                                                         float* g_x) {
  const Vec mean = Vec::broadcast(m.mean), rstd = Vec::broadcast(m.rstd);
  Vec total = Vec::zero(), along = Vec::zero();
  for_vectors(size, [&](std::int64_t c, int n) {
    const Vec weighted = g(c, n) * get(w + c, n);  // zero behind the last one
    total = total + weighted;
    along = fma(weighted, (get(x + c, n) - mean) * rstd, along);
  });
  const float share = 1.0f / static_cast<float>(size);
  const Vec mean_g = Vec::broadcast(sum(total) * share),
            mean_gx = Vec::broadcast(sum(along) * share);
  for_vectors(size, [&](std::int64_t c, int n) {
    const Vec normal = (get(x + c, n) - mean) * rstd;
    accumulate(g_x + c, n, rstd * (g(c, n) * get(w + c, n) - mean_g - normal * mean_gx));
  });
}

inline void layer_norm_backward(const cpu::LayerNormBackward& b, std::int64_t begin,
                                std::int64_t end) {
  const LayerNormBackwardArgs& a = b.args;
  const std::int64_t C = a.x.dim(1);
  for (std::int64_t t = begin; t < end; ++t) {
    const float *x = a.x.as<float>() + t * C, *g_y = a.g_y.as<float>() + t * C;
    const Moments m = moments(x, C, a.eps);
    b.moments[2 * t] = m.mean;
    b.moments[2 * t + 1] = m.rstd;
    if (!a.g_x) continue;
    norm_backward(
        x, a.w.as<float>(), C, m, [&](std::int64_t c, int n) { return get(g_y + c, n); },
        a.g_x.as<float>() + t * C);
  }
}

/// Channels [begin, end) of the parameters.
inline void layer_norm_backward_params(const cpu::LayerNormBackward& b, std::int64_t begin,
                                       std::int64_t end) {
  const LayerNormBackwardArgs& a = b.args;
  const std::int64_t T = a.x.dim(0), C = a.x.dim(1);
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    const std::int64_t c = begin + i;
    Vec g_w = Vec::zero(), g_b = Vec::zero();
    for (std::int64_t t = 0; t < T; ++t) {
      const Vec g = get(a.g_y.as<float>() + t * C + c, n);
      const Vec d = get(a.x.as<float>() + t * C + c, n) - Vec::broadcast(b.moments[2 * t]);
      g_w = fma(g * Vec::broadcast(b.moments[2 * t + 1]), d, g_w);
      g_b = g_b + g;
    }
    if (a.g_w) accumulate(a.g_w.as<float>() + c, n, g_w);
    if (a.g_b) accumulate(a.g_b.as<float>() + c, n, g_b);
  });
}

}  // namespace prwkv::PRWKV_ISA
