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

// With G the gradient of the state S behind token t, S' the state before it, s = S' α:
//     G ← G + g_y rᵀ
//     g_r = Sᵀ g_y    g_v = G k    g_k = Gᵀ v    g_β = Gᵀ s    g_s = G β    g_α = S'ᵀ g_s
//     g_w_j = Σᵢ Gᵢⱼ S'ᵢⱼ
//     G ← G diag(w) + g_s αᵀ
void RefBackend::wkv7_backward(const Wkv7BackwardArgs& a) {
  const auto H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  const auto NN = static_cast<std::size_t>(N * N);
  for (std::int64_t q = 0; q < a.seqs.n; ++q) {
    const auto [begin, end, slot] = a.seqs[q];
    if (begin == end) continue;
    const auto T = static_cast<std::size_t>(end - begin);
    for (std::int64_t h = 0; h < H; ++h) {
      // The states before each token and behind the last one; s of each token.
      std::vector<double> S((T + 1) * NN), s(T * static_cast<std::size_t>(N)), G(NN);
      const std::int64_t state = (slot * H + h) * N * N;
      for (std::size_t ij = 0; ij < NN; ++ij) {
        S[ij] = ref::load(a.state, state + static_cast<std::int64_t>(ij));
        G[ij] = a.g_state ? ref::load(a.g_state, state + static_cast<std::int64_t>(ij)) : 0;
      }
      for (std::int64_t t = begin; t < end; ++t) {
        const std::int64_t x = t * A + h * N;
        const double* before = S.data() + static_cast<std::size_t>(t - begin) * NN;
        double* behind = S.data() + static_cast<std::size_t>(t - begin + 1) * NN;
        for (std::int64_t i = 0; i < N; ++i) {
          double& sa = s[static_cast<std::size_t>((t - begin) * N + i)];
          for (std::int64_t j = 0; j < N; ++j) sa += before[i * N + j] * ref::load(a.alpha, x + j);
          for (std::int64_t j = 0; j < N; ++j) {
            behind[i * N + j] = before[i * N + j] * ref::load(a.w, x + j) +
                                sa * ref::load(a.beta, x + j) +
                                ref::load(a.v, x + i) * ref::load(a.k, x + j);
          }
        }
      }
      std::vector<double> g_s(static_cast<std::size_t>(N));
      for (std::int64_t t = end - 1; t >= begin; --t) {
        const std::int64_t x = t * A + h * N;
        const double* before = S.data() + static_cast<std::size_t>(t - begin) * NN;
        const double* behind = S.data() + static_cast<std::size_t>(t - begin + 1) * NN;
        const double* sa = s.data() + (t - begin) * N;
        for (std::int64_t i = 0; i < N; ++i) {
          double g_v = 0, g_si = 0;
          for (std::int64_t j = 0; j < N; ++j) {
            double& g = G[static_cast<std::size_t>(i * N + j)];
            g += ref::load(a.g_y, x + i) * ref::load(a.r, x + j);
            g_v += g * ref::load(a.k, x + j);
            g_si += g * ref::load(a.beta, x + j);
          }
          g_s[static_cast<std::size_t>(i)] = g_si;
          ref::accumulate(a.g_v, x + i, g_v);
        }
        for (std::int64_t j = 0; j < N; ++j) {
          const double w = ref::load(a.w, x + j), alpha = ref::load(a.alpha, x + j);
          double g_r = 0, g_k = 0, g_beta = 0, g_alpha = 0, g_w = 0;
          for (std::int64_t i = 0; i < N; ++i) {
            double& g = G[static_cast<std::size_t>(i * N + j)];
            const double g_si = g_s[static_cast<std::size_t>(i)];
            g_r += behind[i * N + j] * ref::load(a.g_y, x + i);
            g_k += g * ref::load(a.v, x + i);
            g_beta += g * sa[i];
            g_alpha += before[i * N + j] * g_si;
            g_w += g * before[i * N + j];
            g = g * w + g_si * alpha;
          }
          ref::accumulate(a.g_r, x + j, g_r);
          ref::accumulate(a.g_k, x + j, g_k);
          ref::accumulate(a.g_beta, x + j, g_beta);
          ref::accumulate(a.g_alpha, x + j, g_alpha);
          ref::accumulate(a.g_w, x + j, g_w);
        }
      }
      for (std::size_t ij = 0; a.g_state && ij < NN; ++ij)
        ref::store(a.g_state, state + static_cast<std::int64_t>(ij), G[ij]);
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

// With κ = k ⊙ k_k and n its norm:
//     g_κ̂ = g_β ⊙ a − g_α            g_κ = (g_κ̂ − κ̂ (κ̂ · g_κ̂)) / n;  without the second term where n is below 1e-12
//     g_a = g_β ⊙ κ̂ + g_k' ⊙ k ⊙ k_a    g_k_k += g_κ ⊙ k    g_k_a += g_k' ⊙ k ⊙ (a − 1)
//     g_k = g_κ ⊙ k_k + g_k' ⊙ (1 + (a − 1) ⊙ k_a)
void RefBackend::delta_keys_backward(const DeltaKeysBackwardArgs& a) {
  const auto T = a.k.dim(0), A = a.k.dim(1), N = A / a.H;
  std::vector<double> unit(static_cast<std::size_t>(N)), g_unit(unit.size());
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t h = 0; h < a.H; ++h) {
      const std::int64_t first = h * N, x = t * A + first;
      double squares = 0, along = 0;
      for (std::int64_t c = 0; c < N; ++c) {
        unit[static_cast<std::size_t>(c)] = ref::load(a.k, x + c) * ref::load(a.k_k, first + c);
        squares += unit[static_cast<std::size_t>(c)] * unit[static_cast<std::size_t>(c)];
      }
      const bool is_short = std::sqrt(squares) < 1e-12;
      const double norm = is_short ? 1e-12 : std::sqrt(squares);
      for (std::int64_t c = 0; c < N; ++c) {
        const auto i = static_cast<std::size_t>(c);
        unit[i] /= norm;
        g_unit[i] =
            ref::load(a.g_beta, x + c) * ref::load(a.a, x + c) - ref::load(a.g_alpha, x + c);
        if (!is_short) along += unit[i] * g_unit[i];
      }
      for (std::int64_t c = 0; c < N; ++c) {
        const auto i = static_cast<std::size_t>(c);
        const double k = ref::load(a.k, x + c), rate = ref::load(a.a, x + c),
                     k_k = ref::load(a.k_k, first + c), k_a = ref::load(a.k_a, first + c),
                     g_new = ref::load(a.g_k_new, x + c);
        const double g_kappa = (g_unit[i] - unit[i] * along) / norm;
        ref::accumulate(a.g_a, x + c, ref::load(a.g_beta, x + c) * unit[i] + g_new * k * k_a);
        ref::accumulate(a.g_k, x + c, g_kappa * k_k + g_new * (1 + (rate - 1) * k_a));
        ref::accumulate(a.g_k_k, first + c, g_kappa * k);
        ref::accumulate(a.g_k_a, first + c, g_new * k * (rate - 1));
      }
    }
  }
}

}  // namespace prwkv
