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

}  // namespace prwkv
