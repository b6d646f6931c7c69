#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::wkv6(const Wkv6Args& a) {
  const auto H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  const std::int64_t w_row = a.w.numel() == A ? 0 : A;
  for (std::int64_t s = 0; s < a.seqs.n; ++s) {
    const auto [begin, end, slot] = a.seqs[s];
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t h = 0; h < H; ++h) {
        for (std::int64_t i = 0; i < N; ++i) {
          const double v = ref::load(a.v, t * A + h * N + i);
          double y = 0;
          for (std::int64_t j = 0; j < N; ++j) {
            const auto at = ((slot * H + h) * N + i) * N + j, key = h * N + j;
            const double S = ref::load(a.state, at), k = ref::load(a.k, t * A + key);
            y += (S + ref::load(a.u, key) * k * v) * ref::load(a.r, t * A + key);
            ref::store(a.state, at, ref::load(a.w, t * w_row + key) * S + v * k);
          }
          ref::store(a.y, t * A + h * N + i, y);
        }
      }
    }
  }
}

// With G the gradient of the state behind token t, S the state before it, ρ = Σᵢ g_yᵢ vᵢ:
//     g_r = Sᵀ g_y + u ⊙ k ρ    g_u += r ⊙ k ρ    g_w_j = Σᵢ Gᵢⱼ Sᵢⱼ
//     g_k = Gᵀ v + u ⊙ r ρ      g_v = G k + g_y Σⱼ uⱼ rⱼ kⱼ
//     G ← G diag(w) + g_y rᵀ
void RefBackend::wkv6_backward(const Wkv6BackwardArgs& a) {
  const auto H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  const std::int64_t w_row = a.w.numel() == A ? 0 : A;
  const auto NN = static_cast<std::size_t>(N * N);
  for (std::int64_t s = 0; s < a.seqs.n; ++s) {
    const auto [begin, end, slot] = a.seqs[s];
    if (begin == end) continue;
    for (std::int64_t h = 0; h < H; ++h) {
      // The states before each token, as many as there are.
      std::vector<double> S(static_cast<std::size_t>(end - begin) * NN), G(NN);
      const std::int64_t state = (slot * H + h) * N * N;
      for (std::size_t ij = 0; ij < NN; ++ij) {
        S[ij] = ref::load(a.state, state + static_cast<std::int64_t>(ij));
        G[ij] = a.g_state ? ref::load(a.g_state, state + static_cast<std::int64_t>(ij)) : 0;
      }
      for (std::int64_t t = begin; t + 1 < end; ++t) {
        double* now = S.data() + static_cast<std::size_t>(t - begin) * NN;
        for (std::int64_t i = 0; i < N; ++i) {
          for (std::int64_t j = 0; j < N; ++j) {
            now[N * N + i * N + j] =
                ref::load(a.w, t * w_row + h * N + j) * now[i * N + j] +
                ref::load(a.v, t * A + h * N + i) * ref::load(a.k, t * A + h * N + j);
          }
        }
      }
      for (std::int64_t t = end - 1; t >= begin; --t) {
        const double* before = S.data() + static_cast<std::size_t>(t - begin) * NN;
        const std::int64_t x = t * A + h * N;
        double rho = 0, own = 0;
        for (std::int64_t i = 0; i < N; ++i) {
          rho += ref::load(a.g_y, x + i) * ref::load(a.v, x + i);
          own += ref::load(a.u, h * N + i) * ref::load(a.r, x + i) * ref::load(a.k, x + i);
        }
        for (std::int64_t i = 0; i < N; ++i) {
          double g_v = ref::load(a.g_y, x + i) * own;
          for (std::int64_t j = 0; j < N; ++j)
            g_v += G[static_cast<std::size_t>(i * N + j)] * ref::load(a.k, x + j);
          ref::accumulate(a.g_v, x + i, g_v);
        }
        for (std::int64_t j = 0; j < N; ++j) {
          const double u = ref::load(a.u, h * N + j), r = ref::load(a.r, x + j),
                       k = ref::load(a.k, x + j), w = ref::load(a.w, t * w_row + h * N + j);
          double g_r = u * k * rho, g_k = u * r * rho, g_w = 0;
          for (std::int64_t i = 0; i < N; ++i) {
            double& g = G[static_cast<std::size_t>(i * N + j)];
            const double g_y = ref::load(a.g_y, x + i);
            g_r += before[i * N + j] * g_y;
            g_k += g * ref::load(a.v, x + i);
            g_w += g * before[i * N + j];
            g = g * w + g_y * r;
          }
          ref::accumulate(a.g_r, x + j, g_r);
          ref::accumulate(a.g_k, x + j, g_k);
          ref::accumulate(a.g_w, t * w_row + h * N + j, g_w);
          ref::accumulate(a.g_u, h * N + j, r * k * rho);
        }
      }
      for (std::size_t ij = 0; a.g_state && ij < NN; ++ij)
        ref::store(a.g_state, state + static_cast<std::int64_t>(ij), G[ij]);
    }
  }
}

}  // namespace prwkv
