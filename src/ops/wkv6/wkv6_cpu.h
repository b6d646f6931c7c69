#pragma once

#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// One token of one head: y_i = Σ_j S_ij r_j + v_i Σ_j u_j k_j r_j, then S_ij ← w_j S_ij + v_i k_j.
/// Four value rows at a time, so that four independent sums hide the latency of the additions.
inline void wkv6_step(std::int64_t N, float* S, const float* r, const float* w, const float* k,
                      const float* v, const float* u, float* y) noexcept {
  Vec bonus = Vec::zero();
  for_vectors(N, [&](std::int64_t j, int n) {
    bonus = fma(get(u + j, n) * get(k + j, n), get(r + j, n), bonus);
  });
  const float own = sum(bonus);
  constexpr int kRows = 4;
  const auto rows = [&]<int R>(std::int64_t i) __attribute__((always_inline)) {
    Vec out[R];
    for (Vec& o : out) o = Vec::zero();
    for_vectors(N, [&](std::int64_t j, int n) {
      const Vec decay = get(w + j, n), key = get(k + j, n), query = get(r + j, n);
#pragma GCC unroll 4
      for (int q = 0; q < R; ++q) {
        float* p = S + (i + q) * N + j;
        const Vec s = get(p, n);
        out[q] = fma(s, query, out[q]);
        put(p, n, fma(decay, s, Vec::broadcast(v[i + q]) * key));
      }
    });
    float sums[R];
    sums_of(out, sums);
    for (int q = 0; q < R; ++q) y[i + q] = sums[q] + v[i + q] * own;
  };
  std::int64_t i = 0;
  for (; i + kRows <= N; i += kRows) rows.template operator()<kRows>(i);
  for (; i < N; ++i) rows.template operator()<1>(i);
}

/// Unit u: sequence u / H, head u % H; the head's state stays in L1 from the first row to the last.
inline void wkv6(const Wkv6Args& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  const std::int64_t w_row = a.w.numel() == A ? 0 : A;  // 0: the same decay for every token
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const Seqs::Range seq = a.seqs[unit / H];
    const std::int64_t h = unit % H * N;
    float* S = a.state.as<float>() + (seq.slot * H + unit % H) * N * N;
    for (std::int64_t t = seq.begin; t < seq.end; ++t) {
      const std::int64_t at = t * A + h;
      wkv6_step(N, S, a.r.as<float>() + at, a.w.as<float>() + t * w_row + h, a.k.as<float>() + at,
                a.v.as<float>() + at, a.u.as<float>() + h, a.y.as<float>() + at);
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
