/// The arguments of every kernel: outputs first, then what is updated in place, inputs, scalars.
///
/// Letters: T rows (tokens of all sequences), C channels, A attention channels = H heads x N
/// channels, F ffn width, V vocabulary, D the rank of a low-rank part. Activations are (T, ·)
/// row-major in the backend's activation type (f32, or f64 for the reference); vectors of
/// parameters are in that type too; matrices (out, in) in their own. An argument marked "optional"
/// may be absent. Nothing is checked here: op fronts have done that.
#pragma once

#include <array>

#include "tensor/seqs.h"
#include "tensor/tensor.h"

namespace prwkv {

/// Element-wise functions that close a projection or prepare a parameter.
enum class Act {
  kNone,
  kSigmoid,    ///< σ(z) = 1 / (1 + e^−z)
  kTanh,       ///< tanh z
  kSilu,       ///< z σ(z)
  kReluSq,     ///< max(z, 0)²
  kExp,        ///< e^z
  kNegExp,     ///< −e^z                                  RWKV-4's log decay from time_decay
  kExpNegExp,  ///< exp(−e^z)                             decay of RWKV-5 and 6
  kDecay7,     ///< exp(−e^{−1/2} σ(z))                   decay of RWKV-7, in (0.545, 1)
};

/// y[t] = table[ids[t]].
struct EmbeddingArgs {
  Tensor y;      // (T, C)
  Tensor table;  // (V, C), any float or block type
  Tensor ids;    // (T) i32, each in [0, V)
};

/// y = (x − mean) / sqrt(var + eps) ⊙ w + b per row, biased variance.
struct LayerNormArgs {
  Tensor y, x;  // (T, C); y may be x
  Tensor w, b;  // (C)
  double eps;
};

/// One projection: y = act(scale · W x + bias + addend).
struct Projection {
  Tensor y;     // (T, out)
  Tensor x;     // (T, in)
  Tensor w;     // (out, in), any float or block type
  Tensor bias;  // (out), optional
  Act act = Act::kNone;
  Tensor saved;  // (T, out), optional: receives what `act` is applied to, for its backward
  float scale = 1;
  Tensor addend{};  // (T, out), optional: what an adapter gives
};

/// Independent projections of one step, run as one parallel region. Each output is the sum over
/// `in` in one fixed order for its instruction set and weight type, whatever the number of rows,
/// projections or threads.
struct LinearArgs {
  static constexpr int kMax = 8;
  std::array<Projection, kMax> part;
  int n = 0;
};

/// x' is the row before x in its sequence; for the first row the one carried in `state`, which then
/// becomes the last row. In RWKV-4 and 5 μ is the weight of the current row, in 6 and 7 that of the
/// previous one.
enum class ShiftMix { kCurrent, kPrevious };

/// kCurrent: y_i = x ⊙ μ_i + x' ⊙ (1 − μ_i).   kPrevious: y_i = x + (x' − x) ⊙ μ_i.
struct TokenShiftArgs {
  static constexpr int kMax = 6;
  std::array<Tensor, kMax> y;   // (T, C)
  Tensor state;                 // (slots, C), updated
  Tensor x;                     // (T, C)
  std::array<Tensor, kMax> mu;  // (C)
  int n = 0;
  ShiftMix mix = ShiftMix::kPrevious;
  Seqs seqs;
};

/// δ = x' − x, the part of a token shift that RWKV-6 uses twice.
struct TokenDeltaArgs {
  Tensor delta;  // (T, C)
  Tensor state;  // (slots, C), updated
  Tensor x;      // (T, C)
  Seqs seqs;
};

/// y = x + δ ⊙ μ.
struct ShiftByArgs {
  Tensor y, x, delta;  // (T, C)
  Tensor mu;           // (C)
};

/// RWKV-6's data-dependent shift:
///     y_q = x + δ ⊙ (maa_q + W2_q z_q)   for q = 0 … 4,   z_q = z[:, qD … qD + D − 1]
struct DataShiftArgs {
  static constexpr int kMax = 5;
  std::array<Tensor, kMax> y;    // (T, C)
  Tensor x, delta;               // (T, C)
  Tensor z;                      // (T, 5 D)
  std::array<Tensor, kMax> w2;   // (C, D), any float type
  std::array<Tensor, kMax> maa;  // (C)
};

/// y[i] = act(p[i / (A / numel(p))]): a parameter with one value a head or a channel, spread over
/// all channels.
struct SpreadArgs {
  Tensor y;  // (A)
  Tensor p;  // (A) or (H)
  Act act = Act::kNone;
};

/// RWKV-4's recurrence, per channel, with a running exponent pp so that nothing overflows:
///     q = max(pp, u + k)    y = (e^{pp−q} aa + e^{u+k−q} v) / (e^{pp−q} bb + e^{u+k−q})
///     q = max(pp + w, k)    aa ← e^{pp+w−q} aa + e^{k−q} v,  bb ← e^{pp+w−q} bb + e^{k−q},  pp ← q
struct Wkv4Args {
  Tensor y;           // (T, A)
  Tensor aa, bb, pp;  // (slots, A), updated
  Tensor k, v;        // (T, A)
  Tensor w, u;        // (A): w = −exp(time_decay) < 0, u = time_first
  Seqs seqs;
};

/// The recurrence of RWKV-5 and 6, per head, S[value i][key j]:
///     y_i = Σ_j (S_ij + u_j k_j v_i) r_j,   then   S_ij ← w_j S_ij + v_i k_j
struct Wkv6Args {
  Tensor y;        // (T, A)
  Tensor state;    // (slots, H, N, N), updated
  Tensor r, k, v;  // (T, A)
  Tensor w;        // (T, A), or (1, A) when the decay is constant; the decay itself, in [0, 1)
  Tensor u;        // (A)
  Seqs seqs;
};

/// RWKV-7's recurrence, per head, S[value i][key j]:
///     S ← S diag(w) + (S α) βᵀ + v kᵀ,   y = S r   (the state after the update)
struct Wkv7Args {
  Tensor y;                        // (T, A)
  Tensor state;                    // (slots, H, N, N), updated
  Tensor r, w, k, v, alpha, beta;  // (T, A); α = −κ̂, β = κ̂ ⊙ a, w the decay itself
  Seqs seqs;
};

/// RWKV-7's keys:
///     κ = k ⊙ k_k,   κ̂ = κ / max(‖κ‖₂, 1e-12) per head
///     α = −κ̂,   β = κ̂ ⊙ a,   k' = k ⊙ (1 + (a − 1) ⊙ k_a)
struct DeltaKeysArgs {
  Tensor k_new, alpha, beta;  // (T, A)
  Tensor k, a;                // (T, A)
  Tensor k_k, k_a;            // (A)
  std::int64_t H;
};

/// y = GroupNorm_H(x) ⊙ w + b, then ⊙ g if there is a gate. Groups are heads, biased variance.
struct GroupNormArgs {
  Tensor y, x;  // (T, A); y may be x
  Tensor w, b;  // (A)
  Tensor g;     // (T, A), optional
  std::int64_t H;
  double eps;
};

/// RWKV-7's read-out: y = (GroupNorm_H(x) ⊙ w + b + (Σ_j r_j k_j r_k[h][j]) v) ⊙ g.
struct Wkv7OutputArgs {
  Tensor y, x;        // (T, A); y may be x
  Tensor r, k, v, g;  // (T, A)
  Tensor r_k;         // (A)
  Tensor w, b;        // (A)
  std::int64_t H;
  double eps;
};

/// y = a ⊙ b.
struct MulArgs {
  Tensor y, a, b;  // same shape; y may be a or b
};

/// y = a + b.
struct AddArgs {
  Tensor y, a, b;  // same shape; y may be a
};

/// y = a + (b − a) ⊙ m.
struct LerpArgs {
  Tensor y, a, b, m;  // same shape; y may be a
};

/// y = x, element by element, converting between the activation type and any float type.
struct CopyArgs {
  Tensor y, x;
};

/// y[i] = x[rows[i]].
struct GatherRowsArgs {
  Tensor y;     // (n, C)
  Tensor x;     // (T, C)
  Tensor rows;  // (n) i32
};

/// RWKV-4a's attention without softmax. Because c_ts = q_t·k_s / √D and nothing is normalised, the
/// whole past is one matrix: M ← M + v kᵀ, y = M q / √D. No cache of the past is needed, whatever
/// the length.
struct TinyAttentionArgs {
  Tensor y;      // (T, C)
  Tensor state;  // (slots, C, D), updated
  Tensor q, k;   // (T, D)
  Tensor v;      // (T, C)
  Seqs seqs;
};

/// loss[t] = −log softmax(z)[targets[t]] of the logits z of a row; 0 for a row without a target. And, if it is
/// wanted, the gradient of scale · Σ (loss + l2wrap / 2 · max(z)²), 0 in a row without a target:
///     g[v] = scale · (softmax(z)[v] − [v = target] + l2wrap · z[v] [v is the first where z is largest])
struct CrossEntropyArgs {
  Tensor loss;      // (T)
  Tensor gradient;  // (T, V), optional; may be logits
  Tensor logits;    // (T, V)
  Tensor targets;   // (T) i32; −1: none
  double scale = 1, l2wrap = 0;
};

// Backward. Every gradient is accumulated (+=); an absent gradient is not wanted. g_x has the shape of x.
// The gradient of a state is the exception: on entry it is that of the state behind the last row, on return
// that of the state before the first one, for the slots of the sequences that have rows. Absent, nothing
// behind the rows depends on the state.

struct EmbeddingBackwardArgs {
  Tensor g_table;
  Tensor g_y, ids;
};

struct LayerNormBackwardArgs {
  Tensor g_x, g_w, g_b;
  Tensor g_y, x, w;
  double eps;
};

/// g_z = g_y ⊙ act'(z); g_x += scale · g_z W, g_w += scale · g_zᵀ x, g_bias += Σ_t g_z, g_addend += g_z.
struct LinearBackwardArgs {
  Tensor g_x, g_w, g_bias, g_addend;
  Tensor g_y, x, w, z;  // z: Projection::saved, absent for kNone
  Act act;
  float scale = 1;
  bool sets_g_x = false;  // g_x = instead of g_x +=
};

struct TokenShiftBackwardArgs {
  Tensor g_x, g_state;
  std::array<Tensor, TokenShiftArgs::kMax> g_mu, g_y, mu;
  Tensor x;
  Tensor first;  // (slots, C): the carried rows before the forward pass
  int n = 0;
  ShiftMix mix;
  Seqs seqs;
};

struct TokenDeltaBackwardArgs {
  Tensor g_x, g_state;
  Tensor g_delta;
  Seqs seqs;
};

struct ShiftByBackwardArgs {
  Tensor g_x, g_delta, g_mu;
  Tensor g_y, delta, mu;
};

struct DataShiftBackwardArgs {
  Tensor g_x, g_delta, g_z;
  std::array<Tensor, DataShiftArgs::kMax> g_w2, g_maa;
  std::array<Tensor, DataShiftArgs::kMax> g_y;
  Tensor delta, z;
  std::array<Tensor, DataShiftArgs::kMax> w2, maa;
};

struct SpreadBackwardArgs {
  Tensor g_p;
  Tensor g_y, p;
  Act act;
};

/// Derived in src/ops/wkv4/README.md. The gradient of the state is that of aa and bb with pp held fixed: only
/// aa e^pp and bb e^pp mean something.
struct Wkv4BackwardArgs {
  Tensor g_k, g_v, g_w, g_u;
  Tensor g_aa, g_bb;
  Tensor g_y, y, k, v, w, u;
  Tensor aa, bb, pp;  // before the forward pass
  Seqs seqs;
};

/// Derived in src/ops/wkv6/README.md.
struct Wkv6BackwardArgs {
  Tensor g_r, g_k, g_v, g_w, g_u, g_state;
  Tensor g_y, r, k, v, w, u;
  Tensor state;  // before the forward pass
  Seqs seqs;
};

/// Derived in src/ops/wkv7/README.md.
struct Wkv7BackwardArgs {
  Tensor g_r, g_w, g_k, g_v, g_alpha, g_beta, g_state;
  Tensor g_y, r, w, k, v, alpha, beta;
  Tensor state;  // before the forward pass
  Seqs seqs;
};

struct DeltaKeysBackwardArgs {
  Tensor g_k, g_a, g_k_k, g_k_a;
  Tensor g_k_new, g_alpha, g_beta;
  Tensor k, a, k_k, k_a;
  std::int64_t H;
};

struct GroupNormBackwardArgs {
  Tensor g_x, g_w, g_b, g_g;
  Tensor g_y, x, w, b, g;  // g optional, as in the forward pass
  std::int64_t H;
  double eps;
};

struct Wkv7OutputBackwardArgs {
  Tensor g_x, g_r, g_k, g_v, g_g, g_r_k, g_w, g_b;
  Tensor g_y, x, r, k, v, g, r_k, w, b;
  std::int64_t H;
  double eps;
};

struct MulBackwardArgs {
  Tensor g_a, g_b;
  Tensor g_y, a, b;
};

/// g_x += g_y.
struct AddBackwardArgs {
  Tensor g_x;
  Tensor g_y;
};

struct LerpBackwardArgs {
  Tensor g_a, g_b, g_m;
  Tensor g_y, a, b, m;
};

struct GatherRowsBackwardArgs {
  Tensor g_x;
  Tensor g_y, rows;
};

struct TinyAttentionBackwardArgs {
  Tensor g_q, g_k, g_v, g_state;
  Tensor g_y, q, k, v;
  Tensor state;  // before the forward pass
  Seqs seqs;
};

// Optimization.

/// sum = Σ x².
struct SumOfSquaresArgs {
  Tensor sum;  // (1)
  Tensor x;    // any shape
};

/// One step of AdamW (Loshchilov & Hutter 2019) as PyTorch takes it, with ĝ = gradient_scale · g:
///     m ← β₁ m + (1 − β₁) ĝ     v ← β₂ v + (1 − β₂) ĝ²
///     p ← (1 − lr · decay) p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps)
struct AdamWArgs {
  Tensor p, m, v;  // same shape, updated
  Tensor g;
  double gradient_scale = 1;  ///< below 1 where gradients are clipped
  double lr, decay, beta1, beta2, eps;
  double correction1, correction2;  ///< 1 − β₁ᵗ and 1 − β₂ᵗ
};

}  // namespace prwkv
