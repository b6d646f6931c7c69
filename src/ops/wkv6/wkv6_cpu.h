#pragma once

#include "backend/cpu/kernel_table.h"
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

/// R rows of a head's state, from row i on, and all tokens of a sequence. They are walked forward once, keeping the
/// states at the beginning of every run; then run after run from the last, whose states are computed again.
/// Dividing by w instead is not safe: it may be 0.
template <int R>
inline void wkv6_backward_rows(const cpu::Wkv6Backward& b, const Seqs::Range& seq,
                               std::int64_t head, std::int64_t i, float* scratch) {
  const Wkv6BackwardArgs& a = b.args;
  const std::int64_t H = a.state.dim(1), N = a.state.dim(2), A = H * N, h = head * N;
  const std::int64_t w_row = a.w.numel() == A ? 0 : A, run = b.run, size = R * N;
  const std::int64_t T = seq.end - seq.begin, runs = (T + run - 1) / run;
  float *starts = scratch, *states = starts + runs * size, *G = states + (run + 1) * size;
  const std::int64_t slot = (seq.slot * H + head) * N * N + i * N;
  const auto row_of = [&](const Tensor& x, std::int64_t t) { return x.as<float>() + t * A + h; };
  const auto advance = [&](std::int64_t t, const float* from, float* to) {
    const float *w = a.w.as<float>() + t * w_row + h, *k = row_of(a.k, t), *v = row_of(a.v, t) + i;
    for_vectors(N, [&](std::int64_t j, int n) {
      const Vec decay = get(w + j, n), key = get(k + j, n);
#pragma GCC unroll 4
      for (int q = 0; q < R; ++q)
        put(to + q * N + j, n, fma(decay, get(from + q * N + j, n), Vec::broadcast(v[q]) * key));
    });
  };
  std::memcpy(starts, a.state.as<float>() + slot, static_cast<std::size_t>(size) * sizeof(float));
  for (std::int64_t p = 0; p + 1 < runs; ++p) {
    float* next = starts + (p + 1) * size;
    advance(seq.begin + p * run, starts + p * size, next);
    for (std::int64_t t = 1; t < run; ++t) advance(seq.begin + p * run + t, next, next);
  }
  if (a.g_state)
    std::memcpy(G, a.g_state.as<float>() + slot, static_cast<std::size_t>(size) * sizeof(float));
  else
    std::memset(G, 0, static_cast<std::size_t>(size) * sizeof(float));
  for (std::int64_t p = runs - 1; p >= 0; --p) {
    const std::int64_t first = seq.begin + p * run, count = T - p * run < run ? T - p * run : run;
    std::memcpy(states, starts + p * size, static_cast<std::size_t>(size) * sizeof(float));
    for (std::int64_t t = 0; t + 1 < count; ++t)
      advance(first + t, states + t * size, states + (t + 1) * size);
    for (std::int64_t at = count - 1; at >= 0; --at) {
      const std::int64_t t = first + at;
      const float *S = states + at * size, *r = row_of(a.r, t), *k = row_of(a.k, t);
      const float *v = row_of(a.v, t) + i, *g_y = row_of(a.g_y, t) + i;
      Vec g_v[R];
      for (Vec& g : g_v) g = Vec::zero();
      for_vectors(N, [&](std::int64_t j, int n) {
        const Vec decay = get(a.w.as<float>() + t * w_row + h + j, n), query = get(r + j, n),
                  key = get(k + j, n);
        Vec g_r = Vec::zero(), g_k = Vec::zero(), g_w = Vec::zero();
#pragma GCC unroll 4
        for (int q = 0; q < R; ++q) {
          const Vec s = get(S + q * N + j, n), g = get(G + q * N + j, n),
                    out = Vec::broadcast(g_y[q]);
          g_r = fma(s, out, g_r);
          g_k = fma(g, Vec::broadcast(v[q]), g_k);
          g_w = fma(g, s, g_w);
          g_v[q] = fma(g, key, g_v[q]);
          put(G + q * N + j, n, fma(g, decay, out * query));
        }
        if (a.g_r) accumulate(row_of(a.g_r, t) + j, n, g_r);
        if (a.g_k) accumulate(row_of(a.g_k, t) + j, n, g_k);
        if (b.g_w != nullptr) accumulate(b.g_w + t * w_row + h + j, n, g_w);
      });
      if (!a.g_v) continue;
      for (int q = 0; q < R; ++q) row_of(a.g_v, t)[i + q] += sum(g_v[q]);
    }
  }
  if (a.g_state)
    std::memcpy(a.g_state.as<float>() + slot, G, static_cast<std::size_t>(size) * sizeof(float));
}

/// What the bonus gives, which meets no state: with ρ = Σ g_y v,
///     g_r += u ⊙ k ρ    g_k += u ⊙ r ρ    g_u += r ⊙ k ρ    g_v += g_y Σ u r k
inline void wkv6_backward_bonus(const cpu::Wkv6Backward& b, std::int64_t t, std::int64_t h) {
  const Wkv6BackwardArgs& a = b.args;
  const std::int64_t N = a.state.dim(2), A = a.state.dim(1) * N, at = t * A + h;
  const float *u = a.u.as<float>() + h, *r = a.r.as<float>() + at, *k = a.k.as<float>() + at,
              *v = a.v.as<float>() + at, *g_y = a.g_y.as<float>() + at;
  Vec dot = Vec::zero(), along = Vec::zero();
  for_vectors(N, [&](std::int64_t j, int n) {
    dot = fma(get(u + j, n) * get(r + j, n), get(k + j, n), dot);
    along = fma(get(g_y + j, n), get(v + j, n), along);
  });
  const Vec own = Vec::broadcast(sum(dot)), rho = Vec::broadcast(sum(along));
  for_vectors(N, [&](std::int64_t j, int n) {
    const Vec bonus = get(u + j, n) * rho, query = get(r + j, n), key = get(k + j, n);
    if (a.g_r) accumulate(a.g_r.as<float>() + at + j, n, bonus * key);
    if (a.g_k) accumulate(a.g_k.as<float>() + at + j, n, bonus * query);
    if (a.g_v) accumulate(a.g_v.as<float>() + at + j, n, own * get(g_y + j, n));
    if (b.g_u != nullptr) accumulate(b.g_u + h + j, n, rho * query * key);
  });
}

/// Units as in the forward pass.
inline void wkv6_backward(const cpu::Wkv6Backward& all, std::int64_t begin, std::int64_t end) {
  const Wkv6BackwardArgs& a = all.args;
  const std::int64_t H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const std::int64_t s = unit / H, head = unit % H;
    const Seqs::Range seq = a.seqs[s];
    if (seq.begin == seq.end) continue;
    cpu::Wkv6Backward b = all;
    if (b.g_u != nullptr) b.g_u += s * A;
    if (b.g_w != nullptr && a.w.numel() == A) b.g_w += s * A;
    for (std::int64_t t = seq.begin; t < seq.end; ++t) wkv6_backward_bonus(b, t, head * N);
    float* scratch = all.scratch + unit * all.unit_scratch;
    std::int64_t i = 0;
    for (; i + cpu::kStateRows <= N; i += cpu::kStateRows)
      wkv6_backward_rows<cpu::kStateRows>(b, seq, head, i, scratch);
    for (; i < N; ++i) wkv6_backward_rows<1>(b, seq, head, i, scratch);
  }
}

}  // namespace prwkv::PRWKV_ISA
