#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::tiny_attention(const TinyAttentionArgs& a) {
  const auto C = a.v.dim(1), D = a.q.dim(1);
  for (std::int64_t s = 0; s < a.seqs.n; ++s) {
    const auto [begin, end, slot] = a.seqs[s];
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t c = 0; c < C; ++c) {
        double y = 0;
        for (std::int64_t d = 0; d < D; ++d) {
          const auto at = (slot * C + c) * D + d;
          const double M =
              ref::load(a.state, at) + ref::load(a.v, t * C + c) * ref::load(a.k, t * D + d);
          ref::store(a.state, at, M);
          y += M * ref::load(a.q, t * D + d);
        }
        ref::store(a.y, t * C + c, y / std::sqrt(static_cast<double>(D)));
      }
    }
  }
}

// With G the gradient of M behind token t:
//     G ← G + g_y qᵀ / √D    g_q = Mᵀ g_y / √D    g_v = G k    g_k = Gᵀ v
// G reaches the state before the token as it is.
void RefBackend::tiny_attention_backward(const TinyAttentionBackwardArgs& a) {
  const auto C = a.v.dim(1), D = a.q.dim(1);
  const double scale = 1 / std::sqrt(static_cast<double>(D));
  for (std::int64_t s = 0; s < a.seqs.n; ++s) {
    const auto [begin, end, slot] = a.seqs[s];
    if (begin == end) continue;
    std::vector<double> M(static_cast<std::size_t>(C * D)), G(M.size());
    for (std::size_t i = 0; i < M.size(); ++i) {
      const std::int64_t at = slot * C * D + static_cast<std::int64_t>(i);
      M[i] = ref::load(a.state, at);
      G[i] = a.g_state ? ref::load(a.g_state, at) : 0;
    }
    const auto add = [&](std::int64_t t, double sign) {  // a sum: tokens can be taken out again
      for (std::int64_t c = 0; c < C; ++c) {
        for (std::int64_t d = 0; d < D; ++d)
          M[static_cast<std::size_t>(c * D + d)] +=
              sign * ref::load(a.v, t * C + c) * ref::load(a.k, t * D + d);
      }
    };
    for (std::int64_t t = begin; t < end; ++t) add(t, 1);
    for (std::int64_t t = end - 1; t >= begin; --t) {
      for (std::int64_t d = 0; d < D; ++d) {
        double g_q = 0, g_k = 0;
        for (std::int64_t c = 0; c < C; ++c) {
          const auto i = static_cast<std::size_t>(c * D + d);
          const double g_y = scale * ref::load(a.g_y, t * C + c);
          G[i] += g_y * ref::load(a.q, t * D + d);
          g_q += M[i] * g_y;
          g_k += G[i] * ref::load(a.v, t * C + c);
          ref::accumulate(a.g_v, t * C + c, G[i] * ref::load(a.k, t * D + d));
        }
        ref::accumulate(a.g_q, t * D + d, g_q);
        ref::accumulate(a.g_k, t * D + d, g_k);
      }
      add(t, -1);
    }
    for (std::size_t i = 0; a.g_state && i < G.size(); ++i)
      ref::store(a.g_state, slot * C * D + static_cast<std::int64_t>(i), G[i]);
  }
}

}  // namespace prwkv
