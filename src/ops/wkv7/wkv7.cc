#include "ops/op.h"

namespace prwkv::op {

Tensor wkv7(Ctx& c, const Wkv7In& in, const Tensor& state, const Seqs& seqs) {
  c.refuse_tape("wkv7");
  const std::int64_t H = state.dim(1), N = state.dim(2);
  expect_shape("wkv7: state", state, {seqs.slots, H, N, N});
  for (const Tensor& x : {in.r, in.w, in.k, in.v, in.alpha, in.beta}) {
    expect_shape("wkv7: r, w, k, v, alpha, beta", x, {seqs.rows, H * N});
  }
  const Tensor y = c.make(in.r.shape);
  c.backend.wkv7({y, state, in.r, in.w, in.k, in.v, in.alpha, in.beta, seqs});
  return c.result("wkv7", y);
}

std::array<Tensor, 3> delta_keys(Ctx& c, const Tensor& k, const Tensor& a, const Tensor& k_k,
                                 const Tensor& k_a, std::int64_t H) {
  c.refuse_tape("delta_keys");
  expect_shape("delta_keys: a", a, k.shape);
  for (const Tensor& p : {k_k, k_a}) expect_shape("delta_keys: k_k, k_a", p, {k.dim(1)});
  std::array<Tensor, 3> y = {c.make(k.shape), c.make(k.shape), c.make(k.shape)};
  c.backend.delta_keys({y[0], y[1], y[2], k, a, k_k, k_a, H});
  for (Tensor& t : y) t = c.result("delta_keys", t);
  return y;
}

}  // namespace prwkv::op
