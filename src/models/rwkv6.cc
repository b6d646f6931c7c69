/// RWKV-6 ("Finch"), arXiv 2404.05892: token shift and decay depend on the data.
/// The recurrence: src/ops/wkv6/README.md.
#include <tuple>

#include "models/checkpoint.h"
#include "models/rwkv.h"

namespace prwkv {
namespace {

struct TimeMix {
  Tensor time_maa_x;  // (C)
  Tensor time_maa_w, time_maa_k, time_maa_v, time_maa_r,
      time_maa_g;                       // (C) μ_□, the weight of the previous token
  Matrix time_maa_w1;                   // (5 D, C)
  Matrix time_maa_w2;                   // (5, C, D) in the order w, k, v, r, g
  Tensor time_decay;                    // (A)
  Matrix time_decay_w1, time_decay_w2;  // (D_w, C), (A, D_w)
  Tensor time_faaaa;                    // (A)
  Matrix receptance, key, value, gate;  // (A, C)
  Norm ln_x;                            // (A)
  Matrix output;                        // (C, A)
};

struct ChannelMix {
  Tensor time_maa_k, time_maa_r;  // (C)
  Matrix key;                     // (F, C)
  Matrix receptance;              // (C, C)
  Matrix value;                   // (C, F)
};

struct Block {
  Norm ln1, ln2;
  TimeMix att;
  ChannelMix ffn;
};

class Rwkv6 final : public Model {
 public:
  explicit Rwkv6(Dims dims) : Model(std::move(dims)), blocks(static_cast<std::size_t>(dims_.L)) {}
  std::string_view generation() const override { return "6"; }
  void visit(ParamVisitor& v) override;
  std::vector<StateEntry> state_spec(int layer) const override;
  Tensor forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const override;

 private:
  Tensor time_mix(Ctx& c, const TimeMix& p, Tensor x, const LayerState& s, const Seqs& seqs) const;
  Tensor channel_mix(Ctx& c, const ChannelMix& p, Tensor x, const LayerState& s,
                     const Seqs& seqs) const;

  Matrix emb;  // (V, C)
  Norm ln0;
  std::vector<Block> blocks;
  Norm ln_out;
  Matrix head;  // (V, C)
};

Tensor Rwkv6::time_mix(Ctx& c, const TimeMix& p, Tensor x, const LayerState& s,
                       const Seqs& seqs) const {
  const auto [att_shift, wkv] = s.as<2>();
  // δₜ = xₜ₋₁ − xₜ     z = tanh((x + δ ⊙ maa_x) maa_w1)
  // x̃□ = x + δ ⊙ (maa_□ + z_□ maa_w2_□)                          □ ∈ {w, k, v, r, g}
  Tensor delta = op::token_delta(c, x, att_shift, seqs);
  Tensor z = op::linear(c, {op::shift_by(c, x, delta, p.time_maa_x), p.time_maa_w1, Act::kTanh});
  const auto [xw, xk, xv, xr, xg] =
      op::data_shift(c, x, delta, z, p.time_maa_w2,
                     {p.time_maa_w, p.time_maa_k, p.time_maa_v, p.time_maa_r, p.time_maa_g});
  // r = W_r x̃r     k = W_k x̃k     v = W_v x̃v     g = silu(W_g x̃g)
  const auto [r, k, v, g, zw] = op::linear(c, {{xr, p.receptance},
                                               {xk, p.key},
                                               {xv, p.value},
                                               {xg, p.gate, Act::kSilu},
                                               {xw, p.time_decay_w1, Act::kTanh}});
  // w = exp(−exp(time_decay + tanh(x̃w decay_w1) decay_w2))
  Tensor w = op::linear(c, {zw, p.time_decay_w2, Act::kExpNegExp, p.time_decay});
  // yₜ = (Sₜ₋₁ + vₜ (u ⊙ kₜ)ᵀ) rₜ     Sₜ = Sₜ₋₁ diag(wₜ) + vₜ kₜᵀ     u = time_faaaa
  Tensor y = op::wkv6(c, {r, k, v, w, p.time_faaaa}, wkv, seqs);
  // o = W_o (GroupNorm(y) ⊙ g)
  return op::linear(c, {op::group_norm(c, y, p.ln_x, dims_.H, groupnorm_eps, g), p.output});
}

Tensor Rwkv6::channel_mix(Ctx& c, const ChannelMix& p, Tensor x, const LayerState& s,
                          const Seqs& seqs) const {
  const Tensor ffn_shift = s.tensors[2];
  const auto [xk, xr] =
      op::token_shift(c, x, {p.time_maa_k, p.time_maa_r}, ShiftMix::kPrevious, ffn_shift, seqs);
  // k = max(W_k x̃k, 0)²     r = σ(W_r x̃r)     o = r ⊙ W_v k
  const auto [k, r] = op::linear(c, {{xk, p.key, Act::kReluSq}, {xr, p.receptance, Act::kSigmoid}});
  return op::mul(c, r, op::linear(c, {k, p.value}));
}

Tensor Rwkv6::forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const {
  Tensor x = op::layer_norm(c, op::embedding(c, emb, batch.ids), ln0, layer_norm_eps);
  for (int l = 0; l < dims_.L; ++l) {
    const Block& p = blocks[static_cast<std::size_t>(l)];
    x = op::block<1>(
        c, l, {x}, state[static_cast<std::size_t>(l)],
        [&, seqs = batch.seqs](Ctx& b, auto in, LayerState& s) {
          Tensor h = in[0];
          h = op::part(b, [&] {
            const Tensor x1 = op::layer_norm(b, h, p.ln1, layer_norm_eps);
            return op::add_to(b, h, time_mix(b, p.att, x1, s, seqs));
          });
          h = op::add_to(
              b, h, channel_mix(b, p.ffn, op::layer_norm(b, h, p.ln2, layer_norm_eps), s, seqs));
          return std::array{h};
        })[0];
  }
  return op::read_out(c, x, ln_out, ln_out_eps, head, batch.wanted);
}

void Rwkv6::visit(ParamVisitor& f) {
  const auto [C, A, F] = std::array{dims_.C, dims_.A, dims_.F};
  const std::int64_t D = dims_.ranks.at("mix"), D_w = dims_.ranks.at("decay");
  f.matrix("emb.weight", emb, {dims_.V, C});
  f.norm("blocks.0.ln0", ln0, C);
  for (int l = 0; l < dims_.L; ++l) {
    Block& p = blocks[static_cast<std::size_t>(l)];
    const std::string b = fmt::format("blocks.{}.", l);
    f.layer = l;
    f.norm(b + "ln1", p.ln1, C);
    f.norm(b + "ln2", p.ln2, C);
    f.vector(b + "att.time_maa_x", p.att.time_maa_x, {C});
    f.vector(b + "att.time_maa_w", p.att.time_maa_w, {C});
    f.vector(b + "att.time_maa_k", p.att.time_maa_k, {C});
    f.vector(b + "att.time_maa_v", p.att.time_maa_v, {C});
    f.vector(b + "att.time_maa_r", p.att.time_maa_r, {C});
    f.vector(b + "att.time_maa_g", p.att.time_maa_g, {C});
    f.transposed(b + "att.time_maa_w1", p.att.time_maa_w1, {5 * D, C});
    f.transposed(b + "att.time_maa_w2", p.att.time_maa_w2, {5, C, D});
    f.vector(b + "att.time_decay", p.att.time_decay, {A});
    f.transposed(b + "att.time_decay_w1", p.att.time_decay_w1, {D_w, C});
    f.transposed(b + "att.time_decay_w2", p.att.time_decay_w2, {A, D_w});
    f.vector(b + "att.time_faaaa", p.att.time_faaaa, {dims_.H, dims_.N});
    f.matrix(b + "att.receptance.weight", p.att.receptance, {A, C});
    f.matrix(b + "att.key.weight", p.att.key, {A, C});
    f.matrix(b + "att.value.weight", p.att.value, {A, C});
    f.matrix(b + "att.gate.weight", p.att.gate, {A, C});
    f.norm(b + "att.ln_x", p.att.ln_x, A);
    f.matrix(b + "att.output.weight", p.att.output, {C, A});
    f.vector(b + "ffn.time_maa_k", p.ffn.time_maa_k, {C});
    f.vector(b + "ffn.time_maa_r", p.ffn.time_maa_r, {C});
    f.matrix(b + "ffn.key.weight", p.ffn.key, {F, C});
    f.matrix(b + "ffn.receptance.weight", p.ffn.receptance, {C, C});
    f.matrix(b + "ffn.value.weight", p.ffn.value, {C, F}, Input::kSquaredRelu);
  }
  f.layer = -1;
  f.norm("ln_out", ln_out, C);
  f.matrix("head.weight", head, {dims_.V, C});
}

std::vector<StateEntry> Rwkv6::state_spec(int) const {
  return {{"att_shift", {dims_.C}, 0},
          {"wkv", {dims_.H, dims_.N, dims_.N}, 0},
          {"ffn_shift", {dims_.C}, 0}};
}

}  // namespace

bool detect_rwkv6(const Checkpoint& file, Dims& d) {
  if (!file.has("blocks.0.att.time_maa_x")) return false;
  for (const char* variant : {"blocks.0.att.gate_w1", "blocks.0.att.time_maa_rkvw_w1"}) {
    if (file.has(variant)) {
      throw Error(Code::kUnsupported,
                  fmt::format("{}: this is a research variant of RWKV-6", file.path()),
                  {.found = variant,
                   .hint = "released RWKV-6 models have att.gate.weight and att.time_maa_w1"});
    }
  }
  d = {.L = file.layers(),
       .C = file.dim("emb.weight", 1),
       .A = file.dim("blocks.0.att.key.weight", 0),
       .F = file.dim("blocks.0.ffn.key.weight", 0),
       .V = file.dim("emb.weight", 0),
       .ranks = {{"mix", file.dim("blocks.0.att.time_maa_w1", 1) / 5},
                 {"decay", file.dim("blocks.0.att.time_decay_w1", 1)}}};
  std::tie(d.H, d.N) = file.heads("blocks.0.att.time_faaaa", d.A);
  return true;
}

std::unique_ptr<Model> make_rwkv6(const Dims& dims) { return std::make_unique<Rwkv6>(dims); }

}  // namespace prwkv
