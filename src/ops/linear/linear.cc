#include "ops/op.h"

namespace prwkv::op {

void linear(Ctx& c, std::span<const Apply> parts, std::span<Tensor> y) {
  LinearArgs args;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Apply& part = parts[i];
    if (!part.w) continue;
    const std::int64_t T = part.x.dim(0), out = part.w.out();
    expect_shape("linear: x", part.x, {T, part.w.in()});
    if (part.bias) expect_shape("linear: bias", part.bias, {out});
    const bool keep_z = c.tape != nullptr && part.act != Act::kNone;
    y[i] = c.make({T, out});
    args.part[static_cast<std::size_t>(args.n++)] = {
        y[i],        part.x,   part.w.weight,
        part.bias,   part.act, keep_z ? c.make({T, out}) : Tensor{},
        part.w.scale};
  }
  c.backend.linear(args);
  for (std::size_t i = 0, p = 0; i < parts.size(); ++i) {
    if (!y[i]) continue;
    y[i] = c.result("linear", y[i]);
    const Projection& q = args.part[p++];
    if (c.tape == nullptr) continue;
    c.tape->record([q, out = y[i]](Tape& t) {
      t.backend().linear_backward({t.grad(q.x), t.grad(q.w), t.grad(q.bias), t.grad(out), q.x, q.w,
                                   q.saved, q.act, q.scale});
    });
  }
}

Tensor linear(Ctx& c, const Apply& part) {
  Tensor y;
  linear(c, std::span(&part, 1), std::span(&y, 1));
  return y;
}

}  // namespace prwkv::op
