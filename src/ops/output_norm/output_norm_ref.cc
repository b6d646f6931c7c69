#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {
namespace {

/// The normalised, scaled and shifted channels [begin, begin + N) of row t.
std::vector<double> group_norm_of(const Tensor& x, const Tensor& w, const Tensor& b, double eps,
                                  std::int64_t t, std::int64_t begin, std::int64_t N) {
  const auto A = x.dim(1);
  std::vector<double> y(static_cast<std::size_t>(N));
  double mean = 0, variance = 0;
  for (std::int64_t c = 0; c < N; ++c)
    mean += ref::load(x, t * A + begin + c) / static_cast<double>(N);
  for (std::int64_t c = 0; c < N; ++c) {
    const double d = ref::load(x, t * A + begin + c) - mean;
    variance += d * d / static_cast<double>(N);
  }
  for (std::int64_t c = 0; c < N; ++c) {
    const double normal = (ref::load(x, t * A + begin + c) - mean) / std::sqrt(variance + eps);
    y[static_cast<std::size_t>(c)] = normal * ref::load(w, begin + c) + ref::load(b, begin + c);
  }
  return y;
}

/// What the gradient g_z of the normalised, scaled and shifted channels gives to x, w and b:
///     ĝ = g_z ⊙ w    g_x = (ĝ − mean ĝ − x̂ mean(ĝ ⊙ x̂)) / sqrt(var + eps)    g_w += g_z ⊙ x̂    g_b += g_z
void group_norm_backward_of(const std::vector<double>& g_z, const Tensor& x, const Tensor& w,
                            double eps, std::int64_t t, std::int64_t begin, const Tensor& g_x,
                            const Tensor& g_w, const Tensor& g_b) {
  const auto A = x.dim(1), N = static_cast<std::int64_t>(g_z.size());
  const auto n = static_cast<double>(N);
  double mean = 0, variance = 0, mean_g = 0, mean_gx = 0;
  for (std::int64_t c = 0; c < N; ++c) mean += ref::load(x, t * A + begin + c) / n;
  for (std::int64_t c = 0; c < N; ++c) {
    const double d = ref::load(x, t * A + begin + c) - mean;
    variance += d * d / n;
  }
  const double scale = 1 / std::sqrt(variance + eps);
  const auto normal = [&](std::int64_t c) {
    return (ref::load(x, t * A + begin + c) - mean) * scale;
  };
  for (std::int64_t c = 0; c < N; ++c) {
    const double g = g_z[static_cast<std::size_t>(c)] * ref::load(w, begin + c);
    mean_g += g / n;
    mean_gx += g * normal(c) / n;
  }
  for (std::int64_t c = 0; c < N; ++c) {
    const double z = g_z[static_cast<std::size_t>(c)];
    ref::accumulate(g_x, t * A + begin + c,
                    scale * (z * ref::load(w, begin + c) - mean_g - normal(c) * mean_gx));
    ref::accumulate(g_w, begin + c, z * normal(c));
    ref::accumulate(g_b, begin + c, z);
  }
}

}  // namespace

void RefBackend::group_norm(const GroupNormArgs& a) {
  const auto T = a.x.dim(0), A = a.x.dim(1), N = A / a.H;
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t h = 0; h < a.H; ++h) {
      const auto y = group_norm_of(a.x, a.w, a.b, a.eps, t, h * N, N);
      for (std::int64_t c = 0; c < N; ++c) {
        const auto at = t * A + h * N + c;
        ref::store(a.y, at, y[static_cast<std::size_t>(c)] * (a.g ? ref::load(a.g, at) : 1));
      }
    }
  }
}

void RefBackend::wkv7_output(const Wkv7OutputArgs& a) {
  const auto T = a.x.dim(0), A = a.x.dim(1), N = A / a.H;
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t h = 0; h < a.H; ++h) {
      const auto y = group_norm_of(a.x, a.w, a.b, a.eps, t, h * N, N);
      double bonus = 0;
      for (std::int64_t c = h * N; c < (h + 1) * N; ++c) {
        bonus += ref::load(a.r, t * A + c) * ref::load(a.k, t * A + c) * ref::load(a.r_k, c);
      }
      for (std::int64_t c = 0; c < N; ++c) {
        const auto at = t * A + h * N + c;
        ref::store(
            a.y, at,
            (y[static_cast<std::size_t>(c)] + bonus * ref::load(a.v, at)) * ref::load(a.g, at));
      }
    }
  }
}

void RefBackend::group_norm_backward(const GroupNormBackwardArgs& a) {
  const auto T = a.x.dim(0), A = a.x.dim(1), N = A / a.H;
  std::vector<double> g_z(static_cast<std::size_t>(N));
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t h = 0; h < a.H; ++h) {
      const auto z = group_norm_of(a.x, a.w, a.b, a.eps, t, h * N, N);
      for (std::int64_t c = 0; c < N; ++c) {
        const auto at = t * A + h * N + c;
        const double g_y = ref::load(a.g_y, at);
        g_z[static_cast<std::size_t>(c)] = g_y * (a.g ? ref::load(a.g, at) : 1);
        ref::accumulate(a.g_g, at, g_y * z[static_cast<std::size_t>(c)]);
      }
      group_norm_backward_of(g_z, a.x, a.w, a.eps, t, h * N, a.g_x, a.g_w, a.g_b);
    }
  }
}

// With b = Σ r k r_k, g_z = g_y ⊙ g and ρ = Σ g_z v of a head:
//     g_g = g_y ⊙ (z + b v)    g_v = b g_z    g_r = ρ k ⊙ r_k    g_k = ρ r ⊙ r_k    g_r_k += ρ r ⊙ k
void RefBackend::wkv7_output_backward(const Wkv7OutputBackwardArgs& a) {
  const auto T = a.x.dim(0), A = a.x.dim(1), N = A / a.H;
  std::vector<double> g_z(static_cast<std::size_t>(N));
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t h = 0; h < a.H; ++h) {
      const auto z = group_norm_of(a.x, a.w, a.b, a.eps, t, h * N, N);
      double bonus = 0, rho = 0;
      for (std::int64_t c = 0; c < N; ++c) {
        const auto at = t * A + h * N + c;
        g_z[static_cast<std::size_t>(c)] = ref::load(a.g_y, at) * ref::load(a.g, at);
        bonus += ref::load(a.r, at) * ref::load(a.k, at) * ref::load(a.r_k, h * N + c);
        rho += g_z[static_cast<std::size_t>(c)] * ref::load(a.v, at);
      }
      for (std::int64_t c = 0; c < N; ++c) {
        const auto at = t * A + h * N + c;
        const double r = ref::load(a.r, at), k = ref::load(a.k, at),
                     r_k = ref::load(a.r_k, h * N + c);
        ref::accumulate(
            a.g_g, at,
            ref::load(a.g_y, at) * (z[static_cast<std::size_t>(c)] + bonus * ref::load(a.v, at)));
        ref::accumulate(a.g_v, at, bonus * g_z[static_cast<std::size_t>(c)]);
        ref::accumulate(a.g_r, at, rho * k * r_k);
        ref::accumulate(a.g_k, at, rho * r * r_k);
        ref::accumulate(a.g_r_k, h * N + c, rho * r * k);
      }
      group_norm_backward_of(g_z, a.x, a.w, a.eps, t, h * N, a.g_x, a.g_w, a.g_b);
    }
  }
}

}  // namespace prwkv
