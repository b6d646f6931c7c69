/// RWKV-4 ("Dove"), arXiv 2305.13048, and 4a, which adds one attention without softmax.
/// The recurrence: src/ops/wkv4/README.md.
#include "models/checkpoint.h"
#include "models/rwkv.h"

namespace prwkv {
namespace {

struct TimeMix {
  Tensor time_mix_k, time_mix_v, time_mix_r;  // (C) μ_□, the weight of the current token
  Tensor time_decay, time_first;              // (A)
  Matrix key, value, receptance;              // (A, C)
  Matrix output;                              // (C, A)
};

struct ChannelMix {
  Tensor time_mix_k, time_mix_r;  // (C)
  Matrix key;                     // (F, C)
  Matrix receptance;              // (C, C)
  Matrix value;                   // (C, F)
};

/// 4a only, in one block: D = tiny_q's rows.
struct TinyAttention {
  Norm tiny_ln;           // (C)
  Matrix tiny_q, tiny_k;  // (D, C)
  Matrix tiny_v;          // (C, C)
};

struct Block {
  Norm ln1, ln2;
  TimeMix att;
  ChannelMix ffn;
};

class Rwkv4 final : public Model {
 public:
  explicit Rwkv4(Dims dims) : Model(std::move(dims)), blocks(static_cast<std::size_t>(dims_.L)) {}
  std::string_view generation() const override { return dims_.tiny_layer < 0 ? "4" : "4a"; }
  void visit(ParamVisitor& v) override;
  std::vector<StateEntry> state_spec(int layer) const override;
  Tensor forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const override;

 private:
  Tensor time_mix(Ctx& c, const TimeMix& p, Tensor x, const LayerState& s, const Seqs& seqs) const;
  Tensor channel_mix(Ctx& c, const ChannelMix& p, Tensor x, const LayerState& s,
                     const Seqs& seqs) const;
  Tensor tiny_attention(Ctx& c, Tensor x, Tensor e, const LayerState& s, const Seqs& seqs) const;

  Matrix emb;  // (V, C)
  Norm ln0;
  std::vector<Block> blocks;
  TinyAttention tiny;
  Norm ln_out;
  Matrix head;  // (V, C)
};

Tensor Rwkv4::time_mix(Ctx& c, const TimeMix& p, Tensor x, const LayerState& s,
                       const Seqs& seqs) const {
  const auto [att_shift, aa, bb, pp] = s.as<4>();
  // x̃□ₜ = μ_□ ⊙ xₜ + (1 − μ_□) ⊙ xₜ₋₁                                   □ ∈ {k, v, r}
  const auto [xk, xv, xr] = op::token_shift(c, x, {p.time_mix_k, p.time_mix_v, p.time_mix_r},
                                            ShiftMix::kCurrent, att_shift, seqs);
  // k = W_k x̃k     v = W_v x̃v     r = σ(W_r x̃r)
  const auto [k, v, r] =
      op::linear(c, {{xk, p.key}, {xv, p.value}, {xr, p.receptance, Act::kSigmoid}});
  // yₜ = (Σ_{i<t} e^{(t−1−i) w + k_i} v_i + e^{u + kₜ} vₜ) / (the same sum without v)
  //      w = −e^time_decay     u = time_first
  Tensor w = op::spread(c, p.time_decay, Act::kNegExp, dims_.A);
  Tensor y = op::wkv4(c, k, v, w, p.time_first, aa, bb, pp, seqs);
  // o = W_o (r ⊙ y)
  return op::linear(c, {op::mul(c, r, y), p.output});
}

Tensor Rwkv4::channel_mix(Ctx& c, const ChannelMix& p, Tensor x, const LayerState& s,
                          const Seqs& seqs) const {
  Tensor ffn_shift = s.tensors[4];
  const auto [xk, xr] =
      op::token_shift(c, x, {p.time_mix_k, p.time_mix_r}, ShiftMix::kCurrent, ffn_shift, seqs);
  // k = max(W_k x̃k, 0)²     r = σ(W_r x̃r)     o = r ⊙ W_v k
  const auto [k, r] = op::linear(c, {{xk, p.key, Act::kReluSq}, {xr, p.receptance, Act::kSigmoid}});
  return op::mul(c, r, op::linear(c, {k, p.value}));
}

Tensor Rwkv4::tiny_attention(Ctx& c, Tensor x, Tensor e, const LayerState& s,
                             const Seqs& seqs) const {
  // h = LN(x)     q = W_q h     k = W_k h     v = W_v e, with e the embedding before ln0
  Tensor h = op::layer_norm(c, x, tiny.tiny_ln, layer_norm_eps);
  const auto [q, k, v] = op::linear(c, {{h, tiny.tiny_q}, {h, tiny.tiny_k}, {e, tiny.tiny_v}});
  // yₜ = D^{−1/2} Σ_{s≤t} (qₜ · k_s) v_s
  return op::tiny_attention(c, q, k, v, s.tensors[5], seqs);
}

Tensor Rwkv4::forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const {
  Tensor e = op::embedding(c, emb, batch.ids);
  Tensor x = op::layer_norm(c, e, ln0, layer_norm_eps);
  for (int l = 0; l < dims_.L; ++l) {
    const Block& p = blocks[static_cast<std::size_t>(l)];
    LayerState& of_layer = state[static_cast<std::size_t>(l)];
    const auto body = [this, &p, seqs = batch.seqs](Ctx& b, Tensor h, LayerState& s) {
      h = op::part(b, [&] {
        const Tensor x1 = op::layer_norm(b, h, p.ln1, layer_norm_eps);
        return op::add_to(b, h, time_mix(b, p.att, x1, s, seqs));
      });
      return op::add_to(
          b, h, channel_mix(b, p.ffn, op::layer_norm(b, h, p.ln2, layer_norm_eps), s, seqs));
    };
    if (l == dims_.tiny_layer) {  // which also looks at the embedding
      x = op::block<2>(
          c, l, {x, e}, of_layer, [this, body, seqs = batch.seqs](Ctx& b, auto in, LayerState& s) {
            const Tensor h = body(b, in[0], s);
            return std::array{op::add_to(b, h, tiny_attention(b, h, in[1], s, seqs)), in[1]};
          })[0];
    } else {
      x = op::block<1>(c, l, {x}, of_layer, [body](Ctx& b, auto in, LayerState& s) {
        return std::array{body(b, in[0], s)};
      })[0];
    }
  }
  return op::read_out(c, x, ln_out, ln_out_eps, head, batch.wanted);
}

void Rwkv4::visit(ParamVisitor& f) {
  const auto [C, A, F] = std::array{dims_.C, dims_.A, dims_.F};
  f.matrix("emb.weight", emb, {dims_.V, C});
  f.norm("blocks.0.ln0", ln0, C);
  for (int l = 0; l < dims_.L; ++l) {
    Block& p = blocks[static_cast<std::size_t>(l)];
    const std::string b = fmt::format("blocks.{}.", l);
    f.layer = l;
    f.norm(b + "ln1", p.ln1, C);
    f.norm(b + "ln2", p.ln2, C);
    f.vector(b + "att.time_decay", p.att.time_decay, {A});
    f.vector(b + "att.time_first", p.att.time_first, {A});
    f.vector(b + "att.time_mix_k", p.att.time_mix_k, {C});
    f.vector(b + "att.time_mix_v", p.att.time_mix_v, {C});
    f.vector(b + "att.time_mix_r", p.att.time_mix_r, {C});
    f.matrix(b + "att.key.weight", p.att.key, {A, C});
    f.matrix(b + "att.value.weight", p.att.value, {A, C});
    f.matrix(b + "att.receptance.weight", p.att.receptance, {A, C});
    f.matrix(b + "att.output.weight", p.att.output, {C, A});
    f.vector(b + "ffn.time_mix_k", p.ffn.time_mix_k, {C});
    f.vector(b + "ffn.time_mix_r", p.ffn.time_mix_r, {C});
    f.matrix(b + "ffn.key.weight", p.ffn.key, {F, C});
    f.matrix(b + "ffn.receptance.weight", p.ffn.receptance, {C, C});
    f.matrix(b + "ffn.value.weight", p.ffn.value, {C, F}, Input::kSquaredRelu);
    if (l == dims_.tiny_layer) {
      const std::int64_t D = dims_.ranks.at("tiny");
      f.norm(b + "tiny_ln", tiny.tiny_ln, C);
      f.matrix(b + "tiny_q.weight", tiny.tiny_q, {D, C});
      f.matrix(b + "tiny_k.weight", tiny.tiny_k, {D, C});
      f.matrix(b + "tiny_v.weight", tiny.tiny_v, {C, C});
    }
  }
  f.layer = -1;
  f.norm("ln_out", ln_out, C);
  f.matrix("head.weight", head, {dims_.V, C});
}

std::vector<StateEntry> Rwkv4::state_spec(int layer) const {
  // pp is the exponent of an empty sum. Not −∞: −∞ − (−∞) would be NaN.
  std::vector<StateEntry> spec = {{"att_shift", {dims_.C}, 0},
                                  {"aa", {dims_.A}, 0},
                                  {"bb", {dims_.A}, 0},
                                  {"pp", {dims_.A}, -1e38},
                                  {"ffn_shift", {dims_.C}, 0}};
  if (layer == dims_.tiny_layer) spec.push_back({"tiny", {dims_.C, dims_.ranks.at("tiny")}, 0});
  return spec;
}

/// Parts of research checkpoints that change the mathematics and that nothing here computes.
void refuse_unknown_parts(const Checkpoint& file) {
  struct Part {
    const char *tensor, *what;
  };
  for (const Part& part :
       {Part{"blocks.0.att.qq.weight", "RWKV-4b (attention in every layer)"},
        Part{"head_q.weight", "a pointer head (head_q, head_k)"},
        Part{"blocks.0.ffnPre.key.weight", "a channel mix in place of the first time mix (ffnPre)"},
        Part{"pos_emb_x", "a position table (pos_emb_x, pos_emb_y)"},
        Part{"blocks.0.ffn.aa.weight", "the MishGLU channel mix"}}) {
    if (file.has(part.tensor)) {
      throw Error(Code::kUnsupported,
                  fmt::format("{}: this checkpoint has {}", file.path(), part.what),
                  {.found = part.tensor,
                   .hint = "no released text model needs it; plain RWKV-4 and 4a are supported"});
    }
  }
}

bool detect(const Checkpoint& file, Dims& d) {
  if (!file.has("blocks.0.att.time_decay") || file.has("blocks.0.att.ln_x.weight") ||
      file.has("blocks.0.att.time_maa_x")) {
    return false;
  }
  refuse_unknown_parts(file);
  d = {.L = file.layers(),
       .C = file.dim("emb.weight", 1),
       .A = file.dim("blocks.0.att.key.weight", 0),
       .F = file.dim("blocks.0.ffn.key.weight", 0),
       .V = file.dim("emb.weight", 0),
       .ranks = {}};
  for (int l = 0; l < d.L; ++l) {
    const std::string tiny_q = fmt::format("blocks.{}.tiny_q.weight", l);
    if (!file.has(tiny_q)) continue;
    d.tiny_layer = l;
    d.ranks["tiny"] = file.dim(tiny_q, 0);
  }
  return true;
}

}  // namespace

bool detect_rwkv4(const Checkpoint& file, Dims& dims) {
  return detect(file, dims) && dims.tiny_layer < 0;
}
bool detect_rwkv4a(const Checkpoint& file, Dims& dims) {
  return detect(file, dims) && dims.tiny_layer >= 0;
}
std::unique_ptr<Model> make_rwkv4(const Dims& dims) { return std::make_unique<Rwkv4>(dims); }
std::unique_ptr<Model> make_rwkv4a(const Dims& dims) { return std::make_unique<Rwkv4>(dims); }

}  // namespace prwkv
