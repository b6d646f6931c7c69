/// RWKV-5 ("Eagle"), arXiv 2404.05892, in its three published forms: 5.0 without a gate, 5.1 with
/// one, both with one decay a head; 5.2 with one decay a channel.
/// The recurrence: src/ops/wkv6/README.md.
#include "models/checkpoint.h"
#include "models/rwkv.h"

namespace prwkv {
namespace {

struct TimeMix {
  Tensor time_mix_k, time_mix_v, time_mix_r,
      time_mix_g;                       // (C) μ_□, the weight of the current token; g: 5.1, 5.2
  Tensor time_decay;                    // (H), in 5.2 (A)
  Tensor bonus;                         // (H), in 5.2 (A): time_first or time_faaaa
  Matrix receptance, key, value, gate;  // (A, C); gate: 5.1, 5.2
  Norm ln_x;                            // (A)
  Matrix output;                        // (C, A)
};

struct ChannelMix {
  Tensor time_mix_k, time_mix_r;  // (C)
  Matrix key;                     // (F, C)
  Matrix receptance;              // (C, C)
  Matrix value;                   // (C, F)
};

struct Block {
  Norm ln1, ln2;
  TimeMix att;
  ChannelMix ffn;
};

enum class Minor { k0, k1, k2 };

class Rwkv5 final : public Model {
 public:
  Rwkv5(Dims dims, Minor minor)
      : Model(std::move(dims)), minor_(minor), blocks(static_cast<std::size_t>(dims_.L)) {}
  std::string_view generation() const override {
    return minor_ == Minor::k0 ? "5.0" : minor_ == Minor::k1 ? "5.1" : "5.2";
  }
  void visit(ParamVisitor& v) override;
  std::vector<StateEntry> state_spec(int layer) const override;
  Tensor forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const override;

 private:
  Tensor time_mix(Ctx& c, const TimeMix& p, Tensor x, const LayerState& s, const Seqs& seqs) const;
  Tensor channel_mix(Ctx& c, const ChannelMix& p, Tensor x, const LayerState& s,
                     const Seqs& seqs) const;

  Minor minor_;
  Matrix emb;  // (V, C)
  Norm ln0;
  std::vector<Block> blocks;
  Norm ln_out;
  Matrix head;  // (V, C)
};

Tensor Rwkv5::time_mix(Ctx& c, const TimeMix& p, Tensor x, const LayerState& s,
                       const Seqs& seqs) const {
  const auto [att_shift, wkv] = s.as<2>();
  // w = exp(−e^time_decay)     u = time_faaaa, in early files e^time_first
  Tensor w = op::spread(c, p.time_decay, Act::kExpNegExp, dims_.A);
  Tensor u = op::spread(c, p.bonus, dims_.time_first ? Act::kExp : Act::kNone, dims_.A);
  // x̃□ₜ = μ_□ ⊙ xₜ + (1 − μ_□) ⊙ xₜ₋₁
  // r = W_r x̃r     k = W_k x̃k     v = W_v x̃v     g = silu(W_g x̃g)
  // yₜ = (Sₜ₋₁ + vₜ (u ⊙ kₜ)ᵀ) rₜ     Sₜ = Sₜ₋₁ diag(w) + vₜ kₜᵀ
  // o = W_o (GroupNorm(y) ⊙ g)
  if (minor_ == Minor::k0) {
    const auto [xk, xv, xr] = op::token_shift(c, x, {p.time_mix_k, p.time_mix_v, p.time_mix_r},
                                              ShiftMix::kCurrent, att_shift, seqs);
    const auto [r, k, v] = op::linear(c, {{xr, p.receptance}, {xk, p.key}, {xv, p.value}});
    Tensor y = op::wkv6(c, {r, k, v, w, u}, wkv, seqs);
    return op::linear(c, {op::group_norm(c, y, p.ln_x, dims_.H, groupnorm_eps), p.output});
  }
  const auto [xk, xv, xr, xg] =
      op::token_shift(c, x, {p.time_mix_k, p.time_mix_v, p.time_mix_r, p.time_mix_g},
                      ShiftMix::kCurrent, att_shift, seqs);
  const auto [r, k, v, g] =
      op::linear(c, {{xr, p.receptance}, {xk, p.key}, {xv, p.value}, {xg, p.gate, Act::kSilu}});
  Tensor y = op::wkv6(c, {r, k, v, w, u}, wkv, seqs);
  return op::linear(c, {op::group_norm(c, y, p.ln_x, dims_.H, groupnorm_eps, g), p.output});
}

Tensor Rwkv5::channel_mix(Ctx& c, const ChannelMix& p, Tensor x, const LayerState& s,
                          const Seqs& seqs) const {
  const Tensor ffn_shift = s.tensors[2];
  const auto [xk, xr] =
      op::token_shift(c, x, {p.time_mix_k, p.time_mix_r}, ShiftMix::kCurrent, ffn_shift, seqs);
  // k = max(W_k x̃k, 0)²     r = σ(W_r x̃r)     o = r ⊙ W_v k
  const auto [k, r] = op::linear(c, {{xk, p.key, Act::kReluSq}, {xr, p.receptance, Act::kSigmoid}});
  return op::mul(c, r, op::linear(c, {k, p.value}));
}

Tensor Rwkv5::forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const {
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

void Rwkv5::visit(ParamVisitor& f) {
  const auto [C, A, F] = std::array{dims_.C, dims_.A, dims_.F};
  const bool gated = minor_ != Minor::k0;
  const Shape decays = minor_ == Minor::k2 ? Shape{dims_.H, dims_.N} : Shape{dims_.H};
  f.matrix("emb.weight", emb, {dims_.V, C});
  f.norm("blocks.0.ln0", ln0, C);
  for (int l = 0; l < dims_.L; ++l) {
    Block& p = blocks[static_cast<std::size_t>(l)];
    const std::string b = fmt::format("blocks.{}.", l);
    f.layer = l;
    f.norm(b + "ln1", p.ln1, C);
    f.norm(b + "ln2", p.ln2, C);
    f.vector(b + "att.time_mix_k", p.att.time_mix_k, {C});
    f.vector(b + "att.time_mix_v", p.att.time_mix_v, {C});
    f.vector(b + "att.time_mix_r", p.att.time_mix_r, {C});
    if (gated) f.vector(b + "att.time_mix_g", p.att.time_mix_g, {C});
    f.vector(b + "att.time_decay", p.att.time_decay, decays);
    f.vector(b + (dims_.time_first ? "att.time_first" : "att.time_faaaa"), p.att.bonus, decays);
    f.matrix(b + "att.receptance.weight", p.att.receptance, {A, C});
    f.matrix(b + "att.key.weight", p.att.key, {A, C});
    f.matrix(b + "att.value.weight", p.att.value, {A, C});
    if (gated) f.matrix(b + "att.gate.weight", p.att.gate, {A, C});
    f.norm(b + "att.ln_x", p.att.ln_x, A);
    f.matrix(b + "att.output.weight", p.att.output, {C, A});
    f.vector(b + "ffn.time_mix_k", p.ffn.time_mix_k, {C});
    f.vector(b + "ffn.time_mix_r", p.ffn.time_mix_r, {C});
    f.matrix(b + "ffn.key.weight", p.ffn.key, {F, C});
    f.matrix(b + "ffn.receptance.weight", p.ffn.receptance, {C, C});
    f.matrix(b + "ffn.value.weight", p.ffn.value, {C, F}, Input::kSquaredRelu);
  }
  f.layer = -1;
  f.norm("ln_out", ln_out, C);
  f.matrix("head.weight", head, {dims_.V, C});
}

std::vector<StateEntry> Rwkv5::state_spec(int) const {
  return {{"att_shift", {dims_.C}, 0},
          {"wkv", {dims_.H, dims_.N, dims_.N}, 0},
          {"ffn_shift", {dims_.C}, 0}};
}

std::optional<Minor> minor_of(const Checkpoint& file) {
  if (!file.has("blocks.0.att.ln_x.weight") || file.has("blocks.0.att.time_maa_x") ||
      file.has("blocks.0.att.r_k"))
    return {};
  if (!file.has("blocks.0.att.gate.weight")) return Minor::k0;
  // 5.2 has a decay for each channel, 5.1 one for each head.
  const Source* decay = file.find("blocks.0.att.time_decay");
  return decay != nullptr && decay->numel() == file.dim("blocks.0.att.key.weight", 0) ? Minor::k2
                                                                                      : Minor::k1;
}

bool detect(const Checkpoint& file, Dims& d, Minor minor) {
  if (minor_of(file) != minor) return false;
  d = {.L = file.layers(),
       .C = file.dim("emb.weight", 1),
       .A = file.dim("blocks.0.att.key.weight", 0),
       .F = file.dim("blocks.0.ffn.key.weight", 0),
       .V = file.dim("emb.weight", 0),
       .ranks = {}};
  const auto decay = file.squeezed("blocks.0.att.time_decay");
  d.H = minor == Minor::k2 ? file.heads("blocks.0.att.time_decay", d.A).first
        : decay.empty()    ? 1
                           : decay[0];
  if (d.H <= 0 || d.A % d.H != 0) {
    throw Error(
        Code::kFormat,
        fmt::format("{}: {} heads do not divide {} attention channels", file.path(), d.H, d.A),
        {.found = "blocks.0.att.time_decay " + file.find("blocks.0.att.time_decay")->shape_str()});
  }
  d.N = d.A / d.H;
  d.time_first = !file.has("blocks.0.att.time_faaaa");
  return true;
}

}  // namespace

bool detect_rwkv5_0(const Checkpoint& file, Dims& dims) { return detect(file, dims, Minor::k0); }
bool detect_rwkv5_1(const Checkpoint& file, Dims& dims) { return detect(file, dims, Minor::k1); }
bool detect_rwkv5_2(const Checkpoint& file, Dims& dims) { return detect(file, dims, Minor::k2); }
std::unique_ptr<Model> make_rwkv5_0(const Dims& dims) {
  return std::make_unique<Rwkv5>(dims, Minor::k0);
}
std::unique_ptr<Model> make_rwkv5_1(const Dims& dims) {
  return std::make_unique<Rwkv5>(dims, Minor::k1);
}
std::unique_ptr<Model> make_rwkv5_2(const Dims& dims) {
  return std::make_unique<Rwkv5>(dims, Minor::k2);
}

}  // namespace prwkv
