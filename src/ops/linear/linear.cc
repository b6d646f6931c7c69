#include "ops/op.h"

namespace prwkv::op {

void linear(Ctx& c, std::span<const Apply> parts, std::span<Tensor> y) {
  LinearArgs args;
  args.n = static_cast<int>(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Apply& part = parts[i];
    const std::int64_t T = part.x.dim(0), out = part.w.out();
    expect_shape("linear: x", part.x, {T, part.w.in()});
    if (part.bias) expect_shape("linear: bias", part.bias, {out});
    const Tensor z = c.tape != nullptr && part.act != Act::kNone ? c.make({T, out}) : Tensor{};
    y[i] = c.make({T, out});
    args.part[i] = {y[i], part.x, part.w.weight, part.bias, part.act, z};
  }
  c.backend.linear(args);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    y[i] = c.result("linear", y[i]);
    if (c.tape == nullptr) continue;
    c.tape->record([p = args.part[i], out = y[i]](Tape& t) {
      t.backend().linear_backward({t.grad(p.x), t.grad(p.w), t.grad(p.bias), t.grad(out), p.x, p.w, p.saved, p.act});
    });
  }
}

Tensor linear(Ctx& c, const Apply& part) {
  Tensor y;
  linear(c, std::span(&part, 1), std::span(&y, 1));
  return y;
}

}  // namespace prwkv::op
