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

}  // namespace prwkv
