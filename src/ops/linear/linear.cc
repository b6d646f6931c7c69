#include "ops/op.h"

namespace prwkv::op {
namespace {

/// What adapters add to each part, B A x; absent for matrices that have none.
std::array<Tensor, LinearArgs::kMax> adapted(Ctx& c, std::span<const Apply> parts) {
  std::array<Tensor, LinearArgs::kMax> to_each, low, high;
  std::vector<Apply> a, b;
  for (const Apply& part : parts) {
    if (part.w.adapter != nullptr) a.push_back({part.x, part.w.adapter->a});
  }
  if (a.empty()) return to_each;
  linear(c, a, std::span(low).first(a.size()));
  for (const Apply& part : parts) {
    if (part.w.adapter != nullptr) b.push_back({low[b.size()], part.w.adapter->b});
  }
  linear(c, b, std::span(high).first(b.size()));
  for (std::size_t i = 0, n = 0; i < parts.size(); ++i) {
    if (parts[i].w.adapter != nullptr) to_each[i] = high[n++];
  }
  return to_each;
}

}  // namespace

void linear(Ctx& c, std::span<const Apply> parts, std::span<Tensor> y) {
  const std::array<Tensor, LinearArgs::kMax> addends = adapted(c, parts);
  LinearArgs args;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Apply& part = parts[i];
    if (!part.w) continue;
    const std::int64_t T = part.x.dim(0), out = part.w.out();
    expect_shape("linear: x", part.x, {T, part.w.in()});
    if (part.bias) expect_shape("linear: bias", part.bias, {out});
    if (addends[i]) expect_shape("linear: adapter", addends[i], {T, out});
    const bool keep_z = c.tape != nullptr && part.act != Act::kNone;
    y[i] = c.make({T, out});
    args.part[static_cast<std::size_t>(args.n++)] = {
        y[i],         part.x,    part.w.weight,
        part.bias,    part.act,  keep_z ? c.make({T, out}) : Tensor{},
        part.w.scale, addends[i]};
  }
  c.backend.linear(args);
  for (std::size_t i = 0, p = 0; i < parts.size(); ++i) {
    if (!y[i]) continue;
    y[i] = c.result("linear", y[i]);
    const Projection& q = args.part[p++];
    if (c.tape == nullptr) continue;
    c.tape->record([q, out = y[i]](Tape& t) {
      bool sets_g_x = false;
      const Tensor g_y = t.grad(out), g_x = t.grad(q.x, sets_g_x);
      t.backend().linear_backward({g_x, t.grad(q.w), t.grad(q.bias), t.grad(q.addend), g_y, q.x,
                                   q.w, q.saved, q.act, q.scale, sets_g_x});
    });
  }
}

Tensor linear(Ctx& c, const Apply& part) {
  Tensor y;
  linear(c, std::span(&part, 1), std::span(&y, 1));
  return y;
}

}  // namespace prwkv::op
