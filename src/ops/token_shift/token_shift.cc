#include "ops/op.h"

namespace prwkv::op {

void token_shift(Ctx& c, const Tensor& x, std::span<const Tensor> mu, ShiftMix mix,
                 const Tensor& state, const Seqs& seqs, std::span<Tensor> y) {
  const std::int64_t C = x.dim(1);
  expect_shape("token_shift: x", x, {seqs.rows, C});
  expect_shape("token_shift: state", state, {seqs.slots, C});
  TokenShiftArgs args{.y = {},
                      .state = state,
                      .x = x,
                      .mu = {},
                      .n = static_cast<int>(mu.size()),
                      .mix = mix,
                      .seqs = seqs};
  for (std::size_t i = 0; i < mu.size(); ++i) {
    expect_shape("token_shift: mu", mu[i], {C});
    args.mu[i] = mu[i];
    args.y[i] = c.make(x.shape);
  }
  Tensor first;
  if (c.tape != nullptr) first = c.copy_of(state);
  c.backend.token_shift(args);
  for (std::size_t i = 0; i < mu.size(); ++i) y[i] = args.y[i] = c.result("token_shift", args.y[i]);
  if (c.tape == nullptr) return;
  c.tape->record([=](Tape& t) {
    TokenShiftBackwardArgs b{.g_x = t.grad(x),
                             .g_state = t.grad(state),
                             .g_mu = {},
                             .g_y = {},
                             .mu = args.mu,
                             .x = x,
                             .first = first,
                             .n = args.n,
                             .mix = mix,
                             .seqs = seqs};
    for (std::size_t i = 0; i < static_cast<std::size_t>(args.n); ++i) {
      b.g_mu[i] = t.grad(args.mu[i]);
      b.g_y[i] = t.grad(args.y[i]);
    }
    t.backend().token_shift_backward(b);
  });
}

Tensor token_delta(Ctx& c, const Tensor& x, const Tensor& state, const Seqs& seqs) {
  expect_shape("token_delta: x", x, {seqs.rows, x.dim(1)});
  expect_shape("token_delta: state", state, {seqs.slots, x.dim(1)});
  Tensor delta = c.make(x.shape);
  c.backend.token_delta({delta, state, x, seqs});
  delta = c.result("token_delta", delta);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().token_delta_backward({t.grad(x), t.grad(state), t.grad(delta), seqs});
    });
  }
  return delta;
}

Tensor shift_by(Ctx& c, const Tensor& x, const Tensor& delta, const Tensor& mu) {
  expect_shape("shift_by: delta", delta, x.shape);
  expect_shape("shift_by: mu", mu, {x.dim(1)});
  Tensor y = c.make(x.shape);
  c.backend.shift_by({y, x, delta, mu});
  y = c.result("shift_by", y);
  if (c.tape != nullptr) {
    c.tape->record([=](Tape& t) {
      t.backend().shift_by_backward({t.grad(x), t.grad(delta), t.grad(mu), t.grad(y), delta, mu});
    });
  }
  return y;
}

std::array<Tensor, 5> data_shift(Ctx& c, const Tensor& x, const Tensor& delta, const Tensor& z,
                                 const Matrix& w2, const std::array<Tensor, 5>& maa) {
  const Tensor stack = unscaled("data_shift: w2", w2);
  const std::int64_t T = x.dim(0), C = x.dim(1), D = stack.dim(2);
  expect_shape("data_shift: delta", delta, x.shape);
  expect_shape("data_shift: z", z, {T, 5 * D});
  expect_shape("data_shift: w2", stack, {5, C, D});
  DataShiftArgs args{.y = {}, .x = x, .delta = delta, .z = z, .w2 = {}, .maa = maa};
  for (std::size_t q = 0; q < 5; ++q) {
    expect_shape("data_shift: maa", maa[q], {C});
    args.y[q] = c.make(x.shape);
    args.w2[q] = stack.rows(static_cast<std::int64_t>(q), 1).reshaped({C, D});
  }
  c.backend.data_shift(args);
  for (Tensor& y : args.y) y = c.result("data_shift", y);
  if (c.tape == nullptr) return args.y;
  c.tape->record([=](Tape& t) {
    DataShiftBackwardArgs b{.g_x = t.grad(x),
                            .g_delta = t.grad(delta),
                            .g_z = t.grad(z),
                            .g_w2 = {},
                            .g_maa = {},
                            .g_y = {},
                            .delta = delta,
                            .z = z,
                            .w2 = args.w2,
                            .maa = maa};
    const Tensor g_stack = t.grad(stack);
    for (std::size_t q = 0; q < 5; ++q) {
      b.g_y[q] = t.grad(args.y[q]);
      b.g_maa[q] = t.grad(maa[q]);
      if (g_stack) b.g_w2[q] = g_stack.rows(static_cast<std::int64_t>(q), 1).reshaped({C, D});
    }
    t.backend().data_shift_backward(b);
  });
  return args.y;
}

}  // namespace prwkv::op
