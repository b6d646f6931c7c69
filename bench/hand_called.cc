/// What the op layer costs: one RWKV-7 token by Model::forward, against the same Backend methods
/// called by hand.
///
/// The hand-written program below knows the model and nothing else: every tensor is allocated once,
/// no shape is checked, no memory is handed out while it runs. Both run in turns on the same
/// weights and must give the same bits.
///
///     hand_called [--threads N] [--dtype f32|f16|bf16] [--seconds S] [--check] [SHAPE ...]
///
/// --check: exit status 1 if Model::forward takes more than 1.05 times as long.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "models/random.h"

namespace prwkv {
namespace {

/// One token of RWKV-7 on preallocated tensors.
class HandCalled {
 public:
  HandCalled(Backend& backend, Model& model)
      : be_(backend), d_(model.dims()), eps_(model.groupnorm_eps) {
    struct Names final : ParamVisitor {
      void visit(const Param& p, Tensor& t) override { of[p.name] = t; }
      std::map<std::string, Tensor> of;
    } w;
    model.visit(w);
    emb_ = w.of["emb.weight"], head_ = w.of["head.weight"];
    ln0_ = {w.of["blocks.0.ln0.weight"], w.of["blocks.0.ln0.bias"]};
    ln_out_ = {w.of["ln_out.weight"], w.of["ln_out.bias"]};
    for (int l = 0; l < d_.L; ++l) {
      const std::string b = fmt::format("blocks.{}.", l);
      const auto at = [&](const char* name) { return w.of[b + name]; };
      layers_.push_back({.ln1 = {at("ln1.weight"), at("ln1.bias")},
                         .ln2 = {at("ln2.weight"), at("ln2.bias")},
                         .mix = {at("att.x_r"), at("att.x_w"), at("att.x_k"), at("att.x_v"),
                                 at("att.x_a"), at("att.x_g")},
                         .receptance = at("att.receptance.weight"),
                         .key = at("att.key.weight"),
                         .value = at("att.value.weight"),
                         .output = at("att.output.weight"),
                         .w0 = at("att.w0"),
                         .w1 = at("att.w1"),
                         .w2 = at("att.w2"),
                         .a0 = at("att.a0"),
                         .a1 = at("att.a1"),
                         .a2 = at("att.a2"),
                         .v0 = at("att.v0"),
                         .v1 = at("att.v1"),
                         .v2 = at("att.v2"),
                         .g1 = at("att.g1"),
                         .g2 = at("att.g2"),
                         .k_k = at("att.k_k"),
                         .k_a = at("att.k_a"),
                         .r_k = at("att.r_k"),
                         .ln_x = {at("att.ln_x.weight"), at("att.ln_x.bias")},
                         .x_k = at("ffn.x_k"),
                         .ffn_key = at("ffn.key.weight"),
                         .ffn_value = at("ffn.value.weight"),
                         .att_shift = make({1, d_.C}),
                         .wkv = make({1, d_.H, d_.N, d_.N}),
                         .ffn_shift = make({1, d_.C})});
    }
    const Layer& last = layers_.back();
    const Shape C = {1, d_.C}, A = {1, d_.A};
    id_ = make({1}, DType::kI32);
    seqs_ = {.begin = make({2}, DType::kI32),
             .slot = make({1}, DType::kI32),
             .n = 1,
             .rows = 1,
             .slots = 1};
    const std::int32_t begin[] = {0, 1};
    be_.upload(seqs_.begin, begin);
    x_ = make(C), h_ = make(C), branch_ = make(C), k_ffn_ = make({1, d_.F}),
    logits_ = make({1, d_.V});
    for (Tensor& t : shifted_) t = make(C);
    for (Tensor* t :
         {&r_, &w_, &k_, &v_, &v_first_, &v_gate_, &a_, &g_, &k_new_, &alpha_, &beta_, &y_})
      *t = make(A);
    z_w_ = make({1, last.w1.dim(0)}), z_a_ = make({1, last.a1.dim(0)}),
    z_g_ = make({1, last.g1.dim(0)});
    if (last.v1) z_v_ = make({1, last.v1.dim(0)});
  }

  void forward(std::int32_t id, float* logits) {
    be_.upload(id_, &id);
    be_.embedding({h_, emb_, id_});
    be_.layer_norm({x_, h_, ln0_.weight, ln0_.bias, 1e-5});
    for (std::size_t l = 0; l < layers_.size(); ++l) block(layers_[l], l == 0);
    be_.layer_norm({h_, x_, ln_out_.weight, ln_out_.bias, 1e-5});
    linear({{{logits_, h_, head_, {}, Act::kNone, {}}}}, 1);
    be_.download(logits, logits_);
  }

 private:
  struct Layer {
    Norm ln1, ln2;
    std::array<Tensor, 6> mix;
    Tensor receptance, key, value, output, w0, w1, w2, a0, a1, a2, v0, v1, v2, g1, g2, k_k, k_a,
        r_k;
    Norm ln_x;
    Tensor x_k, ffn_key, ffn_value;
    Tensor att_shift, wkv, ffn_shift;  // the state
  };

  void linear(const std::array<Projection, LinearArgs::kMax>& parts, int n) {
    be_.linear({parts, n});
  }

  void block(const Layer& p, bool first) {
    be_.layer_norm({h_, x_, p.ln1.weight, p.ln1.bias, 1e-5});
    const auto& [xr, xw, xk, xv, xa, xg] = shifted_;
    be_.token_shift({shifted_, p.att_shift, h_, p.mix, 6, ShiftMix::kPrevious, seqs_});
    const Tensor v = first ? v_first_ : v_;
    linear({{{r_, xr, p.receptance, {}, Act::kNone, {}},
             {k_, xk, p.key, {}, Act::kNone, {}},
             {v, xv, p.value, {}, Act::kNone, {}},
             {z_w_, xw, p.w1, {}, Act::kTanh, {}},
             {z_a_, xa, p.a1, {}, Act::kNone, {}},
             {z_g_, xg, p.g1, {}, Act::kSigmoid, {}},
             {z_v_, xv, p.v1, {}, Act::kNone, {}}}},
           first ? 6 : 7);
    linear({{{w_, z_w_, p.w2, p.w0, Act::kDecay7, {}},
             {a_, z_a_, p.a2, p.a0, Act::kSigmoid, {}},
             {g_, z_g_, p.g2, {}, Act::kNone, {}},
             {v_gate_, z_v_, p.v2, p.v0, Act::kSigmoid, {}}}},
           first ? 3 : 4);
    if (!first) be_.lerp({v, v, v_first_, v_gate_});
    be_.delta_keys({k_new_, alpha_, beta_, k_, a_, p.k_k, p.k_a, d_.H});
    be_.wkv7({y_, p.wkv, r_, w_, k_new_, v, alpha_, beta_, seqs_});
    be_.wkv7_output({y_, y_, r_, k_new_, v, g_, p.r_k, p.ln_x.weight, p.ln_x.bias, d_.H, eps_});
    linear({{{branch_, y_, p.output, {}, Act::kNone, {}}}}, 1);
    be_.add({x_, x_, branch_});
    be_.layer_norm({h_, x_, p.ln2.weight, p.ln2.bias, 1e-5});
    be_.token_shift({{xk}, p.ffn_shift, h_, {p.x_k}, 1, ShiftMix::kPrevious, seqs_});
    linear({{{k_ffn_, xk, p.ffn_key, {}, Act::kReluSq, {}}}}, 1);
    linear({{{branch_, k_ffn_, p.ffn_value, {}, Act::kNone, {}}}}, 1);
    be_.add({x_, x_, branch_});
  }

  Tensor make(const Shape& shape, DType dtype = DType::kF32) {
    Tensor t;
    t.shape = shape;
    t.dtype = dtype;
    t.data = memory_.emplace_back(be_.allocate(t.bytes())).data();
    return t;
  }

  Backend& be_;
  Dims d_;
  double eps_;
  std::deque<Buffer> memory_;
  Tensor emb_, head_;
  Norm ln0_, ln_out_;
  std::vector<Layer> layers_;
  Tensor id_, x_, h_, branch_, k_ffn_, logits_;
  std::array<Tensor, 6> shifted_;
  Tensor r_, w_, k_, v_, v_first_, v_gate_, a_, g_, k_new_, alpha_, beta_, y_, z_w_, z_a_, z_g_,
      z_v_;
  Seqs seqs_;
};

/// The same through the op layer, as the engine calls it.
class OpLayer {
 public:
  OpLayer(Backend& backend, const Model& model) : be_(backend), model_(model), arena_(backend) {
    const auto make = [&](Shape shape, DType dtype) {
      Tensor t;
      t.shape = shape;
      t.dtype = dtype;
      t.data = memory_.emplace_back(be_.allocate(t.bytes())).data();
      return t;
    };
    batch_ = {.ids = make({1}, DType::kI32),
              .seqs = {.begin = make({2}, DType::kI32),
                       .slot = make({1}, DType::kI32),
                       .n = 1,
                       .rows = 1,
                       .slots = 1},
              .wanted = {.logit_rows = make({1}, DType::kI32)}};
    const std::int32_t begin[] = {0, 1};
    be_.upload(batch_.seqs.begin, begin);
    for (int l = 0; l < model.dims().L; ++l) {
      state_.emplace_back();
      for (const StateEntry& e : model.state_spec(l)) {
        Shape shape = {1};
        for (int i = 0; i < e.shape.rank; ++i)
          shape.dims[static_cast<std::size_t>(shape.rank++)] = e.shape[i];
        state_.back().tensors.push_back(make(shape, DType::kF32));
      }
    }
  }

  void forward(std::int32_t id, float* logits) {
    const ArenaScope scope(arena_);
    Ctx c{.backend = be_, .arena = arena_};
    be_.upload(batch_.ids, &id);
    be_.download(logits, model_.forward(c, batch_, state_));
  }

 private:
  Backend& be_;
  const Model& model_;
  Arena arena_;
  std::deque<Buffer> memory_;
  Batch batch_;
  std::vector<LayerState> state_;
};

struct Options {
  int threads = 0;
  DType dtype = DType::kF16;
  double seconds = 10;
  bool check = false;
  std::vector<std::string> shapes;
};

/// Prints one line; returns Model::forward's time as a multiple of the hand-written program's.
double compare(const std::string& shape, const Options& o) {
  const auto backend = make_backend({.name = "cpu", .threads = o.threads});
  LoadedModel model = random_model(model_shape(shape), o.dtype, *backend);
  HandCalled by_hand(*backend, *model.model);
  OpLayer op_layer(*backend, *model.model);
  const auto V = static_cast<std::size_t>(model.model->dims().V);
  std::vector<float> expected(V), got(V);
  std::vector<double> hand, ops, ratio;
  const Stopwatch whole;
  for (std::int32_t token = 0; hand.size() < 5 || whole.seconds() < o.seconds; ++token) {
    const auto id = static_cast<std::int32_t>((token * 7919 + 11) % static_cast<std::int64_t>(V));
    // In turns, and each first in every other round: whatever slows the machine down for a while
    // slows both.
    for (const int turn : {token % 2, 1 - token % 2}) {
      const Stopwatch clock;
      if (turn == 0)
        by_hand.forward(id, expected.data());
      else
        op_layer.forward(id, got.data());
      (turn == 0 ? hand : ops).push_back(clock.seconds() * 1e6);
    }
    ratio.push_back(ops.back() / hand.back());
    if (std::memcmp(expected.data(), got.data(), V * sizeof(float)) != 0) {
      fail(Code::kInternal, "{}: token {}: the two programs differ", shape, token);
    }
  }
  const double times = median(ops) / median(hand);
  fmt::print(
      "{:<24} {:<5} {}: by hand {:9.1f} us, op layer {:9.1f} us a token, ratio of medians {:.4f}, "
      "median ratio {:.4f} ({} tokens)\n",
      shape, name_of(o.dtype), backend->description(), median(hand), median(ops), times,
      median(ratio), hand.size());
  return times;
}

template <class T>
T number(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  if (const auto [p, error] = std::from_chars(text.data(), end, value);
      error != std::errc{} || p != end) {
    fail(Code::kInvalidArgument, "'{}' is no number", text);
  }
  return value;
}

Options parse(std::span<char*> args) {
  Options o;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string arg = args[i];
    const auto next = [&]() -> std::string {
      if (++i == args.size()) fail(Code::kInvalidArgument, "{} needs a value", arg);
      return args[i];
    };
    if (arg == "--threads")
      o.threads = number<int>(next());
    else if (arg == "--dtype")
      o.dtype = dtype_from_name(next()).value_or(DType::kF16);
    else if (arg == "--seconds")
      o.seconds = number<double>(next());
    else if (arg == "--check")
      o.check = true;
    else
      o.shapes.push_back(arg);
  }
  if (o.shapes.empty()) o.shapes = {"rwkv7:0.1b", "rwkv7:0.4b"};
  return o;
}

}  // namespace
}  // namespace prwkv

int main(int argc, char** argv) {
  constexpr double kMostOverhead = 1.05;
  try {
    const prwkv::Options options = prwkv::parse({argv + 1, static_cast<std::size_t>(argc - 1)});
    bool slow = false;
    for (const std::string& shape : options.shapes)
      slow = prwkv::compare(shape, options) > kMostOverhead || slow;
    return options.check && slow ? 1 : 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "hand_called: {}\n", e.what());
    return 2;
  }
}
