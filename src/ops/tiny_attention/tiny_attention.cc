#include "ops/op.h"

namespace prwkv::op {

Tensor tiny_attention(Ctx& c, const Tensor& q, const Tensor& k, const Tensor& v,
                      const Tensor& state, const Seqs& seqs) {
  expect_shape("tiny_attention: k", k, q.shape);
  expect_shape("tiny_attention: v", v, {seqs.rows, v.dim(1)});
  expect_shape("tiny_attention: state", state, {seqs.slots, v.dim(1), q.dim(1)});
  Tensor before;
  if (c.tape != nullptr) before = c.copy_of(state);
  Tensor y = c.make(v.shape);
  c.backend.tiny_attention({y, state, q, k, v, seqs});
  y = c.result("tiny_attention", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().tiny_attention_backward(
          {t.grad(q), t.grad(k), t.grad(v), t.grad(state), t.grad(y), q, k, v, before, seqs});
    });
  }
  return y;
}

}  // namespace prwkv::op
