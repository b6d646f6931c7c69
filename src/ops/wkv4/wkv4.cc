#include "ops/op.h"

namespace prwkv::op {

Tensor wkv4(Ctx& c, const Tensor& k, const Tensor& v, const Tensor& w, const Tensor& u,
            const Tensor& aa, const Tensor& bb, const Tensor& pp, const Seqs& seqs) {
  const std::int64_t A = k.dim(1);
  expect_shape("wkv4: k", k, {seqs.rows, A});
  expect_shape("wkv4: v", v, k.shape);
  for (const Tensor& p : {w, u}) expect_shape("wkv4: w, u", p, {A});
  for (const Tensor& s : {aa, bb, pp}) expect_shape("wkv4: state", s, {seqs.slots, A});
  std::array<Tensor, 3> before;
  if (c.tape != nullptr) before = {c.copy_of(aa), c.copy_of(bb), c.copy_of(pp)};
  Tensor y = c.make(k.shape);
  c.backend.wkv4({y, aa, bb, pp, k, v, w, u, seqs});
  y = c.result("wkv4", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().wkv4_backward({t.grad(k), t.grad(v), t.grad(w), t.grad(u), t.grad(aa), t.grad(bb),
                                 t.grad(y), y, k, v, w, u, before[0], before[1], before[2], seqs});
    });
  }
  return y;
}

}  // namespace prwkv::op
