#include "ops/op.h"

namespace prwkv::op {

Tensor wkv6(Ctx& c, const Wkv6In& in, const Tensor& state, const Seqs& seqs) {
  const std::int64_t H = state.dim(1), N = state.dim(2), A = H * N;
  expect_shape("wkv6: state", state, {seqs.slots, H, N, N});
  for (const Tensor& x : {in.r, in.k, in.v}) expect_shape("wkv6: r, k, v", x, {seqs.rows, A});
  if (in.w.shape.rank == 2)
    expect_shape("wkv6: w", in.w, {seqs.rows, A});
  else
    expect_shape("wkv6: w", in.w, {A});
  expect_shape("wkv6: u", in.u, {A});
  const Tensor w = in.w.shape.rank == 2 ? in.w : in.w.reshaped({1, A});
  Tensor before;
  if (c.tape != nullptr) before = c.copy_of(state);
  Tensor y = c.make(in.r.shape);
  c.backend.wkv6({y, state, in.r, in.k, in.v, w, in.u, seqs});
  y = c.result("wkv6", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().wkv6_backward({t.grad(in.r), t.grad(in.k), t.grad(in.v), t.grad(w), t.grad(in.u),
                                 t.grad(state), t.grad(y), in.r, in.k, in.v, w, in.u, before,
                                 seqs});
    });
  }
  return y;
}

}  // namespace prwkv::op
