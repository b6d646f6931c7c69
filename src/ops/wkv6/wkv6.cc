#include "ops/op.h"

namespace prwkv::op {

Tensor wkv6(Ctx& c, const Wkv6In& in, const Tensor& state, const Seqs& seqs) {
  c.refuse_tape("wkv6");
  const std::int64_t H = state.dim(1), N = state.dim(2), A = H * N;
  expect_shape("wkv6: state", state, {seqs.slots, H, N, N});
  for (const Tensor& x : {in.r, in.k, in.v}) expect_shape("wkv6: r, k, v", x, {seqs.rows, A});
  if (in.w.shape.rank == 2)
    expect_shape("wkv6: w", in.w, {seqs.rows, A});
  else
    expect_shape("wkv6: w", in.w, {A});
  expect_shape("wkv6: u", in.u, {A});
  const Tensor y = c.make(in.r.shape);
  c.backend.wkv6({y, state, in.r, in.k, in.v, in.w.shape.rank == 2 ? in.w : in.w.reshaped({1, A}),
                  in.u, seqs});
  return c.result("wkv6", y);
}

}  // namespace prwkv::op
