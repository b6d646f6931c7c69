#include "ops/op.h"

namespace prwkv::op {

Tensor tiny_attention(Ctx& c, const Tensor& q, const Tensor& k, const Tensor& v,
                      const Tensor& state, const Seqs& seqs) {
  c.refuse_tape("tiny_attention");
  expect_shape("tiny_attention: k", k, q.shape);
  expect_shape("tiny_attention: v", v, {seqs.rows, v.dim(1)});
  expect_shape("tiny_attention: state", state, {seqs.slots, v.dim(1), q.dim(1)});
  const Tensor y = c.make(v.shape);
  c.backend.tiny_attention({y, state, q, k, v, seqs});
  return c.result("tiny_attention", y);
}

}  // namespace prwkv::op
