#include <algorithm>

#include "ops/op.h"

namespace prwkv::op {
namespace {

// Of logits at a time, 64 MiB in f32: enough rows for products to be fast beside a vocabulary of 65,536, and
// never all rows of a training step at once.
constexpr std::int64_t kLogitsAtOnce = std::int64_t{1} << 24;

Tensor losses(Ctx& c, const Tensor& x, const Norm& norm, double eps, const Matrix& head,
              const Wanted& wanted) {
  const std::int64_t T = x.dim(0), C = x.dim(1);
  expect_shape("read_out: targets", wanted.targets, {T});
  Tensor loss = c.make({T});
  const Tensor g_x = c.tape != nullptr ? c.make({T, C}) : Tensor{};
  const std::int64_t most = std::max<std::int64_t>(1, kLogitsAtOnce / head.out()),
                     chunks = (T + most - 1) / most;
  for (std::int64_t i = 0; i < chunks; ++i) {
    const std::int64_t begin = T * i / chunks, n = T * (i + 1) / chunks - begin;
    const ArenaScope scope(c.arena);
    CrossEntropyArgs args{.loss = loss.rows(begin, n),
                          .gradient = {},
                          .logits = {},
                          .targets = wanted.targets.rows(begin, n),
                          .scale = wanted.scale,
                          .l2wrap = wanted.l2wrap};
    Tensor rows = x.rows(begin, n);
    rows.var = -1;
    if (c.tape == nullptr) {
      args.logits = linear(c, {layer_norm(c, rows, norm, eps), head});
      c.backend.cross_entropy(args);
      continue;
    }
    // The way back begins here, while the logits are there, on a tape of its own.
    Tape tape(c.backend, c.arena, c.tape->params());
    Ctx taped{.backend = c.backend, .arena = c.arena, .tape = &tape, .observer = c.observer};
    const Tensor leaf = tape.value(rows);
    args.logits = linear(taped, {layer_norm(taped, leaf, norm, eps), head});
    args.gradient = args.logits;  // in their place
    tape.set_grad(args.logits, args.gradient);
    c.backend.cross_entropy(args);
    tape.run_backward();
    c.backend.transfer(g_x.rows(begin, n), tape.grad(leaf));
  }
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) { t.add_to_grad(x, g_x); });
  }
  if (c.observer != nullptr) (*c.observer)("loss", loss);
  return loss;
}

}  // namespace

Tensor read_out(Ctx& c, const Tensor& x, const Norm& norm, double eps, const Matrix& head,
                const Wanted& wanted) {
  if (wanted.targets) return losses(c, x, norm, eps, head, wanted);
  if (!wanted.logit_rows) return {};
  return linear(c, {layer_norm(c, gather_rows(c, x, wanted.logit_rows), norm, eps), head});
}

}  // namespace prwkv::op
