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

}  // namespace prwkv::PRWKV_ISA
