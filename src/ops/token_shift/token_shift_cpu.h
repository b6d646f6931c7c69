#pragma once

#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// Calls f(t, x_t, x'_t) for rows [begin, end), x' being the row before in the same sequence or the
/// carried one.
template <class F>
inline void for_shifted_rows(const Tensor& x, const Tensor& state, const Seqs& seqs,
                             std::int64_t begin, std::int64_t end, const F& f) {
  const std::int64_t C = x.dim(1);
  for (std::int64_t s = 0; s < seqs.n; ++s) {
    const Seqs::Range seq = seqs[s];
    const std::int64_t first = seq.begin > begin ? seq.begin : begin,
                       last = seq.end < end ? seq.end : end;
    for (std::int64_t t = first; t < last; ++t) {
      const float* row = x.as<float>() + t * C;
      f(t, row, t > seq.begin ? row - C : state.as<float>() + seq.slot * C);
    }
  }
}

inline void token_shift(const TokenShiftArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t C = a.x.dim(1);
  const auto count = static_cast<std::size_t>(a.n);
  for_shifted_rows(
      a.x, a.state, a.seqs, begin, end, [&](std::int64_t t, const float* x, const float* before) {
        for_vectors(C, [&](std::int64_t c, int n) {
          const Vec now = get(x + c, n), past = get(before + c, n), one = Vec::broadcast(1.0f);
          for (std::size_t i = 0; i < count; ++i) {
            const Vec mu = get(a.mu[i].as<float>() + c, n);
            const Vec y = a.mix == ShiftMix::kCurrent ? fma(now, mu, past * (one - mu))
                                                      : fma(past - now, mu, now);
            put(a.y[i].as<float>() + t * C + c, n, y);
          }
        });
      });
}

inline void token_delta(const TokenDeltaArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t C = a.x.dim(1);
  for_shifted_rows(a.x, a.state, a.seqs, begin, end,
                   [&](std::int64_t t, const float* x, const float* before) {
                     for_vectors(C, [&](std::int64_t c, int n) {
                       put(a.delta.as<float>() + t * C + c, n, get(before + c, n) - get(x + c, n));
                     });
                   });
}

inline void shift_by(const ShiftByArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t C = a.x.dim(1);
  for (std::int64_t t = begin; t < end; ++t) {
    const std::int64_t at = t * C;
    for_vectors(C, [&](std::int64_t c, int n) {
      const Vec delta = get(a.delta.as<float>() + at + c, n);
      put(a.y.as<float>() + at + c, n,
          fma(delta, get(a.mu.as<float>() + c, n), get(a.x.as<float>() + at + c, n)));
    });
  }
}

/// The last step: y_q holds maa_q + W2_q z_q and becomes x + δ ⊙ y_q.
inline void data_shift(const DataShiftArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t C = a.x.dim(1);
  for (std::int64_t t = begin; t < end; ++t) {
    const std::int64_t at = t * C;
    for_vectors(C, [&](std::int64_t c, int n) {
      const Vec x = get(a.x.as<float>() + at + c, n), delta = get(a.delta.as<float>() + at + c, n);
      for (const Tensor& q : a.y) {
        float* y = q.as<float>() + at + c;
        put(y, n, fma(delta, get(y, n), x));
      }
    });
  }
}

/// For one vector of channels, from the first row of each sequence to the last: f(t, now, before, own, past) adds what
/// row t gives to its own x and to the row before it. That of a row is complete when the next one has been
/// met, or the state behind the sequence.
template <class F>
inline __attribute__((always_inline)) void for_shifted_gradients(const Tensor& g_x,
                                                                 const Tensor& g_state,
                                                                 const Seqs& seqs, std::int64_t C,
                                                                 std::int64_t c, int n,
                                                                 const F& f) {
  for (std::int64_t s = 0; s < seqs.n; ++s) {
    const Seqs::Range seq = seqs[s];
    if (seq.begin == seq.end) continue;
    Vec waiting = Vec::zero();
    float* state = g_state ? g_state.as<float>() + seq.slot * C + c : nullptr;
    const Vec behind = state != nullptr ? get(state, n) : Vec::zero();
    for (std::int64_t t = seq.begin; t < seq.end; ++t) {
      Vec own = Vec::zero(), past = Vec::zero();
      f(t, seq, own, past);
      if (t > seq.begin) {
        if (g_x) accumulate(g_x.as<float>() + (t - 1) * C + c, n, waiting + past);
      } else if (state != nullptr) {
        put(state, n, past);
      }
      waiting = own;
    }
    if (g_x) accumulate(g_x.as<float>() + (seq.end - 1) * C + c, n, waiting + behind);
  }
}

inline void token_shift_backward(const TokenShiftBackwardArgs& a, std::int64_t begin,
                                 std::int64_t end) {
  const std::int64_t C = a.x.dim(1);
  const auto count = static_cast<std::size_t>(a.n);
  const Vec one = Vec::broadcast(1.0f);
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    const std::int64_t c = begin + i;
    Vec current[TokenShiftArgs::kMax], g_mu[TokenShiftArgs::kMax];
    for (std::size_t q = 0; q < count; ++q) {
      const Vec mu = get(a.mu[q].as<float>() + c, n);
      current[q] = a.mix == ShiftMix::kCurrent ? mu : one - mu;
      g_mu[q] = Vec::zero();
    }
    for_shifted_gradients(
        a.g_x, a.g_state, a.seqs, C, c, n,
        [&](std::int64_t t, const Seqs::Range& seq, Vec& own, Vec& past) {
          const float* x = a.x.as<float>() + t * C + c;
          const float* before = t > seq.begin ? x - C : a.first.as<float>() + seq.slot * C + c;
          const Vec step = get(x, n) - get(before, n);
          for (std::size_t q = 0; q < count; ++q) {
            const Vec g = get(a.g_y[q].as<float>() + t * C + c, n), to_own = g * current[q];
            own = own + to_own;
            past = past + (g - to_own);
            g_mu[q] = fma(g, step, g_mu[q]);
          }
        });
    for (std::size_t q = 0; q < count; ++q) {
      if (!a.g_mu[q]) continue;
      accumulate(a.g_mu[q].as<float>() + c, n,
                 a.mix == ShiftMix::kCurrent ? g_mu[q] : Vec::zero() - g_mu[q]);
    }
  });
}

inline void token_delta_backward(const TokenDeltaBackwardArgs& a, std::int64_t begin,
                                 std::int64_t end) {
  const std::int64_t C = a.g_delta.dim(1);
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    const std::int64_t c = begin + i;
    for_shifted_gradients(a.g_x, a.g_state, a.seqs, C, c, n,
                          [&](std::int64_t t, const Seqs::Range&, Vec& own, Vec& past) {
                            past = get(a.g_delta.as<float>() + t * C + c, n);
                            own = Vec::zero() - past;
                          });
  });
}

inline void shift_by_backward(const ShiftByBackwardArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t T = a.delta.dim(0), C = a.delta.dim(1);
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    const std::int64_t c = begin + i;
    const Vec mu = get(a.mu.as<float>() + c, n);
    Vec g_mu = Vec::zero();
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t at = t * C + c;
      const Vec g = get(a.g_y.as<float>() + at, n);
      if (a.g_x) accumulate(a.g_x.as<float>() + at, n, g);
      if (a.g_delta) accumulate(a.g_delta.as<float>() + at, n, g * mu);
      g_mu = fma(g, get(a.delta.as<float>() + at, n), g_mu);
    }
    if (a.g_mu) accumulate(a.g_mu.as<float>() + c, n, g_mu);
  });
}

}  // namespace prwkv::PRWKV_ISA
