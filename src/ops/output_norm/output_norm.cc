#include "ops/op.h"

namespace prwkv::op {

Tensor group_norm(Ctx& c, const Tensor& x, const Norm& p, std::int64_t H, double eps,
                  const Tensor& g) {
  c.refuse_tape("group_norm");
  for (const Tensor& t : {p.weight, p.bias}) expect_shape("group_norm: ln_x", t, {x.dim(1)});
  if (g) expect_shape("group_norm: gate", g, x.shape);
  const Tensor y = c.make(x.shape);
  c.backend.group_norm({y, x, p.weight, p.bias, g, H, eps});
  return c.result("group_norm", y);
}

Tensor wkv7_output(Ctx& c, const Tensor& x, const Wkv7Out& in, const Tensor& r_k, const Norm& p,
                   std::int64_t H, double eps) {
  c.refuse_tape("wkv7_output");
  for (const Tensor& t : {in.r, in.k, in.v, in.g})
    expect_shape("wkv7_output: r, k, v, g", t, x.shape);
  for (const Tensor& t : {r_k, p.weight, p.bias})
    expect_shape("wkv7_output: r_k, ln_x", t, {x.dim(1)});
  const Tensor y = c.make(x.shape);
  c.backend.wkv7_output({y, x, in.r, in.k, in.v, in.g, r_k, p.weight, p.bias, H, eps});
  return c.result("wkv7_output", y);
}

}  // namespace prwkv::op
