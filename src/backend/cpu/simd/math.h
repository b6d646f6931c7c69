/// Element-wise functions on vectors, accurate to a few units in the last place of f32 (measured:
/// exp 1.2, tanh 1.1, sigmoid 2.7, silu 3.1; docs/numerics.md); NaN in, NaN out.
#pragma once

#include "backend/op_args.h"

namespace prwkv::PRWKV_ISA {

/// e^x. Cody-Waite reduction x = n ln 2 + r, |r| <= ln 2 / 2, and a polynomial of degree 6
/// (coefficients: Cephes expf). Underflows gradually to 0 below −87.3, overflows to +∞ above 88.72.
inline Vec exp(Vec x) {
  x = min(Vec::broadcast(89.0f), max(Vec::broadcast(-104.0f), x));
  const Vec n = round(x * Vec::broadcast(1.44269504089f));
  Vec r = fma(n, Vec::broadcast(-0.693359375f), x);
  r = fma(n, Vec::broadcast(2.12194440e-4f), r);
  Vec p = Vec::broadcast(1.9875691500e-4f);
  p = fma(p, r, Vec::broadcast(1.3981999507e-3f));
  p = fma(p, r, Vec::broadcast(8.3334519073e-3f));
  p = fma(p, r, Vec::broadcast(4.1665795894e-2f));
  p = fma(p, r, Vec::broadcast(1.6666665459e-1f));
  p = fma(p, r, Vec::broadcast(5.0000001201e-1f));
  p = fma(p, r * r, r + Vec::broadcast(1.0f));
  // Two steps, since 2^n alone would leave the range of a float at both ends.
  const Vec half = round(n * Vec::broadcast(0.5f));
  return p * pow2(half) * pow2(n - half);
}

/// to[q] = sum(a[q]); four of them together where there are four.
template <int n>
inline __attribute__((always_inline)) void sums_of(const Vec (&a)[n], float* to) {
  if constexpr (n % 4 == 0) {
    for (int q = 0; q < n; q += 4) sum4(a[q], a[q + 1], a[q + 2], a[q + 3], to + q);
  } else {
    for (int q = 0; q < n; ++q) to[q] = sum(a[q]);
  }
}

inline Vec sigmoid(Vec x) {
  const Vec one = Vec::broadcast(1.0f);
  return one / (one + exp(Vec::zero() - x));
}

/// tanh x: a polynomial where |x| < 0.625 (Cephes tanhf), else 1 − 2 / (e^2|x| + 1) with the sign
/// of x.
inline Vec tanh(Vec x) {
  const Vec magnitude = max(x, Vec::zero() - x), one = Vec::broadcast(1.0f);
  const Vec large = one - Vec::broadcast(2.0f) / (exp(magnitude + magnitude) + one);
  const Vec signed_large = select_less(x, Vec::zero(), Vec::zero() - large, large);
  const Vec z = x * x;
  Vec p = Vec::broadcast(-5.70498872745e-3f);
  p = fma(p, z, Vec::broadcast(2.06390887954e-2f));
  p = fma(p, z, Vec::broadcast(-5.37397155531e-2f));
  p = fma(p, z, Vec::broadcast(1.33314422036e-1f));
  p = fma(p, z, Vec::broadcast(-3.33332819422e-1f));
  return select_less(magnitude, Vec::broadcast(0.625f), fma(p * z, x, x), signed_large);
}

inline Vec apply(Act act, Vec z) {
  switch (act) {
    case Act::kNone: return z;
    case Act::kSigmoid: return sigmoid(z);
    case Act::kTanh: return tanh(z);
    case Act::kSilu: return z * sigmoid(z);
    case Act::kReluSq: {
      const Vec positive = max(Vec::zero(), z);
      return positive * positive;
    }
    case Act::kExp: return exp(z);
    case Act::kNegExp: return Vec::zero() - exp(z);
    case Act::kExpNegExp: return exp(Vec::zero() - exp(z));
    case Act::kDecay7: return exp(Vec::broadcast(-0.606530659712633f) * sigmoid(z));
  }
  return z;
}

/// d act / d z.
inline Vec slope(Act act, Vec z) {
  const Vec one = Vec::broadcast(1.0f);
  switch (act) {
    case Act::kNone: return one;
    case Act::kSigmoid: {
      const Vec s = sigmoid(z);
      return s * (one - s);
    }
    case Act::kTanh: {
      const Vec t = tanh(z);
      return one - t * t;
    }
    case Act::kSilu: {
      const Vec s = sigmoid(z);
      return s * fma(z, one - s, one);
    }
    case Act::kReluSq: return max(Vec::zero(), z + z);
    case Act::kExp: return exp(z);
    case Act::kNegExp: return Vec::zero() - exp(z);
    case Act::kExpNegExp: {
      const Vec e = exp(min(Vec::broadcast(80.0f), z));  // beyond, the slope is 0, and not −∞ · 0
      return Vec::zero() - e * exp(Vec::zero() - e);
    }
    case Act::kDecay7: {
      const Vec s = sigmoid(z), scale = Vec::broadcast(-0.606530659712633f);
      return scale * s * (one - s) * exp(scale * s);
    }
  }
  return one;
}

/// Calls f(i, n) for i = 0, size, 2 size, … over [0, count); n = how many elements are left if
/// fewer than `size`, else 0. Kernels read with `get` and write with `put`, so the tail runs
/// through the same arithmetic as the rest.
/// Always inlined: f keeps its sums in registers, which a call would put in memory.
template <class F>
inline __attribute__((always_inline)) void for_vectors(std::int64_t count, const F& f) {
  std::int64_t i = 0;
  for (; i + Vec::size <= count; i += Vec::size) f(i, 0);
  if (i < count) f(i, static_cast<int>(count - i));
}
inline Vec get(const float* p, int n) { return n == 0 ? Vec::load(p) : Vec::load_first(p, n); }
inline void put(float* p, int n, Vec v) {
  if (n == 0)
    v.store(p);
  else
    v.store_first(p, n);
}
/// p[i …] += v.
inline void accumulate(float* p, int n, Vec v) { put(p, n, get(p, n) + v); }

}  // namespace prwkv::PRWKV_ISA
