#include "ops/op.h"

namespace prwkv::op {

Tensor embedding(Ctx& c, const Matrix& table, const Tensor& ids) {
  Tensor y = c.make({ids.dim(0), table.in()});
  c.backend.embedding({y, unscaled("embedding: table", table), ids});
  y = c.result("embedding", y);
  if (c.tape != nullptr) {
    c.tape->record([=, w = table.weight](Tape& t) {
      if (Tensor g = t.grad(w)) t.backend().embedding_backward({g, t.grad(y), ids});
    });
  }
  return y;
}

}  // namespace prwkv::op
