#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {
namespace {

struct Moments {
  double mean, rstd;
};

Moments moments(const Tensor& x, std::int64_t row, std::int64_t C, double eps) {
  double sum = 0, squares = 0;
  for (std::int64_t c = 0; c < C; ++c) sum += ref::load(x, row * C + c);
  const double mean = sum / static_cast<double>(C);
  for (std::int64_t c = 0; c < C; ++c) {
    const double d = ref::load(x, row * C + c) - mean;
    squares += d * d;
  }
  return {mean, 1 / std::sqrt(squares / static_cast<double>(C) + eps)};
}

}  // namespace

void RefBackend::layer_norm(const LayerNormArgs& a) {
  const auto T = a.x.dim(0), C = a.x.dim(1);
  for (std::int64_t t = 0; t < T; ++t) {
    const auto [mean, rstd] = moments(a.x, t, C, a.eps);
    for (std::int64_t c = 0; c < C; ++c) {
      const double normal = (ref::load(a.x, t * C + c) - mean) * rstd;
      ref::store(a.y, t * C + c, normal * ref::load(a.w, c) + ref::load(a.b, c));
    }
  }
}

// x̂ = (x − mean) rstd, ĝ = g_y ⊙ w:  g_x = rstd (ĝ − mean(ĝ) − x̂ mean(ĝ ⊙ x̂))
void RefBackend::layer_norm_backward(const LayerNormBackwardArgs& a) {
  const auto T = a.x.dim(0), C = a.x.dim(1);
  for (std::int64_t t = 0; t < T; ++t) {
    const auto [mean, rstd] = moments(a.x, t, C, a.eps);
    double mean_g = 0, mean_gx = 0;
    for (std::int64_t c = 0; c < C; ++c) {
      const double normal = (ref::load(a.x, t * C + c) - mean) * rstd,
                   g_y = ref::load(a.g_y, t * C + c);
      const double g = g_y * ref::load(a.w, c);
      mean_g += g / static_cast<double>(C);
      mean_gx += g * normal / static_cast<double>(C);
      ref::accumulate(a.g_w, c, g_y * normal);
      ref::accumulate(a.g_b, c, g_y);
    }
    for (std::int64_t c = 0; c < C; ++c) {
      const double normal = (ref::load(a.x, t * C + c) - mean) * rstd;
      const double g = ref::load(a.g_y, t * C + c) * ref::load(a.w, c);
      ref::accumulate(a.g_x, t * C + c, rstd * (g - mean_g - normal * mean_gx));
    }
  }
}

}  // namespace prwkv
