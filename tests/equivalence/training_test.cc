/// The backward pass: each operation alone, and a whole two-layer RWKV-4 through the tape, against
/// central differences of the reference in double precision.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

#include "backend/ref/ref_backend.h"
#include "base/json.h"
#include "models/random.h"
#include "ops/op.h"
#include "support/backends.h"
#include "support/fake_backend.h"
#include "support/paths.h"
#include "support/random.h"

namespace prwkv::test {
namespace {

// Central differences with step h are off by h² f‴/6 and ε |f| / h: with h = 1e-5 and everything of
// size 1 about 1e-10.
constexpr double kStep = 1e-5;
// Of the largest element of a gradient. Measured: below 2e-9.
constexpr double kTolerance = 1e-6;

/// Tensors in the memory of one backend, filled from the host.
class Pool {
 public:
  explicit Pool(Backend& backend) : backend_(&backend) {}
  Tensor make(const Shape& shape, const std::vector<double>& values) {
    Tensor t = room(shape, DType::kF64);
    backend_->upload(t, values.data());
    return t;
  }
  Tensor ints(const std::vector<std::int32_t>& values) {
    Tensor t = room({static_cast<std::int64_t>(values.size())}, DType::kI32);
    backend_->upload(t, values.data());
    return t;
  }
  Seqs seqs(const std::vector<std::int32_t>& lengths) {
    std::vector<std::int32_t> begin = {0}, slot;
    for (const std::int32_t n : lengths) {
      slot.push_back(static_cast<std::int32_t>(slot.size()));
      begin.push_back(begin.back() + n);
    }
    const auto n = static_cast<std::int64_t>(lengths.size());
    return {.begin = ints(begin), .slot = ints(slot), .n = n, .rows = begin.back(), .slots = n};
  }

 private:
  Tensor room(const Shape& shape, DType dtype) {
    Tensor t;
    t.shape = shape;
    t.dtype = dtype;
    t.data = memory_.emplace_back(backend_->allocate(t.bytes())).data();
    return t;
  }
  Backend* backend_;
  std::deque<Buffer> memory_;
};

std::vector<double> random_values(std::int64_t n, Random& random, double low = -1,
                                  double high = 1) {
  std::vector<double> v(static_cast<std::size_t>(n));
  for (double& x : v) x = random.uniform(low, high);
  return v;
}

void expect_gradient(const std::vector<double>& got, const std::vector<double>& expected,
                     const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double scale = 0;
  for (const double x : expected) scale = std::max(scale, std::abs(x));
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], kTolerance * scale) << what << ", element " << i;
  }
}

// ---- Each operation alone

struct Leaf {
  Shape shape;
  double low = -1, high = 1;
};

/// An expression of leaves whose gradient is checked; `seqs` and ids come from the pool.
struct OpGradient {
  std::string name;
  std::vector<Leaf> leaves;
  std::function<Tensor(Ctx&, Pool&, const std::vector<Tensor>&)> expression;
};

/// The name of the case in listings; the default prints addresses.
void PrintTo(const OpGradient& g, std::ostream* out) { *out << g.name; }

Tensor no_state(Pool& pool, const Shape& shape, double value = 0) {
  return pool.make(shape, std::vector<double>(static_cast<std::size_t>(shape.numel()), value));
}

std::vector<OpGradient> op_gradients() {
  std::vector<OpGradient> list;
  list.push_back({"embedding", {{{7, 5}}}, [](Ctx& c, Pool& pool, const auto& x) {
                    return op::embedding(c, Matrix{x[0]}, pool.ints({3, 0, 3, 6}));
                  }});
  list.push_back({"layer_norm", {{{3, 9}}, {{9}}, {{9}}}, [](Ctx& c, Pool&, const auto& x) {
                    return op::layer_norm(c, x[0], Norm{x[1], x[2]});
                  }});
  for (const Act act : {Act::kNone, Act::kSigmoid, Act::kTanh, Act::kSilu, Act::kReluSq, Act::kExp,
                        Act::kNegExp, Act::kExpNegExp, Act::kDecay7}) {
    list.push_back({fmt::format("linear_act_{}", static_cast<int>(act)),
                    {{{3, 5}}, {{4, 5}}, {{4}}},
                    [act](Ctx& c, Pool&, const auto& x) {
                      return op::linear(c, {x[0], Matrix{x[1]}, act, x[2]});
                    }});
    list.push_back({fmt::format("spread_act_{}", static_cast<int>(act)),
                    {{{3}}},
                    [act](Ctx& c, Pool&, const auto& x) { return op::spread(c, x[0], act, 12); }});
  }
  list.push_back({"linear_scaled", {{{3, 5}}, {{4, 5}}, {{4}}}, [](Ctx& c, Pool&, const auto& x) {
                    return op::linear(c, {x[0], Matrix{x[1], 0.3f}, Act::kTanh, x[2]});
                  }});
  list.push_back({"linear_two_parts_of_one_row",
                  {{{3, 5}}, {{4, 5}}, {{4, 5}}},
                  [](Ctx& c, Pool&, const auto& x) {
                    const Matrix a{x[1]}, b{x[2]};
                    const auto [p, q] = op::linear(c, {{x[0], a, Act::kTanh}, {x[0], b}});
                    return op::mul(c, p, q);
                  }});
  for (const ShiftMix mix : {ShiftMix::kCurrent, ShiftMix::kPrevious}) {
    list.push_back({mix == ShiftMix::kCurrent ? "token_shift_current" : "token_shift_previous",
                    {{{6, 4}}, {{4}}, {{4}}},
                    [mix](Ctx& c, Pool& pool, const auto& x) {
                      Random random(5);
                      const Tensor state = pool.make({3, 4}, random_values(12, random));
                      const auto [a, b] =
                          op::token_shift(c, x[0], {x[1], x[2]}, mix, state, pool.seqs({4, 0, 2}));
                      return op::mul(c, a, b);
                    }});
  }
  for (const bool carried : {false, true}) {
    list.push_back({carried ? "wkv4_carried_state" : "wkv4",
                    {{{7, 3}, -2, 2}, {{7, 3}}, {{3}, -2, -0.1}, {{3}}},
                    [carried](Ctx& c, Pool& pool, const auto& x) {
                      Random random(6);
                      const Tensor aa = carried ? pool.make({2, 3}, random_values(6, random))
                                                : no_state(pool, {2, 3});
                      const Tensor bb = carried
                                            ? pool.make({2, 3}, random_values(6, random, 0.5, 2))
                                            : no_state(pool, {2, 3});
                      const Tensor pp = carried ? pool.make({2, 3}, random_values(6, random))
                                                : no_state(pool, {2, 3}, -1e38);
                      return op::wkv4(c, x[0], x[1], x[2], x[3], aa, bb, pp, pool.seqs({5, 2}));
                    }});
  }
  list.push_back({"mul", {{{3, 4}}, {{3, 4}}}, [](Ctx& c, Pool&, const auto& x) {
                    return op::mul(c, x[0], x[1]);
                  }});
  list.push_back({"mul_with_itself", {{{3, 4}}}, [](Ctx& c, Pool&, const auto& x) {
                    return op::mul(c, x[0], x[0]);
                  }});
  list.push_back({"add_to", {{{3, 4}}, {{3, 4}}}, [](Ctx& c, Pool&, const auto& x) {
                    return op::add_to(c, op::mul(c, x[0], x[1]), x[1]);
                  }});
  list.push_back({"gather_rows", {{{5, 4}}}, [](Ctx& c, Pool& pool, const auto& x) {
                    return op::gather_rows(c, x[0], pool.ints({4, 1, 1}));
                  }});
  list.push_back({"cross_entropy", {{{4, 6}, -3, 3}}, [](Ctx& c, Pool& pool, const auto& x) {
                    return op::cross_entropy(c, x[0], pool.ints({5, 0, 2, 2}));
                  }});
  return list;
}

class OpGradients : public testing::TestWithParam<OpGradient> {};

TEST_P(OpGradients, MatchCentralDifferences) {
  const OpGradient& g = GetParam();
  RefBackend backend(DType::kF64);
  Arena arena(backend);
  Pool pool(backend);
  Random random(g.name);
  std::vector<Tensor> leaves;
  std::vector<std::vector<double>> values;
  for (const Leaf& leaf : g.leaves) {
    values.push_back(random_values(leaf.shape.numel(), random, leaf.low, leaf.high));
    leaves.push_back(pool.make(leaf.shape, values.back()));
  }
  // The gradient of Σ wᵢ yᵢ with random weights.
  ParamGrads params(backend);
  Tape tape(backend, arena, params);
  Ctx taped{.backend = backend, .arena = arena, .tape = &tape};
  std::vector<Tensor> variables;
  for (const Tensor& t : leaves) variables.push_back(tape.value(t));
  const Tensor y = g.expression(taped, pool, variables);
  const std::vector<double> weights = random_values(y.numel(), random);
  backend.upload(tape.grad(y), weights.data());
  tape.run_backward();

  const auto sum = [&] {
    const ArenaScope scope(arena);
    Ctx plain{.backend = backend, .arena = arena};
    const std::vector<double> result = download(backend, g.expression(plain, pool, leaves));
    double total = 0;
    for (std::size_t i = 0; i < result.size(); ++i) total += weights[i] * result[i];
    return total;
  };
  for (std::size_t l = 0; l < leaves.size(); ++l) {
    std::vector<double> expected;
    for (std::size_t i = 0; i < values[l].size(); ++i) {
      const auto at = [&](double value) {
        // Operations may work in place on what they are handed without a tape: every leaf is
        // written anew.
        for (std::size_t k = 0; k < leaves.size(); ++k) backend.upload(leaves[k], values[k].data());
        leaves[l].as<double>()[i] = value;
        return sum();
      };
      expected.push_back((at(values[l][i] + kStep) - at(values[l][i] - kStep)) / (2 * kStep));
    }
    expect_gradient(download(backend, tape.grad(variables[l])), expected,
                    fmt::format("leaf {}", l));
  }
}

INSTANTIATE_TEST_SUITE_P(Reference, OpGradients, testing::ValuesIn(op_gradients()),
                         [](const auto& p) { return p.param.name; });

/// An independent backward pass of the same recurrence.
TEST(Wkv4Backward, EqualsTheIndependentProgram) {
  const std::string name = "reference/test-vectors/wkv_grads.json";
  const auto path = shared_file(name);
  if (!path) GTEST_SKIP() << why_shared_is_missing(name);
  std::ifstream in(*path);
  const Json all = parse_json(
      std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>()), *path);
  const Json& j = all.at("wkv4");
  RefBackend backend(DType::kF64);
  Pool pool(backend);
  const auto flat = [&](const char* key) {
    std::vector<double> v;
    for (const Json& row : j.at(key)) {
      if (!row.is_array())
        v.push_back(row);
      else
        v.insert(v.end(), row.begin(), row.end());
    }
    return v;
  };
  const auto T = static_cast<std::int64_t>(j.at("k").size()),
             A = static_cast<std::int64_t>(j.at("u").size());
  const auto rows = [&](const char* key) { return pool.make({T, A}, flat(key)); };
  const auto vector = [&](const char* key) { return pool.make({A}, flat(key)); };
  const auto slot = [&](const char* key) { return pool.make({1, A}, flat(key)); };
  const auto zero = [&](const Shape& shape) { return no_state(pool, shape); };
  const Seqs seqs = pool.seqs({static_cast<std::int32_t>(T)});
  const Tensor k = rows("k"), v = rows("v"), w = vector("log_decay"), u = vector("u"),
               y = zero({T, A});
  const Tensor aa = slot("aa0"), bb = slot("bb0"), pp = slot("pp0");
  backend.wkv4({y, aa, bb, pp, k, v, w, u, seqs});
  Wkv4BackwardArgs b{.g_k = zero({T, A}),
                     .g_v = zero({T, A}),
                     .g_w = zero({A}),
                     .g_u = zero({A}),
                     .g_y = rows("gy"),
                     .y = y,
                     .k = k,
                     .v = v,
                     .w = w,
                     .u = u,
                     .aa = slot("aa0"),
                     .bb = slot("bb0"),
                     .pp = slot("pp0"),
                     .seqs = seqs};
  backend.wkv4_backward(b);
  constexpr double kDigitsOfTheFile = 1e-9;
  const std::pair<const char*, Tensor> results[] = {{"y", y},
                                                    {"aaT", aa},
                                                    {"bbT", bb},
                                                    {"ppT", pp},
                                                    {"gk", b.g_k},
                                                    {"gv", b.g_v},
                                                    {"g_log_decay", b.g_w},
                                                    {"gu", b.g_u}};
  for (const auto& [key, tensor] : results) {
    const std::vector<double> expected = flat(key), got = download(backend, tensor);
    ASSERT_EQ(got.size(), expected.size()) << key;
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], kDigitsOfTheFile) << key << " " << i;
  }
}

// ---- A whole model

/// Gives every parameter of a model f64 memory and random values, so that steps of finite
/// differences are exact.
class F64Weights final : public ParamVisitor {
 public:
  explicit F64Weights(Backend& backend) : backend_(backend), pool_(backend) {}
  void visit(const Param& p, Tensor& t) override {
    Random random(p.name);
    const bool is_matrix = p.stored != Stored::kVector;
    const double size =
        is_matrix ? 1.5 / std::sqrt(static_cast<double>(p.shape[p.shape.rank - 1])) : 1;
    values.push_back(random_values(p.shape.numel(), random,
                                   p.name.ends_with(".weight") && !is_matrix ? 0.5 : -size, size));
    t = pool_.make(is_matrix ? p.shape : Shape{p.shape.numel()}, values.back());
    names.push_back(p.name);
    tensors.push_back(t);
  }
  /// Changes one element.
  void set(std::size_t tensor, std::size_t i, double value) {
    Tensor element = tensors[tensor];
    element.shape = {1};
    element.data = static_cast<double*>(element.data) + i;
    backend_.upload(element, &value);
  }
  std::vector<std::string> names;
  std::vector<Tensor> tensors;
  std::vector<std::vector<double>> values;

 private:
  Backend& backend_;
  Pool pool_;
};

/// A model, a batch of two sequences of unequal length behind a state that is not empty, and the
/// loss over all rows.
class Training {
 public:
  Training(Backend& backend, const std::string& shape)
      : backend_(backend),
        arena_(backend),
        pool_(backend),
        weights(backend),
        dims_(model_shape(shape).dims) {
    model_ = model_shape(shape).generation->make(dims_);
    model_->visit(weights);
    batch_.ids = pool_.ints({3, 0, 7, 3, 2, 10, 5, 5, 1, 9, 0});
    batch_.seqs = pool_.seqs({7, 4});
    targets_ = pool_.ints({0, 7, 3, 2, 10, 5, 5, 1, 9, 0, 4});
    std::vector<std::int32_t> all(11);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
    batch_.logit_rows = pool_.ints(all);
    Random random("state");
    for (int l = 0; l < dims_.L; ++l) {
      state_.emplace_back();
      initial_.emplace_back();
      for (const StateEntry& e : model_->state_spec(l)) {
        Shape shape_of_slots{2};
        for (int i = 0; i < e.shape.rank; ++i)
          shape_of_slots.dims[static_cast<std::size_t>(shape_of_slots.rank++)] = e.shape[i];
        const bool positive = e.name == "bb";
        initial_.back().push_back(
            random_values(shape_of_slots.numel(), random, positive ? 0.5 : -1, positive ? 2 : 1));
        state_.back().tensors.push_back(pool_.make(shape_of_slots, initial_.back().back()));
      }
    }
  }

  double loss() {
    const ArenaScope scope(arena_);
    Ctx c{.backend = backend_, .arena = arena_};
    return download(backend_, forward(c))[0];
  }

  struct Gradients {
    std::vector<std::vector<double>> of;  // a weight each
    double loss = 0;
    std::size_t bytes = 0;  // of scratch memory after the forward pass
    std::vector<std::string> ops;
  };
  Gradients gradients(bool checkpoint, LayerSource* layers = nullptr) {
    const ArenaScope scope(arena_);
    ParamGrads params(backend_);
    for (const Tensor& t : weights.tensors) params.watch(t);
    Tape tape(backend_, arena_, params);
    Gradients g;
    const Observer observer = [&](const char* op, const Tensor&) { g.ops.emplace_back(op); };
    Ctx c{.backend = backend_,
          .arena = arena_,
          .layers = layers,
          .tape = &tape,
          .checkpoint = checkpoint,
          .observer = &observer};
    const Tensor y = forward(c);
    g.bytes = arena_.mark().offset;
    tape.backward_from(y);
    g.loss = download(backend_, y)[0];
    for (const Tensor& t : weights.tensors) g.of.push_back(download(backend_, params.of(t)));
    return g;
  }

 private:
  Tensor forward(Ctx& c) {
    for (std::size_t l = 0; l < state_.size(); ++l) {
      for (std::size_t i = 0; i < initial_[l].size(); ++i)
        backend_.upload(state_[l].tensors[i], initial_[l][i].data());
    }
    return op::cross_entropy(c, model_->forward(c, batch_, state_), targets_);
  }

  Backend& backend_;
  Arena arena_;
  Pool pool_;

 public:
  F64Weights weights;

 private:
  Dims dims_;
  std::unique_ptr<Model> model_;
  Batch batch_;
  Tensor targets_;
  std::vector<LayerState> state_;
  std::vector<std::vector<std::vector<double>>> initial_;
};

const char* const kTiny4 = "rwkv4:L2,C8,A12,F10,V11";

TEST(TrainingRwkv4, GradientsMatchCentralDifferences) {
  RefBackend backend(DType::kF64);
  Training training(backend, kTiny4);
  const Training::Gradients g = training.gradients(false);
  EXPECT_NEAR(g.loss, training.loss(), 1e-14);
  std::size_t parameters = 0;
  double worst = 0;
  for (std::size_t p = 0; p < g.of.size(); ++p) {
    std::vector<double> expected;
    const std::vector<double>& values = training.weights.values[p];
    double scale = 0, off = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto at = [&](double value) {
        training.weights.set(p, i, value);
        return training.loss();
      };
      expected.push_back((at(values[i] + kStep) - at(values[i] - kStep)) / (2 * kStep));
      training.weights.set(p, i, values[i]);
      scale = std::max(scale, std::abs(expected[i]));
      off = std::max(off, std::abs(expected[i] - g.of[p][i]));
    }
    EXPECT_GT(scale, 1e-6) << training.weights.names[p]
                           << " does not matter: the test proves nothing about it";
    expect_gradient(g.of[p], expected, training.weights.names[p]);
    worst = std::max(worst, off / scale);
    parameters += values.size();
  }
  std::printf("%zu parameters, largest relative error %.2g\n", parameters, worst);
}

// Rounding alone: the same operations in the same order.
constexpr double kSameArithmetic = 1e-12;

void expect_same_gradients(const Training::Gradients& a, const Training::Gradients& b) {
  EXPECT_EQ(a.loss, b.loss);
  for (std::size_t p = 0; p < a.of.size(); ++p) {
    for (std::size_t i = 0; i < a.of[p].size(); ++i)
      ASSERT_NEAR(a.of[p][i], b.of[p][i], kSameArithmetic * std::max(1.0, std::abs(a.of[p][i])));
  }
}

TEST(TrainingRwkv4, CheckpointsChangeMemoryAndNothingElse) {
  RefBackend backend(DType::kF64);
  struct Counting final : LayerSource {
    void acquire(int layer) override { acquired.push_back(layer); }
    void release(int layer) override { released.push_back(layer); }
    void prefetch(int) override {}
    std::vector<int> acquired, released;
  } layers;
  Training training(backend, kTiny4);
  const Training::Gradients plain = training.gradients(false),
                            saved = training.gradients(true, &layers);
  expect_same_gradients(saved, plain);
  EXPECT_LT(saved.bytes, plain.bytes);
  EXPECT_THAT(layers.acquired, testing::ElementsAre(0, 1, 1, 0))
      << "forward, then backward in reverse order";
  EXPECT_THAT(layers.released, testing::ElementsAre(0, 1, 1, 0));
  EXPECT_EQ(saved.ops, plain.ops) << "an observer sees the forward pass once";
}

TEST(TrainingRwkv4, RunsOnADevice) {
  RefBackend reference(DType::kF64);
  FakeBackend fake(DType::kF64);
  for (const bool checkpoint : {false, true}) {
    expect_same_gradients(Training(fake, kTiny4).gradients(checkpoint),
                          Training(reference, kTiny4).gradients(checkpoint));
  }
}

TEST(TrainingRwkv4, LowersTheLoss) {
  RefBackend backend(DType::kF64);
  Training training(backend, kTiny4);
  const double before = training.loss();
  for (int step = 0; step < 20; ++step) {
    const Training::Gradients g = training.gradients(true);
    for (std::size_t p = 0; p < g.of.size(); ++p) {
      for (std::size_t i = 0; i < g.of[p].size(); ++i)
        training.weights.set(p, i, training.weights.values[p][i] -= 0.3 * g.of[p][i]);
    }
  }
  EXPECT_LT(training.loss(), 0.7 * before);
}

/// A gradient that is lost without a word would be found only after days of training.
TEST(Training, OfGenerationsWithoutBackwardIsRefused) {
  const std::map<std::string, std::string> shapes = {
      {"rwkv4a:L2,C8,F10,V11,tiny4", "op::tiny_attention"},
      {"rwkv5.0:L2,C8,F10,V11,N4", "op::wkv6"},
      {"rwkv5.1:L2,C8,F10,V11,N4", "op::wkv6"},
      {"rwkv5.2:L2,C8,F10,V11,N4", "op::wkv6"},
      {"rwkv6:L2,C8,F10,V11,N4,mix4,decay4", "op::token_delta"},
      {"rwkv7:L2,C8,F10,V11,N4,w4,a4,v4,g4", "op::delta_keys"}};
  for (const auto& [shape, op] : shapes) {
    for (const bool checkpoint : {false, true}) {
      RefBackend backend(DType::kF64);
      Training training(backend, shape);
      EXPECT_TRUE(std::isfinite(training.loss())) << shape;
      try {
        (void)training.gradients(checkpoint);
        ADD_FAILURE() << shape << " was trained";
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::kUnsupported) << shape;
        // With checkpoints the tape sees the last block first.
        EXPECT_THAT(e.what(), testing::HasSubstr(checkpoint ? "op::" : op)) << shape;
        EXPECT_THAT(e.what(), testing::HasSubstr("no backward")) << shape;
      }
    }
  }
}

}  // namespace
}  // namespace prwkv::test
