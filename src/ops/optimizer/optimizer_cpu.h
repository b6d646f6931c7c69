#pragma once

#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

inline void sum_of_squares(const cpu::SumOfSquares& a, std::int64_t begin, std::int64_t end) {
  for (std::int64_t block = begin; block < end; ++block) {
    const float* x = a.x + block * cpu::SumOfSquares::kBlock;
    const std::int64_t rest = a.n - block * cpu::SumOfSquares::kBlock;
    Vec sums = Vec::zero();
    for_vectors(rest < cpu::SumOfSquares::kBlock ? rest : cpu::SumOfSquares::kBlock,
                [&](std::int64_t i, int n) {
                  const Vec v = get(x + i, n);
                  sums = fma(v, v, sums);
                });
    alignas(64) float lanes[Vec::size];
    sums.store(lanes);
    double sum = 0;
    for (const float lane : lanes) sum += static_cast<double>(lane);
    a.sums[block] = sum;
  }
}

inline void adamw(const AdamWArgs& a, std::int64_t begin, std::int64_t end) {
  const auto constant = [](double x) { return Vec::broadcast(static_cast<float>(x)); };
  const Vec scale = constant(a.gradient_scale), beta1 = constant(a.beta1),
            beta2 = constant(a.beta2), rest1 = constant(1 - a.beta1), rest2 = constant(1 - a.beta2),
            eps = constant(a.eps), kept = constant(1 - a.lr * a.decay),
            step = constant(a.lr / a.correction1),
            root2 = constant(1 / __builtin_sqrt(a.correction2));
  float *p = a.p.as<float>() + begin, *ms = a.m.as<float>() + begin, *vs = a.v.as<float>() + begin;
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    const Vec g = scale * get(a.g.as<float>() + begin + i, n);
    const Vec m = fma(beta1, get(ms + i, n), rest1 * g),
              v = fma(beta2, get(vs + i, n), rest2 * g * g);
    put(ms + i, n, m);
    put(vs + i, n, v);
    put(p + i, n, kept * get(p + i, n) - step * m / fma(sqrt(v), root2, eps));
  });
}

}  // namespace prwkv::PRWKV_ISA
