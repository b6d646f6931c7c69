#pragma once

#include <type_traits>

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
template <class Args>
inline __attribute__((always_inline)) void ask_for_token(const Args& a, std::int64_t at) {
  const auto ask = [at](const Tensor& x) __attribute__((always_inline)) {
    const float* p = x.as<float>() + at;
    for (std::int64_t i = 0; i < kHeldKeys; i += 16) __builtin_prefetch(p + i);
  };
  for (const Tensor* x : {&a.w, &a.alpha, &a.beta, &a.k, &a.r, &a.v}) ask(*x);
  if constexpr (std::is_same_v<Args, Wkv7Args>) ask(a.y);
}

/// The same for a run of tokens and N = 64. A row of S never meets another, so four of them stay in registers
/// from the first token of a run to the last; the sums are those of wkv7_step. What tokens bring is laid
/// together first: rows of different tokens lie a power of two apart, in the same lines of the cache. Without y if Args
/// has none.
template <class Args>
inline void wkv7_run(const Args& a, std::int64_t head, std::int64_t begin, std::int64_t end,
                     float* S) noexcept {
  constexpr std::int64_t kTokens = 16, N = kHeldKeys;
  constexpr int kVecs = kHeldKeys / Vec::size, kRows = kHeldRows;
  constexpr bool kHasY = std::is_same_v<Args, Wkv7Args>;
  enum { kDecay, kAlpha, kBeta, kKey, kQuery, kInputs };
  alignas(64) float in[kTokens][kInputs][N];
  const std::int64_t A = a.k.dim(1);
  for (std::int64_t t0 = begin; t0 < end; t0 += kTokens) {
    const std::int64_t tokens = end - t0 < kTokens ? end - t0 : kTokens;
    const Tensor* const inputs[kInputs] = {&a.w, &a.alpha, &a.beta, &a.k, &a.r};
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (int i = 0; i < kInputs; ++i)
        std::memcpy(in[t][i], inputs[i]->template as<float>() + (t0 + t) * A + head * N,
                    sizeof in[t][i]);
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
        const float* v = a.v.template as<float>() + at;
#pragma GCC unroll 8
        for (int j = 0; j < kVecs; ++j) {
          const Vec decay = get_input(kDecay, j), beta = get_input(kBeta, j),
                    key = get_input(kKey, j), query = get_input(kQuery, j);
#pragma GCC unroll 4
          for (int q = 0; q < kRows; ++q) {
            s[q][j] =
                fma(s[q][j], decay, fma(Vec::broadcast(sa[q]), beta, Vec::broadcast(v[q]) * key));
            if constexpr (kHasY) out[q] = fma(s[q][j], query, out[q]);
          }
        }
        if constexpr (kHasY) sums_of(out, a.y.template as<float>() + at);
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

/// A run of tokens of one head on the way back, laid together: rows of different tokens may lie a power of two
/// apart, in the same lines of the cache, and are needed once for every few rows of the state.
struct Wkv7Run {
  enum { kDecay, kAlpha, kBeta, kKey, kQuery, kKeys };  // what the keys of a token are
  std::int64_t N, tokens;
  float* in;             // (tokens, kKeys, N)
  float* g;              // the same: gradients of this run
  float *v, *g_y, *g_v;  // (tokens, N)
  float* states;   // (tokens + 1, R, N): of some rows, in front of each token and behind the last
  float* removed;  // (tokens, R): their S α

  [[nodiscard]] const float* key(std::int64_t t, int which) const {
    return in + (t * kKeys + which) * N;
  }
  [[nodiscard]] float* gradient(std::int64_t t, int which) const {
    return g + (t * kKeys + which) * N;
  }
};

/// for_vectors over N keys, unrolled where their number is known, N = `keys`; 0: it is not.
template <std::int64_t keys, class F>
inline __attribute__((always_inline)) void for_keys(std::int64_t N, const F& f) {
  if constexpr (keys > 0) {
#pragma GCC unroll 8
    for (std::int64_t j = 0; j < keys; j += Vec::size) f(j, 0);
  } else {
    for_vectors(N, f);
  }
}

/// R rows of the state from row i on: S (R, N) is the state in front of the run, G the gradient behind it and then the one in
/// front of it. The states between are computed again. Rows meet only in the gradients of keys.
template <int R, std::int64_t keys>
inline void wkv7_run_back(const Wkv7Run& run, std::int64_t i, const float* S, float* G) {
  const std::int64_t N = keys > 0 ? keys : run.N, size = R * N;
  std::memcpy(run.states, S, static_cast<std::size_t>(size) * sizeof(float));
  for (std::int64_t t = 0; t < run.tokens; ++t) {
    const float *from = run.states + t * size, *v = run.v + t * N + i;
    float *to = run.states + (t + 1) * size, *s = run.removed + t * R;
    Vec dot[R];
    for (Vec& d : dot) d = Vec::zero();
    for_keys<keys>(
        N, [&](std::int64_t j, int n) __attribute__((always_inline)) {
          const Vec alpha = get(run.key(t, Wkv7Run::kAlpha) + j, n);
#pragma GCC unroll 8
          for (int q = 0; q < R; ++q) dot[q] = fma(get(from + q * N + j, n), alpha, dot[q]);
        });
    sums_of(dot, s);
    for_keys<keys>(
        N, [&](std::int64_t j, int n) __attribute__((always_inline)) {
          const Vec decay = get(run.key(t, Wkv7Run::kDecay) + j, n),
                    key = get(run.key(t, Wkv7Run::kKey) + j, n),
                    beta = get(run.key(t, Wkv7Run::kBeta) + j, n);
#pragma GCC unroll 8
          for (int q = 0; q < R; ++q) {
            put(to + q * N + j, n,
                fma(get(from + q * N + j, n), decay,
                    fma(Vec::broadcast(s[q]), beta, Vec::broadcast(v[q]) * key)));
          }
        });
  }
  for (std::int64_t t = run.tokens - 1; t >= 0; --t) {
    const float *before = run.states + t * size, *behind = before + size, *s = run.removed + t * R;
    const float *v = run.v + t * N + i, *g_y = run.g_y + t * N + i;
    Vec g_v[R], g_s[R];
    for (int q = 0; q < R; ++q) g_v[q] = g_s[q] = Vec::zero();
    for_keys<keys>(
        N, [&](std::int64_t j, int n) __attribute__((always_inline)) {
          const Vec query = get(run.key(t, Wkv7Run::kQuery) + j, n),
                    key = get(run.key(t, Wkv7Run::kKey) + j, n),
                    beta = get(run.key(t, Wkv7Run::kBeta) + j, n);
#pragma GCC unroll 8
          for (int q = 0; q < R; ++q) {
            const Vec g = fma(Vec::broadcast(g_y[q]), query, get(G + q * N + j, n));
            put(G + q * N + j, n, g);
            g_v[q] = fma(g, key, g_v[q]);
            g_s[q] = fma(g, beta, g_s[q]);
          }
        });
    float to_s[R];
    sums_of(g_v, run.g_v + t * N + i);
    sums_of(g_s, to_s);
    for_keys<keys>(
        N, [&](std::int64_t j, int n) __attribute__((always_inline)) {
          const Vec decay = get(run.key(t, Wkv7Run::kDecay) + j, n),
                    alpha = get(run.key(t, Wkv7Run::kAlpha) + j, n);
          Vec g_r = Vec::zero(), g_k = Vec::zero(), g_w = Vec::zero(), g_alpha = Vec::zero(),
              g_beta = Vec::zero();
#pragma GCC unroll 8
          for (int q = 0; q < R; ++q) {
            const Vec g = get(G + q * N + j, n), old = get(before + q * N + j, n),
                      to_row = Vec::broadcast(to_s[q]);
            g_r = fma(get(behind + q * N + j, n), Vec::broadcast(g_y[q]), g_r);
            g_k = fma(g, Vec::broadcast(v[q]), g_k);
            g_beta = fma(g, Vec::broadcast(s[q]), g_beta);
            g_alpha = fma(old, to_row, g_alpha);
            g_w = fma(g, old, g_w);
            put(G + q * N + j, n, fma(g, decay, to_row * alpha));
          }
          accumulate(run.gradient(t, Wkv7Run::kQuery) + j, n, g_r);
          accumulate(run.gradient(t, Wkv7Run::kKey) + j, n, g_k);
          accumulate(run.gradient(t, Wkv7Run::kDecay) + j, n, g_w);
          accumulate(run.gradient(t, Wkv7Run::kAlpha) + j, n, g_alpha);
          accumulate(run.gradient(t, Wkv7Run::kBeta) + j, n, g_beta);
        });
  }
}

/// Units as in the forward pass. A sequence is walked forward once, keeping the state at the beginning of every run; then
/// run after run from the last one.
inline void wkv7_backward(const cpu::Wkv7Backward& b, std::int64_t begin, std::int64_t end) {
  // The more rows, the more there is to do while the sums of a token are on their way to the next loop.
  constexpr int R = Vec::registers >= 32 ? cpu::kMostStateRows : cpu::kStateRows;
  const Wkv7BackwardArgs& a = b.args;
  const std::int64_t H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  const auto size = static_cast<std::size_t>(N * N) * sizeof(float);
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const Seqs::Range seq = a.seqs[unit / H];
    if (seq.begin == seq.end) continue;
    const std::int64_t T = seq.end - seq.begin, runs = (T + b.run - 1) / b.run, h = unit % H * N,
                       slot = (seq.slot * H + unit % H) * N * N;
    float *starts = b.scratch + unit * b.unit_scratch, *S = starts + runs * N * N, *G = S + N * N;
    Wkv7Run run{};
    run.N = N;
    run.in = G + N * N;
    run.g = run.in + b.run * Wkv7Run::kKeys * N;
    run.v = run.g + b.run * Wkv7Run::kKeys * N;
    run.g_y = run.v + b.run * N;
    run.g_v = run.g_y + b.run * N;
    run.states = run.g_v + b.run * N;
    run.removed = run.states + (b.run + 1) * R * N;

    std::memcpy(S, a.state.as<float>() + slot, size);
    for (std::int64_t p = 0; p < runs; ++p) {
      std::memcpy(starts + p * N * N, S, size);
      if (p + 1 == runs) break;
      if constexpr (kHoldsState) {
        if (N == kHeldKeys) {
          const std::int64_t first = seq.begin + p * b.run;
          wkv7_run(a, unit % H, first, first + b.run, S);
          continue;
        }
      }
      for (std::int64_t t = seq.begin + p * b.run; t < seq.begin + (p + 1) * b.run; ++t) {
        const std::int64_t at = t * A + h;
        wkv7_step(N, S, a.r.as<float>() + at, a.w.as<float>() + at, a.k.as<float>() + at,
                  a.v.as<float>() + at, a.alpha.as<float>() + at, a.beta.as<float>() + at,
                  run.g_v);  // y is not needed
      }
    }
    if (a.g_state)
      std::memcpy(G, a.g_state.as<float>() + slot, size);
    else
      std::memset(G, 0, size);

    const Tensor* const inputs[Wkv7Run::kKeys] = {&a.w, &a.alpha, &a.beta, &a.k, &a.r};
    const Tensor* const gradients[Wkv7Run::kKeys] = {&a.g_w, &a.g_alpha, &a.g_beta, &a.g_k, &a.g_r};
    const auto row = static_cast<std::size_t>(N) * sizeof(float);
    for (std::int64_t p = runs - 1; p >= 0; --p) {
      const std::int64_t first = seq.begin + p * b.run;
      run.tokens = seq.end - first < b.run ? seq.end - first : b.run;
      for (std::int64_t t = 0; t < run.tokens; ++t) {
        const std::int64_t at = (first + t) * A + h;
        for (int i = 0; i < Wkv7Run::kKeys; ++i)
          std::memcpy(run.in + (t * Wkv7Run::kKeys + i) * N, inputs[i]->as<float>() + at, row);
        std::memcpy(run.v + t * N, a.v.as<float>() + at, row);
        std::memcpy(run.g_y + t * N, a.g_y.as<float>() + at, row);
      }
      std::memset(run.g, 0, static_cast<std::size_t>(run.tokens * Wkv7Run::kKeys) * row);
      const float* start = starts + p * N * N;
      std::int64_t i = 0;
      if (N == kHeldKeys) {
        for (; i < N; i += R) wkv7_run_back<R, kHeldKeys>(run, i, start + i * N, G + i * N);
      }
      for (; i + R <= N; i += R) wkv7_run_back<R, 0>(run, i, start + i * N, G + i * N);
      for (; i < N; ++i) wkv7_run_back<1, 0>(run, i, start + i * N, G + i * N);
      for (std::int64_t t = 0; t < run.tokens; ++t) {
        const std::int64_t at = (first + t) * A + h;
        const auto add = [&](const Tensor& to, const float* from) {
          if (!to) return;
          for_vectors(N, [&](std::int64_t j, int n) {
            accumulate(to.as<float>() + at + j, n, get(from + j, n));
          });
        };
        for (int k = 0; k < Wkv7Run::kKeys; ++k) add(*gradients[k], run.gradient(t, k));
        add(a.g_v, run.g_v + t * N);
      }
    }
    if (a.g_state) std::memcpy(a.g_state.as<float>() + slot, G, size);
  }
}

/// Heads [begin, end) of all rows.
inline void delta_keys_backward(const DeltaKeysBackwardArgs& a, std::int64_t begin,
                                std::int64_t end) {
  const std::int64_t T = a.k.dim(0), A = a.k.dim(1), N = A / a.H;
  for (std::int64_t h = begin * N; h < end * N; h += N) {
    const float *k_k = a.k_k.as<float>() + h, *k_a = a.k_a.as<float>() + h;
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t at = t * A + h;
      const float *k = a.k.as<float>() + at, *rate = a.a.as<float>() + at,
                  *g_new = a.g_k_new.as<float>() + at, *g_alpha = a.g_alpha.as<float>() + at,
                  *g_beta = a.g_beta.as<float>() + at;
      const auto g_unit = [&](std::int64_t c, int n) {
        return get(g_beta + c, n) * get(rate + c, n) - get(g_alpha + c, n);
      };
      Vec squares = Vec::zero(), along = Vec::zero();
      for_vectors(N, [&](std::int64_t c, int n) {
        const Vec kappa = get(k + c, n) * get(k_k + c, n);
        squares = fma(kappa, kappa, squares);
        along = fma(kappa, g_unit(c, n), along);
      });
      const float norm = __builtin_sqrtf(sum(squares));
      const bool is_short = norm < 1e-12f;
      const float one_by = 1.0f / (is_short ? 1e-12f : norm);
      const Vec scale = Vec::broadcast(one_by),
                turn = Vec::broadcast(is_short ? 0.0f : sum(along) * one_by);  // κ̂ · g_κ̂
      for_vectors(N, [&](std::int64_t c, int n) {
        const Vec key = get(k + c, n), eta = get(rate + c, n), weight = get(k_k + c, n),
                  share = get(k_a + c, n), g = get(g_new + c, n), one = Vec::broadcast(1.0f);
        const Vec unit = key * weight * scale, g_kappa = (g_unit(c, n) - unit * turn) * scale;
        if (a.g_a)
          accumulate(a.g_a.as<float>() + at + c, n, fma(get(g_beta + c, n), unit, g * key * share));
        if (a.g_k)
          accumulate(a.g_k.as<float>() + at + c, n,
                     fma(g_kappa, weight, g * fma(eta - one, share, one)));
        if (a.g_k_k) accumulate(a.g_k_k.as<float>() + h + c, n, g_kappa * key);
        if (a.g_k_a) accumulate(a.g_k_a.as<float>() + h + c, n, g * key * (eta - one));
      });
    }
  }
}

}  // namespace prwkv::PRWKV_ISA
