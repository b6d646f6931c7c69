#include <functional>

#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {
namespace {

/// Calls f(t, c, x, x') for every element, then carries the last row of each sequence in `state`.
void for_each_shifted(const Tensor& state, const Tensor& x, const Seqs& seqs,
                      const std::function<void(std::int64_t, std::int64_t, double, double)>& f) {
  const auto C = x.dim(1);
  for (std::int64_t s = 0; s < seqs.n; ++s) {
    const auto [begin, end, slot] = seqs[s];
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t c = 0; c < C; ++c) {
        const double before =
            t > begin ? ref::load(x, (t - 1) * C + c) : ref::load(state, slot * C + c);
        f(t, c, ref::load(x, t * C + c), before);
      }
    }
    for (std::int64_t c = 0; begin < end && c < C; ++c)
      ref::store(state, slot * C + c, ref::load(x, (end - 1) * C + c));
  }
}

/// The last row is what the state becomes: its gradient receives the state's, which begins anew as that of the
/// carried row.
void take_from_state(const Tensor& g_state, const Tensor& g_x, const Seqs::Range& seq) {
  const auto C = g_state ? g_state.dim(1) : 0;
  for (std::int64_t c = 0; seq.begin < seq.end && c < C; ++c) {
    ref::accumulate(g_x, (seq.end - 1) * C + c, ref::load(g_state, seq.slot * C + c));
    ref::store(g_state, seq.slot * C + c, 0);
  }
}

}  // namespace

void RefBackend::token_shift(const TokenShiftArgs& a) {
  const auto C = a.x.dim(1);
  for_each_shifted(
      a.state, a.x, a.seqs, [&](std::int64_t t, std::int64_t c, double x, double before) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(a.n); ++i) {
          const double mu = ref::load(a.mu[i], c);
          const double y =
              a.mix == ShiftMix::kCurrent ? x * mu + before * (1 - mu) : x + (before - x) * mu;
          ref::store(a.y[i], t * C + c, y);
        }
      });
}

void RefBackend::token_shift_backward(const TokenShiftBackwardArgs& a) {
  const auto C = a.x.dim(1);
  for (std::int64_t s = 0; s < a.seqs.n; ++s) {
    const auto [begin, end, slot] = a.seqs[s];
    take_from_state(a.g_state, a.g_x, a.seqs[s]);
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t c = 0; c < C; ++c) {
        const double x = ref::load(a.x, t * C + c);
        const double before =
            t > begin ? ref::load(a.x, (t - 1) * C + c) : ref::load(a.first, slot * C + c);
        for (std::size_t i = 0; i < static_cast<std::size_t>(a.n); ++i) {
          const double g = ref::load(a.g_y[i], t * C + c), mu = ref::load(a.mu[i], c);
          const double current = a.mix == ShiftMix::kCurrent ? mu : 1 - mu;
          ref::accumulate(a.g_x, t * C + c, g * current);
          if (t > begin)
            ref::accumulate(a.g_x, (t - 1) * C + c, g * (1 - current));
          else
            ref::accumulate(a.g_state, slot * C + c, g * (1 - current));
          ref::accumulate(a.g_mu[i], c,
                          a.mix == ShiftMix::kCurrent ? g * (x - before) : g * (before - x));
        }
      }
    }
  }
}

void RefBackend::token_delta(const TokenDeltaArgs& a) {
  const auto C = a.x.dim(1);
  for_each_shifted(a.state, a.x, a.seqs,
                   [&](std::int64_t t, std::int64_t c, double x, double before) {
                     ref::store(a.delta, t * C + c, before - x);
                   });
}

void RefBackend::token_delta_backward(const TokenDeltaBackwardArgs& a) {
  const auto C = a.g_delta.dim(1);
  for (std::int64_t s = 0; s < a.seqs.n; ++s) {
    const auto [begin, end, slot] = a.seqs[s];
    take_from_state(a.g_state, a.g_x, a.seqs[s]);
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t c = 0; c < C; ++c) {
        const double g = ref::load(a.g_delta, t * C + c);
        ref::accumulate(a.g_x, t * C + c, -g);
        if (t > begin)
          ref::accumulate(a.g_x, (t - 1) * C + c, g);
        else
          ref::accumulate(a.g_state, slot * C + c, g);
      }
    }
  }
}

void RefBackend::shift_by(const ShiftByArgs& a) {
  const auto C = a.x.dim(1);
  for (std::int64_t i = 0; i < a.x.numel(); ++i) {
    ref::store(a.y, i, ref::load(a.x, i) + ref::load(a.delta, i) * ref::load(a.mu, i % C));
  }
}

void RefBackend::shift_by_backward(const ShiftByBackwardArgs& a) {
  const auto C = a.delta.dim(1);
  for (std::int64_t i = 0; i < a.delta.numel(); ++i) {
    const double g = ref::load(a.g_y, i);
    ref::accumulate(a.g_x, i, g);
    ref::accumulate(a.g_delta, i, g * ref::load(a.mu, i % C));
    ref::accumulate(a.g_mu, i % C, g * ref::load(a.delta, i));
  }
}

void RefBackend::data_shift(const DataShiftArgs& a) {
  const auto T = a.x.dim(0), C = a.x.dim(1), D = a.z.dim(1) / DataShiftArgs::kMax;
  for (std::size_t q = 0; q < DataShiftArgs::kMax; ++q) {
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t c = 0; c < C; ++c) {
        double mu = ref::load(a.maa[q], c);
        for (std::int64_t d = 0; d < D; ++d) {
          mu += ref::load(a.w2[q], c * D + d) *
                ref::load(a.z, (t * DataShiftArgs::kMax + static_cast<std::int64_t>(q)) * D + d);
        }
        ref::store(a.y[q], t * C + c,
                   ref::load(a.x, t * C + c) + ref::load(a.delta, t * C + c) * mu);
      }
    }
  }
}

// With μ_q = maa_q + W2_q z_q and g_μ = g_y ⊙ δ:
//     g_x += g_y    g_δ += g_y ⊙ μ_q    g_maa_q += Σ g_μ    g_z_q += W2_qᵀ g_μ    g_W2_q += g_μ z_qᵀ
void RefBackend::data_shift_backward(const DataShiftBackwardArgs& a) {
  const auto T = a.delta.dim(0), C = a.delta.dim(1), D = a.z.dim(1) / DataShiftArgs::kMax;
  for (std::size_t q = 0; q < DataShiftArgs::kMax; ++q) {
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t z = (t * DataShiftArgs::kMax + static_cast<std::int64_t>(q)) * D;
      for (std::int64_t c = 0; c < C; ++c) {
        const double g = ref::load(a.g_y[q], t * C + c), g_mu = g * ref::load(a.delta, t * C + c);
        double mu = ref::load(a.maa[q], c);
        for (std::int64_t d = 0; d < D; ++d) {
          const double w = ref::load(a.w2[q], c * D + d);
          mu += w * ref::load(a.z, z + d);
          ref::accumulate(a.g_z, z + d, w * g_mu);
          ref::accumulate(a.g_w2[q], c * D + d, g_mu * ref::load(a.z, z + d));
        }
        ref::accumulate(a.g_x, t * C + c, g);
        ref::accumulate(a.g_delta, t * C + c, g * mu);
        ref::accumulate(a.g_maa[q], c, g_mu);
      }
    }
  }
}

}  // namespace prwkv
