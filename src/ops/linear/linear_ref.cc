#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::linear(const LinearArgs& a) {
  for (int p = 0; p < a.n; ++p) {
    const Projection& q = a.part[static_cast<std::size_t>(p)];
    const auto T = q.x.dim(0), in = q.x.dim(1), out = q.y.dim(1);
    for (std::int64_t o = 0; o < out; ++o) {
      const std::vector<double> row = ref::load_row(q.w, o);
      for (std::int64_t t = 0; t < T; ++t) {
        double z = 0;
        for (std::int64_t i = 0; i < in; ++i)
          z += row[static_cast<std::size_t>(i)] * ref::load(q.x, t * in + i);
        z = q.scale * z + (q.bias ? ref::load(q.bias, o) : 0) +
            (q.addend ? ref::load(q.addend, t * out + o) : 0);
        if (q.saved) ref::store(q.saved, t * out + o, z);
        ref::store(q.y, t * out + o, ref::apply(q.act, z));
      }
    }
  }
}

void RefBackend::linear_backward(const LinearBackwardArgs& a) {
  const auto T = a.x.dim(0), in = a.x.dim(1), out = a.g_y.dim(1);
  if (a.sets_g_x) zero(a.g_x);
  for (std::int64_t o = 0; o < out; ++o) {
    const std::vector<double> row = ref::load_row(a.w, o);
    for (std::int64_t t = 0; t < T; ++t) {
      const double g = ref::load(a.g_y, t * out + o) *
                       (a.z ? ref::slope(a.act, ref::load(a.z, t * out + o)) : 1);
      ref::accumulate(a.g_bias, o, g);
      ref::accumulate(a.g_addend, t * out + o, g);
      for (std::int64_t i = 0; i < in; ++i) {
        ref::accumulate(a.g_x, t * in + i, a.scale * g * row[static_cast<std::size_t>(i)]);
        ref::accumulate(a.g_w, o * in + i, a.scale * g * ref::load(a.x, t * in + i));
      }
    }
  }
}

}  // namespace prwkv
