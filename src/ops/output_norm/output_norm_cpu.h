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

/// Heads [begin, end) of all rows, so that what rows share has one owner.
inline void group_norm_backward(const GroupNormBackwardArgs& a, std::int64_t begin,
                                std::int64_t end) {
  const std::int64_t T = a.x.dim(0), A = a.x.dim(1), N = A / a.H;
  const float *w = a.w.as<float>(), *b = a.b.as<float>();
  for (std::int64_t h = begin * N; h < end * N; h += N) {
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t at = t * A + h;
      const float *x = a.x.as<float>() + at, *g_y = a.g_y.as<float>() + at;
      const float* gate = a.g ? a.g.as<float>() + at : nullptr;
      const Moments m = moments(x, N, a.eps);
      const auto g_z = [&](std::int64_t c, int n) {
        const Vec g = get(g_y + c, n);
        return gate != nullptr ? g * get(gate + c, n) : g;
      };
      for_vectors(N, [&](std::int64_t c, int n) {
        const Vec normal = (get(x + c, n) - Vec::broadcast(m.mean)) * Vec::broadcast(m.rstd);
        if (a.g_w) accumulate(a.g_w.as<float>() + h + c, n, g_z(c, n) * normal);
        if (a.g_b) accumulate(a.g_b.as<float>() + h + c, n, g_z(c, n));
        if (a.g_g)
          accumulate(a.g_g.as<float>() + at + c, n,
                     get(g_y + c, n) * fma(normal, get(w + h + c, n), get(b + h + c, n)));
      });
      if (a.g_x) norm_backward(x, w + h, N, m, g_z, a.g_x.as<float>() + at);
    }
  }
}

inline void wkv7_output_backward(const Wkv7OutputBackwardArgs& a, std::int64_t begin,
                                 std::int64_t end) {
  const std::int64_t T = a.x.dim(0), A = a.x.dim(1), N = A / a.H;
  const float *w = a.w.as<float>(), *b = a.b.as<float>(), *r_k = a.r_k.as<float>();
  for (std::int64_t h = begin * N; h < end * N; h += N) {
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t at = t * A + h;
      const float *x = a.x.as<float>() + at, *r = a.r.as<float>() + at, *k = a.k.as<float>() + at;
      const float *v = a.v.as<float>() + at, *gate = a.g.as<float>() + at,
                  *g_y = a.g_y.as<float>() + at;
      const Moments m = moments(x, N, a.eps);
      const auto g_z = [&](std::int64_t c, int n) { return get(g_y + c, n) * get(gate + c, n); };
      Vec dot = Vec::zero(), along = Vec::zero();
      for_vectors(N, [&](std::int64_t c, int n) {
        dot = fma(get(r + c, n) * get(k + c, n), get(r_k + h + c, n), dot);
        along = fma(g_z(c, n), get(v + c, n), along);
      });
      const Vec bonus = Vec::broadcast(sum(dot)), rho = Vec::broadcast(sum(along));
      for_vectors(N, [&](std::int64_t c, int n) {
        const Vec normal = (get(x + c, n) - Vec::broadcast(m.mean)) * Vec::broadcast(m.rstd);
        const Vec g = g_z(c, n), rc = get(r + c, n), kc = get(k + c, n), rk = get(r_k + h + c, n);
        if (a.g_w) accumulate(a.g_w.as<float>() + h + c, n, g * normal);
        if (a.g_b) accumulate(a.g_b.as<float>() + h + c, n, g);
        if (a.g_r_k) accumulate(a.g_r_k.as<float>() + h + c, n, rho * rc * kc);
        if (a.g_r) accumulate(a.g_r.as<float>() + at + c, n, rho * kc * rk);
        if (a.g_k) accumulate(a.g_k.as<float>() + at + c, n, rho * rc * rk);
        if (a.g_v) accumulate(a.g_v.as<float>() + at + c, n, bonus * g);
        if (a.g_g) {
          const Vec y = fma(normal, get(w + h + c, n), get(b + h + c, n));
          accumulate(a.g_g.as<float>() + at + c, n, get(g_y + c, n) * fma(bonus, get(v + c, n), y));
        }
      });
      if (a.g_x) norm_backward(x, w + h, N, m, g_z, a.g_x.as<float>() + at);
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
