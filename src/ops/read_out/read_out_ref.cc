#include <algorithm>

#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {
namespace {

/// log Σ_v e^{logits[t][v]}
double log_sum_exp(const Tensor& logits, std::int64_t t) {
  const auto V = logits.dim(1);
  double top = ref::load(logits, t * V), sum = 0;
  for (std::int64_t v = 1; v < V; ++v) top = std::max(top, ref::load(logits, t * V + v));
  for (std::int64_t v = 0; v < V; ++v) sum += std::exp(ref::load(logits, t * V + v) - top);
  return top + std::log(sum);
}

}  // namespace

void RefBackend::cross_entropy(const CrossEntropyArgs& a) {
  const auto T = a.logits.dim(0), V = a.logits.dim(1);
  double loss = 0;
  for (std::int64_t t = 0; t < T; ++t) {
    loss += log_sum_exp(a.logits, t) - ref::load(a.logits, t * V + ref::index(a.targets, t));
  }
  ref::store(a.loss, 0, loss / static_cast<double>(T));
}

void RefBackend::cross_entropy_backward(const CrossEntropyBackwardArgs& a) {
  const auto T = a.logits.dim(0), V = a.logits.dim(1);
  const double scale = ref::load(a.g_loss, 0) / static_cast<double>(T);
  for (std::int64_t t = 0; t < T; ++t) {
    const double lse = log_sum_exp(a.logits, t);
    for (std::int64_t v = 0; v < V; ++v) {
      const double p = std::exp(ref::load(a.logits, t * V + v) - lse);
      ref::accumulate(a.g_logits, t * V + v, scale * (p - (v == ref::index(a.targets, t) ? 1 : 0)));
    }
  }
}

}  // namespace prwkv
