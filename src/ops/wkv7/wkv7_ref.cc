#include <algorithm>

#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::wkv7(const Wkv7Args& a) {
  const auto H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  for (std::int64_t s = 0; s < a.seqs.n; ++s) {
    const auto [begin, end, slot] = a.seqs[s];
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t h = 0; h < H; ++h) {
        const std::int64_t x = t * A + h * N;  // this head's channels of this token
        for (std::int64_t i = 0; i < N; ++i) {
          const std::int64_t S = ((slot * H + h) * N + i) * N;
          double sa = 0, y = 0;
          for (std::int64_t j = 0; j < N; ++j)
            sa += ref::load(a.state, S + j) * ref::load(a.alpha, x + j);
          for (std::int64_t j = 0; j < N; ++j) {
            const double next = ref::load(a.state, S + j) * ref::load(a.w, x + j) +
                                sa * ref::load(a.beta, x + j) +
                                ref::load(a.v, x + i) * ref::load(a.k, x + j);
            ref::store(a.state, S + j, next);
            y += next * ref::load(a.r, x + j);
          }
          ref::store(a.y, x + i, y);
        }
      }
    }
  }
}

void RefBackend::delta_keys(const DeltaKeysArgs& a) {
  const auto T = a.k.dim(0), A = a.k.dim(1), N = A / a.H;
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t h = 0; h < a.H; ++h) {
      double squares = 0;
      for (std::int64_t c = h * N; c < (h + 1) * N; ++c) {
        const double kappa = ref::load(a.k, t * A + c) * ref::load(a.k_k, c);
        squares += kappa * kappa;
      }
      const double norm = std::max(std::sqrt(squares), 1e-12);
      for (std::int64_t c = h * N; c < (h + 1) * N; ++c) {
        const double k = ref::load(a.k, t * A + c), rate = ref::load(a.a, t * A + c);
        const double kappa = k * ref::load(a.k_k, c) / norm;
        ref::store(a.alpha, t * A + c, -kappa);
        ref::store(a.beta, t * A + c, kappa * rate);
        ref::store(a.k_new, t * A + c, k * (1 + (rate - 1) * ref::load(a.k_a, c)));
      }
    }
  }
}

}  // namespace prwkv
