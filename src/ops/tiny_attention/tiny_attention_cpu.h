#pragma once

#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// Unit u: sequence u / C, channel u % C, whose row of M stays in L1 from the first token to the
/// last.
inline void tiny_attention(const TinyAttentionArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t C = a.v.dim(1), D = a.q.dim(1);
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(D));
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const Seqs::Range seq = a.seqs[unit / C];
    const std::int64_t c = unit % C;
    float* M = a.state.as<float>() + (seq.slot * C + c) * D;
    for (std::int64_t t = seq.begin; t < seq.end; ++t) {
      const float *q = a.q.as<float>() + t * D, *k = a.k.as<float>() + t * D;
      const Vec v = Vec::broadcast(a.v.as<float>()[t * C + c]);
      Vec y = Vec::zero();
      for_vectors(D, [&](std::int64_t d, int n) {
        const Vec m = fma(v, get(k + d, n), get(M + d, n));
        put(M + d, n, m);
        y = fma(m, get(q + d, n), y);
      });
      a.y.as<float>()[t * C + c] = sum(y) * scale;
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
