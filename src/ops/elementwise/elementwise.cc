#include "ops/op.h"

namespace prwkv::op {

Tensor spread(Ctx& c, const Tensor& p, Act act, std::int64_t A) {
  if (p.numel() == 0 || A % p.numel() != 0) {
    fail(Code::kInvalidArgument, "spread: {} values do not divide {} channels", p.numel(), A);
  }
  Tensor y = c.make({A});
  c.backend.spread({y, p, act});
  y = c.result("spread", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      if (Tensor g = t.grad(p)) t.backend().spread_backward({g, t.grad(y), p, act});
    });
  }
  return y;
}

Tensor mul(Ctx& c, const Tensor& a, const Tensor& b) {
  expect_shape("mul: b", b, a.shape);
  Tensor y = c.make(a.shape);
  c.backend.mul({y, a, b});
  y = c.result("mul", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().mul_backward({t.grad(a), t.grad(b), t.grad(y), a, b});
    });
  }
  return y;
}

Tensor add_to(Ctx& c, const Tensor& x, const Tensor& y) {
  expect_shape("add_to: y", y, x.shape);
  Tensor sum = c.tape == nullptr ? x : c.make(x.shape);
  c.backend.add({sum, x, y});
  sum = c.result("add_to", sum);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.add_to_grad(y, t.grad(sum));
      t.pass_on_grad(sum, x);
    });
  }
  return sum;
}

Tensor lerp(Ctx& c, const Tensor& a, const Tensor& b, const Tensor& m) {
  expect_shape("lerp: b", b, a.shape);
  expect_shape("lerp: m", m, a.shape);
  Tensor y = c.make(a.shape);
  c.backend.lerp({y, a, b, m});
  y = c.result("lerp", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().lerp_backward({t.grad(a), t.grad(b), t.grad(m), t.grad(y), a, b, m});
    });
  }
  return y;
}

Tensor reserve(Ctx& c, const Shape& shape) { return c.make(shape); }

Tensor keep(Ctx& c, const Tensor& value, const Tensor& place) {
  if (c.tape != nullptr) return value;
  expect_shape("keep: place", place, value.shape);
  c.backend.copy({place, value});
  return place;
}

Tensor gather_rows(Ctx& c, const Tensor& x, const Tensor& rows) {
  Tensor y = c.make({rows.dim(0), x.dim(1)});
  c.backend.gather_rows({y, x, rows});
  y = c.result("gather_rows", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().gather_rows_backward({t.grad(x), t.grad(y), rows});
    });
  }
  return y;
}

}  // namespace prwkv::op
