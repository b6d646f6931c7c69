#pragma once

#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// The largest of V logits, and Σ e^(z − it).
struct TopAndTotal {
  float top;
  double total;  // in double: 65,536 terms of very different size
};
inline TopAndTotal top_and_total(const float* z, std::int64_t V) {
  Vec tops = Vec::broadcast(z[0]);
  for_vectors(V, [&](std::int64_t v, int n) {
    // The zeros behind the last logit must not win: one lane at a time there.
    if (n == 0)
      tops = max(tops, Vec::load(z + v));
    else
      for (int l = 0; l < n; ++l) tops = max(tops, Vec::broadcast(z[v + l]));
  });
  const float top = max_element(tops);
  double total = 0;
  for_vectors(V, [&](std::int64_t v, int n) {
    alignas(64) float e[Vec::size];
    exp(get(z + v, n) - Vec::broadcast(top)).store(e);
    for (int l = 0; l < (n == 0 ? Vec::size : n); ++l) total += static_cast<double>(e[l]);
  });
  return {top, total};
}

inline void cross_entropy(const CrossEntropyArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t V = a.logits.dim(1);
  const auto scale = static_cast<float>(a.scale);
  for (std::int64_t t = begin; t < end; ++t) {
    const float* z = a.logits.as<float>() + t * V;
    float* g = a.gradient ? a.gradient.as<float>() + t * V : nullptr;
    const std::int32_t target = a.targets.as<const std::int32_t>()[t];
    if (target < 0) {
      a.loss.as<float>()[t] = 0;
      if (g != nullptr) for_vectors(V, [&](std::int64_t v, int n) { put(g + v, n, Vec::zero()); });
      continue;
    }
    const TopAndTotal row = top_and_total(z, V);
    a.loss.as<float>()[t] = static_cast<float>(
        static_cast<double>(row.top) + __builtin_log(row.total) - static_cast<double>(z[target]));
    if (g == nullptr) continue;
    std::int64_t first = 0;  // NaN equals nothing
    if (a.l2wrap != 0) {
      while (first + 1 < V && z[first] != row.top) ++first;
    }
    const Vec share = Vec::broadcast(scale / static_cast<float>(row.total));
    for_vectors(V, [&](std::int64_t v, int n) {
      put(g + v, n, share * exp(get(z + v, n) - Vec::broadcast(row.top)));
    });
    g[target] -= scale;
    if (a.l2wrap != 0) g[first] += static_cast<float>(a.scale * a.l2wrap) * row.top;
  }
}

}  // namespace prwkv::PRWKV_ISA
