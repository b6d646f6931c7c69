#pragma once

#include "backend/cpu/kernel_table.h"
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

/// Sequences [begin, end): q, k are shared by all channels. A first pass goes with the sums M and needs no state
/// that is kept: M is linear in what it was made of.
inline void tiny_attention_backward(const cpu::TinyAttentionBackward& b, std::int64_t begin,
                                    std::int64_t end) {
  const TinyAttentionBackwardArgs& a = b.args;
  const std::int64_t C = a.v.dim(1), D = a.q.dim(1);
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(D));
  for (std::int64_t s = begin; s < end; ++s) {
    const Seqs::Range seq = a.seqs[s];
    if (seq.begin == seq.end) continue;
    float *M = b.scratch + s * 2 * C * D, *G = M + C * D;
    for (std::int64_t i = 0; i < C * D; ++i) {
      M[i] = a.state.as<float>()[seq.slot * C * D + i];
      G[i] = a.g_state ? a.g_state.as<float>()[seq.slot * C * D + i] : 0.0f;
    }
    for (std::int64_t t = seq.begin; t < seq.end; ++t) {
      const float* k = a.k.as<float>() + t * D;
      for (std::int64_t c = 0; c < C; ++c) {
        const Vec v = Vec::broadcast(a.v.as<float>()[t * C + c]),
                  g_y = Vec::broadcast(scale * a.g_y.as<float>()[t * C + c]);
        for_vectors(D, [&](std::int64_t d, int n) {
          const Vec m = fma(v, get(k + d, n), get(M + c * D + d, n));
          put(M + c * D + d, n, m);
          if (a.g_q) accumulate(a.g_q.as<float>() + t * D + d, n, m * g_y);
        });
      }
    }
    for (std::int64_t t = seq.end - 1; t >= seq.begin; --t) {
      const float *q = a.q.as<float>() + t * D, *k = a.k.as<float>() + t * D;
      for (std::int64_t c = 0; c < C; ++c) {
        const Vec v = Vec::broadcast(a.v.as<float>()[t * C + c]),
                  g_y = Vec::broadcast(scale * a.g_y.as<float>()[t * C + c]);
        Vec g_v = Vec::zero();
        for_vectors(D, [&](std::int64_t d, int n) {
          const Vec g = fma(g_y, get(q + d, n), get(G + c * D + d, n));
          put(G + c * D + d, n, g);
          g_v = fma(g, get(k + d, n), g_v);
          if (a.g_k) accumulate(a.g_k.as<float>() + t * D + d, n, g * v);
        });
        if (a.g_v) a.g_v.as<float>()[t * C + c] += sum(g_v);
      }
    }
    for (std::int64_t i = 0; a.g_state && i < C * D; ++i)
      a.g_state.as<float>()[seq.slot * C * D + i] = G[i];
  }
}

}  // namespace prwkv::PRWKV_ISA
