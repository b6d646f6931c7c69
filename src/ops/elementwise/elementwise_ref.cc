#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::spread(const SpreadArgs& a) {
  const std::int64_t each = a.y.numel() / a.p.numel();
  for (std::int64_t i = 0; i < a.y.numel(); ++i)
    ref::store(a.y, i, ref::apply(a.act, ref::load(a.p, i / each)));
}

void RefBackend::spread_backward(const SpreadBackwardArgs& a) {
  const std::int64_t each = a.g_y.numel() / a.p.numel();
  for (std::int64_t i = 0; i < a.g_y.numel(); ++i) {
    ref::accumulate(a.g_p, i / each,
                    ref::load(a.g_y, i) * ref::slope(a.act, ref::load(a.p, i / each)));
  }
}

void RefBackend::mul(const MulArgs& a) {
  for (std::int64_t i = 0; i < a.y.numel(); ++i)
    ref::store(a.y, i, ref::load(a.a, i) * ref::load(a.b, i));
}

void RefBackend::mul_backward(const MulBackwardArgs& a) {
  for (std::int64_t i = 0; i < a.g_y.numel(); ++i) {
    const double g = ref::load(a.g_y, i);
    ref::accumulate(a.g_a, i, g * ref::load(a.b, i));
    ref::accumulate(a.g_b, i, g * ref::load(a.a, i));
  }
}

void RefBackend::add(const AddArgs& a) {
  for (std::int64_t i = 0; i < a.y.numel(); ++i)
    ref::store(a.y, i, ref::load(a.a, i) + ref::load(a.b, i));
}

void RefBackend::add_backward(const AddBackwardArgs& a) {
  for (std::int64_t i = 0; i < a.g_y.numel(); ++i) ref::accumulate(a.g_x, i, ref::load(a.g_y, i));
}

void RefBackend::lerp(const LerpArgs& a) {
  for (std::int64_t i = 0; i < a.y.numel(); ++i) {
    const double from = ref::load(a.a, i), to = ref::load(a.b, i);
    ref::store(a.y, i, from + (to - from) * ref::load(a.m, i));
  }
}

void RefBackend::lerp_backward(const LerpBackwardArgs& a) {
  for (std::int64_t i = 0; i < a.g_y.numel(); ++i) {
    const double g = ref::load(a.g_y, i), m = ref::load(a.m, i);
    ref::accumulate(a.g_a, i, g * (1 - m));
    ref::accumulate(a.g_b, i, g * m);
    ref::accumulate(a.g_m, i, g * (ref::load(a.b, i) - ref::load(a.a, i)));
  }
}

void RefBackend::copy(const CopyArgs& a) {
  for (std::int64_t i = 0; i < a.y.numel(); ++i) ref::store(a.y, i, ref::load(a.x, i));
}

void RefBackend::gather_rows(const GatherRowsArgs& a) {
  const auto n = a.y.dim(0), C = a.y.dim(1);
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t c = 0; c < C; ++c)
      ref::store(a.y, r * C + c, ref::load(a.x, ref::index(a.rows, r) * C + c));
  }
}

void RefBackend::gather_rows_backward(const GatherRowsBackwardArgs& a) {
  const auto n = a.g_y.dim(0), C = a.g_y.dim(1);
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t c = 0; c < C; ++c) {
      ref::accumulate(a.g_x, ref::index(a.rows, r) * C + c, ref::load(a.g_y, r * C + c));
    }
  }
}

}  // namespace prwkv
