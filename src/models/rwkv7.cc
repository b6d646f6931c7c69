/// RWKV-7 ("Goose"), arXiv 2503.14456: the state learns in context by a generalised delta rule.
/// The recurrence: src/ops/wkv7/README.md.
#include "models/checkpoint.h"
#include "models/rwkv.h"

namespace prwkv {
namespace {

struct TimeMix {
  Tensor x_r, x_w, x_k, x_v, x_a, x_g;  // (C) x_□, the weight of the previous token
  Matrix receptance, key, value;        // (A, C)
  Tensor w0, a0, v0;                    // (A); v0 v1 v2 from layer 1 on
  Matrix w1, w2, a1, a2, v1, v2;        // □1 (R_□, C), □2 (A, R_□)
  Matrix g1, g2;                        // (R_g, C), (A, R_g)
  Tensor k_k, k_a, r_k;                 // (A)
  Norm ln_x;                            // (A)
  Matrix output;                        // (C, A)
};

struct ChannelMix {
  Tensor x_k;    // (C)
  Matrix key;    // (F, C)
  Matrix value;  // (C, F)
};

struct Block {
  Norm ln1, ln2;
  TimeMix att;
  ChannelMix ffn;
};

class Rwkv7 final : public Model {
 public:
  explicit Rwkv7(Dims dims) : Model(std::move(dims)), blocks(static_cast<std::size_t>(dims_.L)) {}
  std::string_view generation() const override { return "7"; }
  void visit(ParamVisitor& v) override;
  std::vector<StateEntry> state_spec(int layer) const override;
  Tensor forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const override;

 private:
  Tensor time_mix(Ctx& c, const TimeMix& p, Tensor x, Tensor& v_first, const LayerState& s,
                  const Seqs& seqs) const;
  Tensor channel_mix(Ctx& c, const ChannelMix& p, Tensor x, const LayerState& s,
                     const Seqs& seqs) const;

  Matrix emb;  // (V, C)
  Norm ln0;
  std::vector<Block> blocks;
  Norm ln_out;
  Matrix head;  // (V, C)
};

Tensor Rwkv7::time_mix(Ctx& c, const TimeMix& p, Tensor x, Tensor& v_first, const LayerState& s,
                       const Seqs& seqs) const {
  const auto [att_shift, wkv] = s.as<2>();
  // x̃□ₜ = xₜ + (xₜ₋₁ − xₜ) ⊙ x_□                                 □ ∈ {r, w, k, v, a, g}
  const auto [xr, xw, xk, xv, xa, xg] = op::token_shift(
      c, x, {p.x_r, p.x_w, p.x_k, p.x_v, p.x_a, p.x_g}, ShiftMix::kPrevious, att_shift, seqs);
  // r = W_r x̃r     k = W_k x̃k     v = W_v x̃v
  const auto [r, k, v_own, zw, za, zg, zv] = op::linear(c, {{xr, p.receptance},
                                                            {xk, p.key},
                                                            {xv, p.value},
                                                            {xw, p.w1, Act::kTanh},
                                                            {xa, p.a1},
                                                            {xg, p.g1, Act::kSigmoid},
                                                            {xv, p.v1}});
  // w = exp(−e^{−1/2} σ(w0 + tanh(x̃w w1) w2))     a = σ(a0 + (x̃a a1) a2)     g = σ(x̃g g1) g2
  const auto [w, a, g, m] = op::linear(c, {{zw, p.w2, Act::kDecay7, p.w0},
                                           {za, p.a2, Act::kSigmoid, p.a0},
                                           {zg, p.g2},
                                           {zv, p.v2, Act::kSigmoid, p.v0}});
  // v ← v + (v_first − v) ⊙ σ(v0 + (x̃v v1) v2); layer 0, which has no v1 and so no m, defines
  // v_first
  Tensor v = m ? op::lerp(c, v_own, v_first, m) : v_own;
  if (!m) v_first = op::keep(c, v, v_first);
  // κ̂ = k ⊙ k_k / ‖k ⊙ k_k‖ per head     k ← k ⊙ (1 + (a − 1) ⊙ k_a)     α = −κ̂     β = κ̂ ⊙ a
  const auto [k_new, alpha, beta] = op::delta_keys(c, k, a, p.k_k, p.k_a, dims_.H);
  // Sₜ = Sₜ₋₁ diag(wₜ) + (Sₜ₋₁ αₜ) βₜᵀ + vₜ kₜᵀ     yₜ = Sₜ rₜ
  Tensor y = op::wkv7(c, {r, w, k_new, v, alpha, beta}, wkv, seqs);
  // o = W_o ((GroupNorm(y) + (Σ r ⊙ k ⊙ r_k) v) ⊙ g)
  return op::linear(
      c,
      {op::wkv7_output(c, y, {r, k_new, v, g}, p.r_k, p.ln_x, dims_.H, groupnorm_eps), p.output});
}

Tensor Rwkv7::channel_mix(Ctx& c, const ChannelMix& p, Tensor x, const LayerState& s,
                          const Seqs& seqs) const {
  const Tensor ffn_shift = s.tensors[2];
  // o = W_v max(W_k x̃k, 0)²
  const auto [xk] = op::token_shift(c, x, {p.x_k}, ShiftMix::kPrevious, ffn_shift, seqs);
  return op::linear(c, {op::linear(c, {xk, p.key, Act::kReluSq}), p.value});
}

Tensor Rwkv7::forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const {
  Tensor x = op::layer_norm(c, op::embedding(c, emb, batch.ids), ln0, layer_norm_eps);
  Tensor v_first = op::reserve(c, {batch.seqs.rows, dims_.A});
  for (int l = 0; l < dims_.L; ++l) {
    const Block& p = blocks[static_cast<std::size_t>(l)];
    const auto out = op::block<2>(
        c, l, {x, v_first}, state[static_cast<std::size_t>(l)],
        [&, seqs = batch.seqs](Ctx& b, auto in, LayerState& s) {
          Tensor &h = in[0], &v = in[1];
          h = op::part(b, [&] {
            const Tensor x1 = op::layer_norm(b, h, p.ln1, layer_norm_eps);
            return op::add_to(b, h, time_mix(b, p.att, x1, v, s, seqs));
          });
          h = op::add_to(
              b, h, channel_mix(b, p.ffn, op::layer_norm(b, h, p.ln2, layer_norm_eps), s, seqs));
          return std::array{h, v};
        });
    x = out[0], v_first = out[1];
  }
  return op::read_out(c, x, ln_out, ln_out_eps, head, batch.wanted);
}

void Rwkv7::visit(ParamVisitor& f) {
  const auto [C, A, F] = std::array{dims_.C, dims_.A, dims_.F};
  const std::int64_t R_w = dims_.ranks.at("w"), R_a = dims_.ranks.at("a"),
                     R_g = dims_.ranks.at("g");
  f.matrix("emb.weight", emb, {dims_.V, C});
  f.norm("blocks.0.ln0", ln0, C);
  for (int l = 0; l < dims_.L; ++l) {
    Block& p = blocks[static_cast<std::size_t>(l)];
    const std::string b = fmt::format("blocks.{}.", l);
    f.layer = l;
    f.norm(b + "ln1", p.ln1, C);
    f.norm(b + "ln2", p.ln2, C);
    f.vector(b + "att.x_r", p.att.x_r, {C});
    f.vector(b + "att.x_w", p.att.x_w, {C});
    f.vector(b + "att.x_k", p.att.x_k, {C});
    f.vector(b + "att.x_v", p.att.x_v, {C});
    f.vector(b + "att.x_a", p.att.x_a, {C});
    f.vector(b + "att.x_g", p.att.x_g, {C});
    f.vector(b + "att.w0", p.att.w0, {A});
    f.transposed(b + "att.w1", p.att.w1, {R_w, C});
    f.transposed(b + "att.w2", p.att.w2, {A, R_w});
    f.vector(b + "att.a0", p.att.a0, {A});
    f.transposed(b + "att.a1", p.att.a1, {R_a, C});
    f.transposed(b + "att.a2", p.att.a2, {A, R_a});
    if (l > 0) {  // some files hold v0, v1, v2 of layer 0 too; nothing uses them
      const std::int64_t R_v = dims_.ranks.at("v");
      f.vector(b + "att.v0", p.att.v0, {A});
      f.transposed(b + "att.v1", p.att.v1, {R_v, C});
      f.transposed(b + "att.v2", p.att.v2, {A, R_v});
    }
    f.transposed(b + "att.g1", p.att.g1, {R_g, C});
    f.transposed(b + "att.g2", p.att.g2, {A, R_g});
    f.vector(b + "att.k_k", p.att.k_k, {A});
    f.vector(b + "att.k_a", p.att.k_a, {A});
    f.vector(b + "att.r_k", p.att.r_k, {dims_.H, dims_.N});
    f.matrix(b + "att.receptance.weight", p.att.receptance, {A, C});
    f.matrix(b + "att.key.weight", p.att.key, {A, C});
    f.matrix(b + "att.value.weight", p.att.value, {A, C});
    f.matrix(b + "att.output.weight", p.att.output, {C, A});
    f.norm(b + "att.ln_x", p.att.ln_x, A);
    f.vector(b + "ffn.x_k", p.ffn.x_k, {C});
    f.matrix(b + "ffn.key.weight", p.ffn.key, {F, C});
    f.matrix(b + "ffn.value.weight", p.ffn.value, {C, F}, Input::kSquaredRelu);
  }
  f.layer = -1;
  f.norm("ln_out", ln_out, C);
  f.matrix("head.weight", head, {dims_.V, C});
}

std::vector<StateEntry> Rwkv7::state_spec(int) const {
  return {{"att_shift", {dims_.C}, 0},
          {"wkv", {dims_.H, dims_.N, dims_.N}, 0},
          {"ffn_shift", {dims_.C}, 0}};
}

}  // namespace

bool detect_rwkv7(const Checkpoint& file, Dims& d) {
  if (!file.has("blocks.0.att.r_k") && !file.has("blocks.0.att.k_k")) return false;
  struct Later {
    const char *tensor, *what;
  };
  for (const Later& later :
       {Later{"qkv.k_emb.weight", "RWKV-7b"}, Later{"ffn.s_emb.weight", "RWKV-7a"},
        Later{"qkv.kkup.weight", "RWKV-8 rc00-hybrid"}, Later{"qkv.qq.weight", "RWKV-7b or 8"},
        Later{"ffn.enn.weight", "RWKV-8 rc00"}}) {
    for (int l = 0; l < file.layers(); ++l) {
      const std::string name = fmt::format("blocks.{}.{}", l, later.tensor);
      if (!file.has(name)) continue;
      throw Error(Code::kUnsupported,
                  fmt::format("{}: this checkpoint is {}, which this version cannot run",
                              file.path(), later.what),
                  {.expected = "RWKV 4, 4a, 5.0, 5.1, 5.2, 6 or 7", .found = name});
    }
  }
  d = {.L = file.layers(),
       .C = file.dim("emb.weight", 1),
       .A = file.dim("blocks.0.att.key.weight", 0),
       .F = file.dim("blocks.0.ffn.key.weight", 0),
       .V = file.dim("emb.weight", 0),
       .ranks = {{"w", file.dim("blocks.0.att.w1", 1)},
                 {"a", file.dim("blocks.0.att.a1", 1)},
                 {"g", file.dim("blocks.0.att.g1", 1)}}};
  if (d.L > 1) d.ranks["v"] = file.dim("blocks.1.att.v1", 1);
  // (H, N); GGUF stores it flat and names the head size.
  const Source* r_k = file.find("blocks.0.att.r_k");
  const bool flat = r_k == nullptr || r_k->axes.size() < 2;
  d.N = flat ? file.config().head_size.value_or(0) : r_k->axes.back().size;
  if (d.N < 1) {
    throw Error(Code::kFormat, fmt::format("{}: the head size cannot be told", file.path()),
                {.expected = "blocks.0.att.r_k of shape (heads, channels per head)",
                 .found = r_k == nullptr ? "no such tensor" : r_k->shape_str(),
                 .hint = "a config.json beside the file may name it: {\"head_dim\": 64}"});
  }
  d.H = flat ? d.A / d.N : r_k->axes.end()[-2].size;
  return true;
}

std::unique_ptr<Model> make_rwkv7(const Dims& dims) { return std::make_unique<Rwkv7>(dims); }

}  // namespace prwkv
