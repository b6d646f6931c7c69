#pragma once

#include "ops/layer_norm/layer_norm_cpu.h"

namespace prwkv::PRWKV_ISA {

inline void group_norm(const GroupNormArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t A = a.x.dim(1), N = A / a.H;
  const float *w = a.w.as<float>(), *b = a.b.as<float>();
  for (std::int64_t t = begin; t < end; ++t) {
    for (std::int64_t h = 0; h < A; h += N) {
      const std::int64_t at = t * A + h;
      const float* x = a.x.as<float>() + at;
      const Moments m = moments(x, N, a.eps);
      for_vectors(N, [&](std::int64_t c, int n) {
        const Vec normal = (get(x + c, n) - Vec::broadcast(m.mean)) * Vec::broadcast(m.rstd);
        const Vec y = fma(normal, get(w + h + c, n), get(b + h + c, n));
        put(a.y.as<float>() + at + c, n, a.g ? y * get(a.g.as<float>() + at + c, n) : y);
      });
    }
  }
}

inline void wkv7_output(const Wkv7OutputArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t A = a.x.dim(1), N = A / a.H;
  const float *w = a.w.as<float>(), *b = a.b.as<float>(), *r_k = a.r_k.as<float>();
  for (std::int64_t t = begin; t < end; ++t) {
    for (std::int64_t h = 0; h < A; h += N) {
      const std::int64_t at = t * A + h;
      const float *x = a.x.as<float>() + at, *r = a.r.as<float>() + at, *k = a.k.as<float>() + at;
      const float *v = a.v.as<float>() + at, *g = a.g.as<float>() + at;
      const Moments m = moments(x, N, a.eps);
      Vec dot = Vec::zero();
      for_vectors(N, [&](std::int64_t c, int n) {
        dot = fma(get(r + c, n) * get(k + c, n), get(r_k + h + c, n), dot);
      });
      const Vec bonus = Vec::broadcast(sum(dot));
      for_vectors(N, [&](std::int64_t c, int n) {
        const Vec normal = (get(x + c, n) - Vec::broadcast(m.mean)) * Vec::broadcast(m.rstd);
        const Vec y = fma(normal, get(w + h + c, n), get(b + h + c, n));
        put(a.y.as<float>() + at + c, n, fma(bonus, get(v + c, n), y) * get(g + c, n));
      });
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
