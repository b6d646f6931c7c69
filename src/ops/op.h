/// The vocabulary of the model files. Each operation is as large as a line of the papers: it checks
/// shapes, takes memory from the arena, calls one kernel, and records itself when a tape is on.
/// Equations: backend/op_args.h.
///
/// Letters: T rows, C channels, A = H N attention channels, D rank. Results live in the arena until
/// the enclosing block ends. Wrong shapes throw Error{kInvalidArgument}.
#pragma once

#include <array>
#include <span>

#include "ops/ctx.h"

namespace prwkv {

/// Weight and bias of a LayerNorm or GroupNorm, (C) each; names as in checkpoints.
struct Norm {
  Tensor weight, bias;
};

namespace op {

/// LayerNorm's eps in every generation.
inline constexpr double kLayerNormEps = 1e-5;

/// (T, C): rows of `table` (V, C).
Tensor embedding(Ctx& c, const Matrix& table, const Tensor& ids);
/// (T, C)
Tensor layer_norm(Ctx& c, const Tensor& x, const Norm& p, double eps = kLayerNormEps);

/// One projection of `linear`: act(W x + bias), W being the matrix with its scale and its adapter, if it has one. An absent
/// matrix gives an absent result.
struct Apply {
  Tensor x;
  const Matrix& w;
  Act act = Act::kNone;
  Tensor bias{};
};
void linear(Ctx& c, std::span<const Apply> parts, std::span<Tensor> y);
/// Independent projections in one parallel region: auto [r, k] = linear<2>(c, {{xr, p.receptance},
/// {xk, p.key}}).
template <std::size_t n>
std::array<Tensor, n> linear(Ctx& c, const Apply (&parts)[n]) {
  static_assert(n <= LinearArgs::kMax);
  std::array<Tensor, n> y;
  linear(c, parts, y);
  return y;
}
Tensor linear(Ctx& c, const Apply& part);

void token_shift(Ctx& c, const Tensor& x, std::span<const Tensor> mu, ShiftMix mix,
                 const Tensor& state, const Seqs& seqs, std::span<Tensor> y);
/// n mixes of each row with the row before it; `state` (slots, C) carries the last row.
template <std::size_t n>
std::array<Tensor, n> token_shift(Ctx& c, const Tensor& x, const Tensor (&mu)[n], ShiftMix mix,
                                  const Tensor& state, const Seqs& seqs) {
  static_assert(n <= TokenShiftArgs::kMax);
  std::array<Tensor, n> y;
  token_shift(c, x, mu, mix, state, seqs, y);
  return y;
}
/// (T, C): previous row minus this one.
Tensor token_delta(Ctx& c, const Tensor& x, const Tensor& state, const Seqs& seqs);
/// (T, C): x + δ ⊙ μ.
Tensor shift_by(Ctx& c, const Tensor& x, const Tensor& delta, const Tensor& mu);
/// Five (T, C): x + δ ⊙ (maa_q + W2_q z_q); w2 (5, C, D), z (T, 5 D).
std::array<Tensor, 5> data_shift(Ctx& c, const Tensor& x, const Tensor& delta, const Tensor& z,
                                 const Matrix& w2, const std::array<Tensor, 5>& maa);

/// (A): act of a parameter (A) or (H), one value a head spread over its channels.
Tensor spread(Ctx& c, const Tensor& p, Act act, std::int64_t A);

/// (T, A); aa, bb, pp (slots, A) are updated.
Tensor wkv4(Ctx& c, const Tensor& k, const Tensor& v, const Tensor& w, const Tensor& u,
            const Tensor& aa, const Tensor& bb, const Tensor& pp, const Seqs& seqs);
struct Wkv6In {
  Tensor r, k, v, w, u;  // r k v (T, A); w (T, A) or (A); u (A)
};
/// (T, A); state (slots, H, N, N) is updated.
Tensor wkv6(Ctx& c, const Wkv6In& in, const Tensor& state, const Seqs& seqs);
struct Wkv7In {
  Tensor r, w, k, v, alpha, beta;  // (T, A)
};
/// (T, A); state (slots, H, N, N) is updated.
Tensor wkv7(Ctx& c, const Wkv7In& in, const Tensor& state, const Seqs& seqs);
/// k', α, β of RWKV-7, each (T, A).
std::array<Tensor, 3> delta_keys(Ctx& c, const Tensor& k, const Tensor& a, const Tensor& k_k,
                                 const Tensor& k_a, std::int64_t H);

/// (T, A): GroupNorm over H heads, times the gate `g` if there is one.
Tensor group_norm(Ctx& c, const Tensor& x, const Norm& p, std::int64_t H, double eps,
                  const Tensor& g = {});
struct Wkv7Out {
  Tensor r, k, v, g;  // (T, A)
};
/// (T, A): (GroupNorm(x) + (Σ r ⊙ k ⊙ r_k) v) ⊙ g.
Tensor wkv7_output(Ctx& c, const Tensor& x, const Wkv7Out& in, const Tensor& r_k, const Norm& p,
                   std::int64_t H, double eps);

/// a ⊙ b
Tensor mul(Ctx& c, const Tensor& a, const Tensor& b);
/// x + y; in place, at x's address, when no tape needs the old x.
Tensor add_to(Ctx& c, const Tensor& x, const Tensor& y);
/// a + (b − a) ⊙ m
Tensor lerp(Ctx& c, const Tensor& a, const Tensor& b, const Tensor& m);
/// Room in the current scope for a value that a block will `keep`.
Tensor reserve(Ctx& c, const Shape& shape);
/// Lets `value` outlive its block: copies it to `place` (from `reserve`); with a tape nothing is
/// freed, so it is itself.
Tensor keep(Ctx& c, const Tensor& value, const Tensor& place);
/// (n, C): the rows listed in `rows` (n) i32.
Tensor gather_rows(Ctx& c, const Tensor& x, const Tensor& rows);

/// (T, C); state (slots, C, D) is updated; q, k (T, D), v (T, C).
Tensor tiny_attention(Ctx& c, const Tensor& q, const Tensor& k, const Tensor& v,
                      const Tensor& state, const Seqs& seqs);

/// What is wanted of a forward pass.
struct Wanted {
  Tensor logit_rows{};  // (n) i32: the logits of these rows; absent: none
  Tensor targets{};     // (T) i32: the losses of all rows instead; −1: none of this one
  double scale = 1;     ///< of the losses in what is differentiated: one over how many are counted
  /// Of the squares of the largest logits, halved, beside the losses: 1e-4 keeps logits near zero
  /// (L2Wrap of BlinkDL's trainers).
  double l2wrap = 0;
};
/// The last lines of every model, head · LayerNorm(x): logits (n, V) of some rows, absent if none are wanted.
/// Given targets, losses (T): −log softmax(logits)[target]. Their logits are never there for all rows at once. With a tape
/// the way back begins here, so a loss is no value of the tape and `Tape::run_backward` needs no seed.
Tensor read_out(Ctx& c, const Tensor& x, const Norm& norm, double eps, const Matrix& head,
                const Wanted& wanted);

}  // namespace op
}  // namespace prwkv
