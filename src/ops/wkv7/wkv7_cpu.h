#pragma once

#include "ops/layer_norm/layer_norm_cpu.h"

namespace prwkv::PRWKV_ISA {

/// One token of the RWKV-7 recurrence for one head.
///     S ← S diag(w) + (S α) βᵀ + v kᵀ            y = S r
/// Shapes  S (N, N), row = value channel, column = key channel, updated in place; r w k α β (N)
///         keys; v y (N) values.
/// Units   w is the decay itself, in (0, 1), not its logarithm; α = −κ̂, β = κ̂ ⊙ a.
/// Cost    9 N² flop and 8 N² bytes of state: bandwidth-bound as soon as the states of all heads
///         leave L2.
/// Source  RWKV-7 "Goose", arXiv 2503.14456; the same lines in double precision: wkv7_ref.cc.
/// Four value rows at a time, so that independent sums hide the latency of the additions.
inline void wkv7_step(std::int64_t N, float* S, const float* r, const float* w, const float* k,
                      const float* v, const float* alpha, const float* beta, float* y) noexcept {
  constexpr int kRows = 4;
  const auto rows = [&]<int R>(std::int64_t i) __attribute__((always_inline)) {
    Vec dot[R], sa[R], out[R];
    for (Vec& d : dot) d = Vec::zero();
    for_vectors(N, [&](std::int64_t j, int n) {
      const Vec a = get(alpha + j, n);
#pragma GCC unroll 4
      for (int q = 0; q < R; ++q) dot[q] = fma(get(S + (i + q) * N + j, n), a, dot[q]);
    });
    float sums[R];
    sums_of(dot, sums);
    for (int q = 0; q < R; ++q) sa[q] = Vec::broadcast(sums[q]), out[q] = Vec::zero();
    for_vectors(N, [&](std::int64_t j, int n) {
      const Vec decay = get(w + j, n), b = get(beta + j, n), key = get(k + j, n),
                query = get(r + j, n);
#pragma GCC unroll 4
      for (int q = 0; q < R; ++q) {
        float* p = S + (i + q) * N + j;
        const Vec s = fma(get(p, n), decay, fma(sa[q], b, Vec::broadcast(v[i + q]) * key));
        put(p, n, s);
        out[q] = fma(s, query, out[q]);
      }
    });
    sums_of(out, y + i);
  };
  std::int64_t i = 0;
  for (; i + kRows <= N; i += kRows) rows.template operator()<kRows>(i);
  for (; i < N; ++i) rows.template operator()<1>(i);
}

/// Whether kHeldRows rows of a head's state fit into registers, beside what a token brings.
inline constexpr std::int64_t kHeldKeys = 64, kHeldRows = 4;
inline constexpr bool kHoldsState = kHeldRows * kHeldKeys / Vec::size * 2 <= Vec::registers;

/// Asks for what a head gets of a token, and for where its values go. Inlined early: GCC takes a function that
/// only prefetches for one without effects, and drops calls.
inline __attribute__((always_inline)) void ask_for_token(const Wkv7Args& a, std::int64_t at) {
  for (const Tensor* x : {&a.w, &a.alpha, &a.beta, &a.k, &a.r, &a.v, &a.y}) {
    const float* p = x->as<float>() + at;
    for (std::int64_t i = 0; i < kHeldKeys; i += 16) __builtin_prefetch(p + i);
  }
}

/// The same for a run of tokens and N = 64. A row of S never meets another, so four of them stay in registers
/// from the first token of a run to the last; the sums are those of wkv7_step. What tokens bring is laid
/// together first: rows of different tokens lie a power of two apart, in the same lines of the cache.
inline void wkv7_run(const Wkv7Args& a, std::int64_t head, std::int64_t begin, std::int64_t end,
                     float* S) noexcept {
  constexpr std::int64_t kTokens = 16, N = kHeldKeys;
  constexpr int kVecs = kHeldKeys / Vec::size, kRows = kHeldRows;
  enum { kDecay, kAlpha, kBeta, kKey, kQuery, kInputs };
  alignas(64) float in[kTokens][kInputs][N];
  const std::int64_t A = a.k.dim(1);
  for (std::int64_t t0 = begin; t0 < end; t0 += kTokens) {
    const std::int64_t tokens = end - t0 < kTokens ? end - t0 : kTokens;
    const Tensor* const inputs[kInputs] = {&a.w, &a.alpha, &a.beta, &a.k, &a.r};
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (int i = 0; i < kInputs; ++i)
        std::memcpy(in[t][i], inputs[i]->as<float>() + (t0 + t) * A + head * N, sizeof in[t][i]);
    }
    for (std::int64_t row = 0; row < N; row += kRows) {
      if (const std::int64_t later = t0 + kTokens + row / kRows; later < end)
        ask_for_token(a, later * A + head * N);
      Vec s[kRows][kVecs];
#pragma GCC unroll 4
      for (int q = 0; q < kRows; ++q) {
#pragma GCC unroll 8
        for (int j = 0; j < kVecs; ++j) s[q][j] = Vec::load(S + (row + q) * N + j * Vec::size);
      }
      for (std::int64_t t = 0; t < tokens; ++t) {
        const auto get_input = [&](int i, int j) { return Vec::load(in[t][i] + j * Vec::size); };
        Vec dot[kRows], out[kRows];
#pragma GCC unroll 4
        for (int q = 0; q < kRows; ++q) dot[q] = out[q] = Vec::zero();
#pragma GCC unroll 8
        for (int j = 0; j < kVecs; ++j) {
          const Vec alpha = get_input(kAlpha, j);
#pragma GCC unroll 4
          for (int q = 0; q < kRows; ++q) dot[q] = fma(s[q][j], alpha, dot[q]);
        }
        float sa[kRows];
        sums_of(dot, sa);
        const std::int64_t at = (t0 + t) * A + head * N + row;
        const float* v = a.v.as<float>() + at;
#pragma GCC unroll 8
        for (int j = 0; j < kVecs; ++j) {
          const Vec decay = get_input(kDecay, j), beta = get_input(kBeta, j),
                    key = get_input(kKey, j), query = get_input(kQuery, j);
#pragma GCC unroll 4
          for (int q = 0; q < kRows; ++q) {
            s[q][j] =
                fma(s[q][j], decay, fma(Vec::broadcast(sa[q]), beta, Vec::broadcast(v[q]) * key));
            out[q] = fma(s[q][j], query, out[q]);
          }
        }
        sums_of(out, a.y.as<float>() + at);
      }
#pragma GCC unroll 4
      for (int q = 0; q < kRows; ++q) {
#pragma GCC unroll 8
        for (int j = 0; j < kVecs; ++j) s[q][j].store(S + (row + q) * N + j * Vec::size);
      }
    }
  }
}

/// Unit u: sequence u / H, head u % H; the head's state stays in L1 from the first row to the last.
inline void wkv7(const Wkv7Args& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const Seqs::Range seq = a.seqs[unit / H];
    float* S = a.state.as<float>() + (seq.slot * H + unit % H) * N * N;
    if constexpr (kHoldsState) {
      if (N == kHeldKeys) {
        wkv7_run(a, unit % H, seq.begin, seq.end, S);
        continue;
      }
    }
    for (std::int64_t t = seq.begin; t < seq.end; ++t) {
      const std::int64_t at = t * A + unit % H * N;
      wkv7_step(N, S, a.r.as<float>() + at, a.w.as<float>() + at, a.k.as<float>() + at,
                a.v.as<float>() + at, a.alpha.as<float>() + at, a.beta.as<float>() + at,
                a.y.as<float>() + at);
    }
  }
}

inline void delta_keys(const DeltaKeysArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t A = a.k.dim(1), N = A / a.H;
  const float *k_k = a.k_k.as<float>(), *k_a = a.k_a.as<float>();
  for (std::int64_t t = begin; t < end; ++t) {
    for (std::int64_t h = 0; h < A; h += N) {
      const float *k = a.k.as<float>() + t * A + h, *rate = a.a.as<float>() + t * A + h;
      Vec squares = Vec::zero();
      for_vectors(N, [&](std::int64_t c, int n) {
        const Vec kappa = get(k + c, n) * get(k_k + h + c, n);
        squares = fma(kappa, kappa, squares);
      });
      const float norm = __builtin_sqrtf(sum(squares));
      const Vec scale = Vec::broadcast(1.0f / (norm > 1e-12f ? norm : 1e-12f));
      for_vectors(N, [&](std::int64_t c, int n) {
        const Vec key = get(k + c, n), eta = get(rate + c, n),
                  kappa = key * get(k_k + h + c, n) * scale;
        const std::int64_t at = t * A + h + c;
        put(a.alpha.as<float>() + at, n, Vec::zero() - kappa);
        put(a.beta.as<float>() + at, n, kappa * eta);
        const Vec one = Vec::broadcast(1.0f);
        put(a.k_new.as<float>() + at, n, key * fma(eta - one, get(k_a + h + c, n), one));
      });
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
