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
  double loss = 0;
  for (std::int64_t t = begin; t < end; ++t) {
    const float* z = a.logits.as<float>() + t * V;
    const auto [top, total] = top_and_total(z, V);
    loss += static_cast<double>(top) + __builtin_log(total) -
            static_cast<double>(z[a.targets.as<const std::int32_t>()[t]]);
  }
  a.loss.as<float>()[0] = static_cast<float>(loss / static_cast<double>(end - begin));
}

inline void cross_entropy_backward(const CrossEntropyBackwardArgs& a, std::int64_t begin,
                                   std::int64_t end) {
  const std::int64_t T = a.logits.dim(0), V = a.logits.dim(1);
  const float scale = a.g_loss.as<float>()[0] / static_cast<float>(T);
  for (std::int64_t t = begin; t < end; ++t) {
    const float* z = a.logits.as<float>() + t * V;
    float* g = a.g_logits.as<float>() + t * V;
    const TopAndTotal row = top_and_total(z, V);
    const Vec share = Vec::broadcast(scale / static_cast<float>(row.total));
    for_vectors(V, [&](std::int64_t v, int n) {
      accumulate(g + v, n, share * exp(get(z + v, n) - Vec::broadcast(row.top)));
    });
    g[a.targets.as<const std::int32_t>()[t]] -= scale;
  }
}

}  // namespace prwkv::PRWKV_ISA
