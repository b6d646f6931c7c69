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
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t c = 0; c < C; ++c) {
        const double x = ref::load(a.x, t * C + c);
        const double before =
            t > begin ? ref::load(a.x, (t - 1) * C + c) : ref::load(a.first, slot * C + c);
        for (std::size_t i = 0; i < static_cast<std::size_t>(a.n); ++i) {
          const double g = ref::load(a.g_y[i], t * C + c), mu = ref::load(a.mu[i], c);
          const double current = a.mix == ShiftMix::kCurrent ? mu : 1 - mu;
          ref::accumulate(a.g_x, t * C + c, g * current);
          if (t > begin) ref::accumulate(a.g_x, (t - 1) * C + c, g * (1 - current));
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

void RefBackend::shift_by(const ShiftByArgs& a) {
  const auto C = a.x.dim(1);
  for (std::int64_t i = 0; i < a.x.numel(); ++i) {
    ref::store(a.y, i, ref::load(a.x, i) + ref::load(a.delta, i) * ref::load(a.mu, i % C));
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

}  // namespace prwkv
