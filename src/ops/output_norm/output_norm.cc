#include "ops/op.h"

namespace prwkv::op {

Tensor group_norm(Ctx& c, const Tensor& x, const Norm& p, std::int64_t H, double eps,
                  const Tensor& g) {
  for (const Tensor& t : {p.weight, p.bias}) expect_shape("group_norm: ln_x", t, {x.dim(1)});
  if (g) expect_shape("group_norm: gate", g, x.shape);
  Tensor y = c.make(x.shape);
  c.backend.group_norm({y, x, p.weight, p.bias, g, H, eps});
  y = c.result("group_norm", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().group_norm_backward({t.grad(x), t.grad(p.weight), t.grad(p.bias), t.grad(g),
                                       t.grad(y), x, p.weight, p.bias, g, H, eps});
    });
  }
  return y;
}

Tensor wkv7_output(Ctx& c, const Tensor& x, const Wkv7Out& in, const Tensor& r_k, const Norm& p,
                   std::int64_t H, double eps) {
  for (const Tensor& t : {in.r, in.k, in.v, in.g})
    expect_shape("wkv7_output: r, k, v, g", t, x.shape);
  for (const Tensor& t : {r_k, p.weight, p.bias})
    expect_shape("wkv7_output: r_k, ln_x", t, {x.dim(1)});
  Tensor y = c.make(x.shape);
  c.backend.wkv7_output({y, x, in.r, in.k, in.v, in.g, r_k, p.weight, p.bias, H, eps});
  y = c.result("wkv7_output", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().wkv7_output_backward({t.grad(x), t.grad(in.r), t.grad(in.k), t.grad(in.v),
                                        t.grad(in.g), t.grad(r_k), t.grad(p.weight), t.grad(p.bias),
                                        t.grad(y), x, in.r, in.k, in.v, in.g, r_k, p.weight, p.bias,
                                        H, eps});
    });
  }
  return y;
}

}  // namespace prwkv::op
