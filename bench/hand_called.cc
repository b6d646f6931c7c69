/// What the op layer costs: one token of RWKV-7 through Model::forward, and through a program
/// written by hand that calls the same Backend methods on preallocated memory — no op fronts, no
/// arena, no shape checks, no blocks. Interleaved, medians; the two must give the same logits, bit
/// for bit, and the model may take at most 5 % longer.
///
///     hand_called [SHAPE] [DTYPE] [THREADS] [ROUNDS]        default: rwkv7:0.1b f16 0 60
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "base/clock.h"
#include "models/random.h"

namespace prwkv {
namespace {

/// Parameters by their checkpoint names.
struct Collector final : ParamVisitor {
  void visit(const Param& p, Tensor& t) override { tensors[p.name] = t; }
  std::map<std::string, Tensor> tensors;
};

/// Recurrent state of one sequence, zero at first.
struct OwnState {
  std::vector<Buffer> buffers;
  std::vector<LayerState> layers;
  OwnState(Backend& backend, const Model& model) {
    for (int l = 0; l < model.dims().L; ++l) {
      layers.emplace_back();
      for (const StateEntry& e : model.state_spec(l)) {
        Tensor t;
        t.shape.rank = e.shape.rank + 1;
        t.shape.dims[0] = 1;
        std::copy_n(e.shape.dims.begin(), e.shape.rank, t.shape.dims.begin() + 1);
        buffers.push_back(backend.allocate(t.bytes()));
        t.data = buffers.back().data();
        layers.back().tensors.push_back(t);
      }
    }
  }
};

class HandCalled {
 public:
  HandCalled(Backend& backend, Model& model)
      : backend_(backend), d_(model.dims()), state_(backend, model) {
    Collector all;
    model.visit(all);
    p_ = std::move(all.tensors);
    for (std::int64_t l = 0; l < d_.L; ++l) layers_.push_back(layer_parameters(l));
    for (Tensor* t : {&x_, &h_, &o_}) *t = make(d_.C);
    for (Tensor& t : mix_) t = make(d_.C);
    for (Tensor* t :
         {&r_, &w_, &k_, &v_, &a_, &g_, &m_, &v_first_, &k_new_, &alpha_, &beta_, &y_, &out_})
      *t = make(d_.A);
    for (std::size_t i = 0; i < 4; ++i)
      low_[i] = make(d_.ranks.at(std::array{"w", "a", "g", "v"}[i]));
    f_ = make(d_.F);
    logits = make(d_.V);
  }

  void step(const Tensor& id, const Seqs& seqs, double eps) {
    Backend& b = backend_;
    b.embedding({o_, p_.at("emb.weight"), id});
    b.layer_norm({x_, o_, p_.at("blocks.0.ln0.weight"), p_.at("blocks.0.ln0.bias"), 1e-5});
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Layer& p = layers_[l];
      const auto& s = state_.layers[l].tensors;
      b.layer_norm({h_, x_, p.ln1_w, p.ln1_b, 1e-5});
      b.token_shift({mix_, s[0], h_, p.mu, 6, ShiftMix::kPrevious, seqs});
      LinearArgs first{{Projection{r_, mix_[0], p.receptance, {}, Act::kNone, {}},
                        Projection{k_, mix_[2], p.key, {}, Act::kNone, {}},
                        Projection{v_, mix_[3], p.value, {}, Act::kNone, {}},
                        Projection{low_[0], mix_[1], p.w1, {}, Act::kTanh, {}},
                        Projection{low_[1], mix_[4], p.a1, {}, Act::kNone, {}},
                        Projection{low_[2], mix_[5], p.g1, {}, Act::kSigmoid, {}},
                        Projection{low_[3], mix_[3], p.v1, {}, Act::kNone, {}}},
                       l == 0 ? 6 : 7};
      b.linear(first);
      LinearArgs second{{Projection{w_, low_[0], p.w2, p.w0, Act::kDecay7, {}},
                         Projection{a_, low_[1], p.a2, p.a0, Act::kSigmoid, {}},
                         Projection{g_, low_[2], p.g2, {}, Act::kNone, {}},
                         Projection{m_, low_[3], p.v2, p.v0, Act::kSigmoid, {}}},
                        l == 0 ? 3 : 4};
      b.linear(second);
      if (l == 0)
        b.copy({v_first_, v_});
      else
        b.lerp({v_, v_, v_first_, m_});
      b.delta_keys({k_new_, alpha_, beta_, k_, a_, p.k_k, p.k_a, d_.H});
      b.wkv7({y_, s[1], r_, w_, k_new_, v_, alpha_, beta_, seqs});
      b.wkv7_output({out_, y_, r_, k_new_, v_, g_, p.r_k, p.ln_x_w, p.ln_x_b, d_.H, eps});
      b.linear({{Projection{o_, out_, p.output, {}, Act::kNone, {}}}, 1});
      b.add({x_, x_, o_});
      b.layer_norm({h_, x_, p.ln2_w, p.ln2_b, 1e-5});
      b.token_shift({{mix_[0]}, s[2], h_, {p.ffn_x_k}, 1, ShiftMix::kPrevious, seqs});
      b.linear({{Projection{f_, mix_[0], p.ffn_key, {}, Act::kReluSq, {}}}, 1});
      b.linear({{Projection{o_, f_, p.ffn_value, {}, Act::kNone, {}}}, 1});
      b.add({x_, x_, o_});
    }
    b.layer_norm({h_, x_, p_.at("ln_out.weight"), p_.at("ln_out.bias"), 1e-5});
    b.linear({{Projection{logits, h_, p_.at("head.weight"), {}, Act::kNone, {}}}, 1});
  }

  Tensor logits;

 private:
  struct Layer {
    Tensor ln1_w, ln1_b, ln2_w, ln2_b, receptance, key, value, w0, w1, w2, a0, a1, a2, v0, v1, v2,
        g1, g2, k_k, k_a, r_k;
    Tensor ln_x_w, ln_x_b, output, ffn_x_k, ffn_key, ffn_value;
    std::array<Tensor, 6> mu;
  };

  Layer layer_parameters(std::int64_t l) {
    const auto of = [&](const char* name) { return p_[fmt::format("blocks.{}.{}", l, name)]; };
    return {.ln1_w = of("ln1.weight"),
            .ln1_b = of("ln1.bias"),
            .ln2_w = of("ln2.weight"),
            .ln2_b = of("ln2.bias"),
            .receptance = of("att.receptance.weight"),
            .key = of("att.key.weight"),
            .value = of("att.value.weight"),
            .w0 = of("att.w0"),
            .w1 = of("att.w1"),
            .w2 = of("att.w2"),
            .a0 = of("att.a0"),
            .a1 = of("att.a1"),
            .a2 = of("att.a2"),
            .v0 = of("att.v0"),
            .v1 = of("att.v1"),
            .v2 = of("att.v2"),
            .g1 = of("att.g1"),
            .g2 = of("att.g2"),
            .k_k = of("att.k_k"),
            .k_a = of("att.k_a"),
            .r_k = of("att.r_k"),
            .ln_x_w = of("att.ln_x.weight"),
            .ln_x_b = of("att.ln_x.bias"),
            .output = of("att.output.weight"),
            .ffn_x_k = of("ffn.x_k"),
            .ffn_key = of("ffn.key.weight"),
            .ffn_value = of("ffn.value.weight"),
            .mu = {of("att.x_r"), of("att.x_w"), of("att.x_k"), of("att.x_v"), of("att.x_a"),
                   of("att.x_g")}};
  }

  Tensor make(std::int64_t n) {
    Tensor t;
    t.shape = {1, n};
    buffers_.push_back(backend_.allocate(t.bytes()));
    t.data = buffers_.back().data();
    return t;
  }

  Backend& backend_;
  Dims d_;
  OwnState state_;
  std::map<std::string, Tensor> p_;
  std::vector<Layer> layers_;
  std::vector<Buffer> buffers_;
  Tensor x_, h_, o_, r_, w_, k_, v_, a_, g_, m_, v_first_, k_new_, alpha_, beta_, y_, out_, f_;
  std::array<Tensor, 6> mix_;
  std::array<Tensor, 4> low_;
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

int run(const std::string& shape, DType dtype, int threads, int rounds) {
  const auto backend = make_backend({.name = "cpu", .threads = threads});
  LoadedModel loaded = random_model(model_shape(shape), dtype, *backend);
  Model& model = *loaded.model;
  HandCalled hand(*backend, model);
  OwnState state(*backend, model);
  Arena tables(*backend), arena(*backend);
  const auto ints = [&](std::vector<std::int32_t> values) {
    const Tensor t = tables.make({static_cast<std::int64_t>(values.size())}, DType::kI32);
    backend->upload(t, values.data());
    return t;
  };
  const Seqs seqs{.begin = ints({0, 1}), .slot = ints({0}), .n = 1, .rows = 1, .slots = 1};
  const Tensor id = ints({0}), last = ints({0});
  std::vector<double> by_hand, by_model;
  for (int round = 0; round < rounds; ++round) {
    const std::int32_t token = round * 17 % 1000;
    backend->upload(id, &token);
    const auto time_hand = [&] {
      const Stopwatch clock;
      hand.step(id, seqs, model.groupnorm_eps);
      by_hand.push_back(clock.seconds());
    };
    const ArenaScope scope(arena);
    Ctx c{.backend = *backend, .arena = arena};
    Tensor logits;
    const auto time_model = [&] {
      const Stopwatch clock;
      logits = model.forward(c, {.ids = id, .seqs = seqs, .logit_rows = last}, state.layers);
      by_model.push_back(clock.seconds());
    };
    // Alternating who goes first, since the second one finds some weights in the cache.
    if (round % 2 == 0)
      time_hand(), time_model();
    else
      time_model(), time_hand();
    if (std::memcmp(logits.data, hand.logits.data, logits.bytes()) != 0) {
      std::cerr << "the two programs differ at token " << round << '\n';
      return 1;
    }
  }
  const double ratio = median(by_model) / median(by_hand);
  std::cout << fmt::format(
      "{} {}, {}: by hand {:.3f} ms, model {:.3f} ms a token, ratio {:.3f} (limit 1.05)\n", shape,
      name_of(dtype), backend->description(), 1e3 * median(by_hand), 1e3 * median(by_model), ratio);
  return ratio <= 1.05 ? 0 : 1;
}

}  // namespace
}  // namespace prwkv

int main(int argc, char** argv) {
  try {
    const std::string shape = argc > 1 ? argv[1] : "rwkv7:0.1b";
    const auto dtype = prwkv::dtype_from_name(argc > 2 ? argv[2] : "f16");
    if (!dtype) prwkv::fail(prwkv::Code::kInvalidArgument, "there is no type '{}'", argv[2]);
    return prwkv::run(shape, *dtype, argc > 3 ? std::atoi(argv[3]) : 0,
                      argc > 4 ? std::atoi(argv[4]) : 60);
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
