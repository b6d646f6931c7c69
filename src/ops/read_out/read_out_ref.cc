#include <algorithm>

#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::cross_entropy(const CrossEntropyArgs& a) {
  const auto T = a.logits.dim(0), V = a.logits.dim(1);
  for (std::int64_t t = 0; t < T; ++t) {
    std::vector<double> z(static_cast<std::size_t>(V));
    for (std::size_t v = 0; v < z.size(); ++v)
      z[v] = ref::load(a.logits, t * V + static_cast<std::int64_t>(v));
    const auto top = std::max_element(z.begin(), z.end());
    double sum = 0;
    for (const double x : z) sum += std::exp(x - *top);
    const double log_sum_exp = *top + std::log(sum);
    const std::int32_t target = ref::index(a.targets, t);
    const bool counts = target >= 0;
    ref::store(a.loss, t, counts ? log_sum_exp - z[static_cast<std::size_t>(target)] : 0);
    if (!a.gradient) continue;
    for (std::size_t v = 0; v < z.size(); ++v) {
      const double slope =
          std::exp(z[v] - log_sum_exp) - (static_cast<std::int64_t>(v) == target ? 1 : 0) +
          (z.begin() + static_cast<std::ptrdiff_t>(v) == top ? a.l2wrap * z[v] : 0);
      ref::store(a.gradient, t * V + static_cast<std::int64_t>(v), counts ? a.scale * slope : 0);
    }
  }
}

}  // namespace prwkv
