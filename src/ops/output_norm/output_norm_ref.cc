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

}  // namespace prwkv
