#include "ops/op.h"

namespace prwkv::op {

Tensor wkv7(Ctx& c, const Wkv7In& in, const Tensor& state, const Seqs& seqs) {
  const std::int64_t H = state.dim(1), N = state.dim(2);
  expect_shape("wkv7: state", state, {seqs.slots, H, N, N});
  for (const Tensor& x : {in.r, in.w, in.k, in.v, in.alpha, in.beta}) {
    expect_shape("wkv7: r, w, k, v, alpha, beta", x, {seqs.rows, H * N});
  }
  Tensor before;
  if (c.tape != nullptr) before = c.copy_of(state);
  Tensor y = c.make(in.r.shape);
  c.backend.wkv7({y, state, in.r, in.w, in.k, in.v, in.alpha, in.beta, seqs});
  y = c.result("wkv7", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().wkv7_backward({t.grad(in.r), t.grad(in.w), t.grad(in.k), t.grad(in.v),
                                 t.grad(in.alpha), t.grad(in.beta), t.grad(state), t.grad(y), in.r,
                                 in.w, in.k, in.v, in.alpha, in.beta, before, seqs});
    });
  }
  return y;
}

std::array<Tensor, 3> delta_keys(Ctx& c, const Tensor& k, const Tensor& a, const Tensor& k_k,
                                 const Tensor& k_a, std::int64_t H) {
  expect_shape("delta_keys: a", a, k.shape);
  for (const Tensor& p : {k_k, k_a}) expect_shape("delta_keys: k_k, k_a", p, {k.dim(1)});
  std::array<Tensor, 3> y = {c.make(k.shape), c.make(k.shape), c.make(k.shape)};
  c.backend.delta_keys({y[0], y[1], y[2], k, a, k_k, k_a, H});
  for (Tensor& t : y) t = c.result("delta_keys", t);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().delta_keys_backward({t.grad(k), t.grad(a), t.grad(k_k), t.grad(k_a), t.grad(y[0]),
                                       t.grad(y[1]), t.grad(y[2]), k, a, k_k, k_a, H});
    });
  }
  return y;
}

}  // namespace prwkv::op
