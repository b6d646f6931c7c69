#include "ops/op.h"

namespace prwkv::op {

Tensor cross_entropy(Ctx& c, const Tensor& logits, const Tensor& targets) {
  expect_shape("cross_entropy: targets", targets, {logits.dim(0)});
  Tensor loss = c.make({1});
  c.backend.cross_entropy({loss, logits, targets});
  loss = c.result("cross_entropy", loss);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().cross_entropy_backward({t.grad(logits), t.grad(loss), logits, targets});
    });
  }
  return loss;
}

}  // namespace prwkv::op
