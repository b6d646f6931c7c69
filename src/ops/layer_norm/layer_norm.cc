#include "ops/op.h"

namespace prwkv::op {

Tensor layer_norm(Ctx& c, const Tensor& x, const Norm& p, double eps) {
  expect_shape("layer_norm: weight", p.weight, {x.dim(1)});
  expect_shape("layer_norm: bias", p.bias, {x.dim(1)});
  Tensor y = c.make(x.shape);
  c.backend.layer_norm({y, x, p.weight, p.bias, eps});
  y = c.result("layer_norm", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().layer_norm_backward(
          {t.grad(x), t.grad(p.weight), t.grad(p.bias), t.grad(y), x, p.weight, eps});
    });
  }
  return y;
}

}  // namespace prwkv::op
