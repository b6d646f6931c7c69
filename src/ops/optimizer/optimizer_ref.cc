/// What an optimizer does with gradients. There is no front: nothing of it is differentiated.
#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::sum_of_squares(const SumOfSquaresArgs& a) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.x.numel(); ++i) {
    const double x = ref::load(a.x, i);
    sum += x * x;
  }
  ref::store(a.sum, 0, sum);
}

void RefBackend::adamw(const AdamWArgs& a) {
  for (std::int64_t i = 0; i < a.p.numel(); ++i) {
    const double g = a.gradient_scale * ref::load(a.g, i);
    const double m = a.beta1 * ref::load(a.m, i) + (1 - a.beta1) * g,
                 v = a.beta2 * ref::load(a.v, i) + (1 - a.beta2) * g * g;
    ref::store(a.m, i, m);
    ref::store(a.v, i, v);
    const double step = m / (std::sqrt(v / a.correction2) + a.eps);
    ref::store(a.p, i, (1 - a.lr * a.decay) * ref::load(a.p, i) - a.lr / a.correction1 * step);
  }
}

}  // namespace prwkv
