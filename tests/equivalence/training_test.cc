/// The backward pass: each operation alone, and whole two-layer models of every generation through the tape,
/// against central differences of the reference in double precision.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

#include "backend/ref/ref_backend.h"
#include "base/json.h"
#include "models/random.h"
#include "ops/op.h"
#include "quant/blocks.h"
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

/// Elements in the backend's activation type.
void put(Backend& backend, const Tensor& t, const std::vector<double>& values) {
  const std::vector<float> single(values.begin(), values.end());
  backend.upload(t, t.dtype == DType::kF64 ? static_cast<const void*>(values.data())
                                           : static_cast<const void*>(single.data()));
}

/// Tensors in the memory of one backend, filled from the host.
class Pool {
 public:
  explicit Pool(Backend& backend) : backend_(&backend) {}
  Tensor make(const Shape& shape, const std::vector<double>& values) {
    const Tensor t = room(shape, backend_->activation_dtype());
    put(*backend_, t, values);
    return t;
  }
  /// A matrix of random weights in any type, as files have it.
  Tensor weights(const Shape& shape, DType dtype, const std::string& seed) {
    Random random(seed);
    std::vector<float> values(static_cast<std::size_t>(shape.numel()));
    for (float& x : values) x = static_cast<float>(random.uniform(-1, 1));
    std::vector<std::byte> stored(row_bytes(dtype, shape.numel()));
    quant::quantize(dtype, values.data(), shape.numel(), stored.data());
    const Tensor t = room(shape, dtype);
    backend_->upload(t, stored.data());
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

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double x : values) sum += x;
  return sum;
}

// ---- Each operation alone

struct Leaf {
  Shape shape;
  double low = -1, high = 1;
  enum Kind {
    kValue,
    kState,  ///< recurrent: operations overwrite it; its gradient is that of what it was at first
    kConstant,  ///< recurrent, and no gradient is wanted
  } kind = kValue;
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

/// Operations that look across time, twice one after the other: the gradient of the state goes from the second to
/// the first, and from there to what the state was at first. Sequences without rows hold on to theirs.
void add_recurrences(std::vector<OpGradient>& list) {
  for (const ShiftMix mix : {ShiftMix::kCurrent, ShiftMix::kPrevious}) {
    list.push_back(
        {mix == ShiftMix::kCurrent ? "token_shift_twice_current" : "token_shift_twice_previous",
         {{{6, 4}}, {{6, 4}}, {{4}}, {{3, 4}, -1, 1, Leaf::kState}},
         [mix](Ctx& c, Pool& pool, const auto& x) {
           const auto [a] = op::token_shift(c, x[0], {x[2]}, mix, x[3], pool.seqs({4, 0, 2}));
           const auto [b] = op::token_shift(c, x[1], {x[2]}, mix, x[3], pool.seqs({1, 3, 2}));
           return op::mul(c, a, b);
         }});
  }
  list.push_back({"token_delta_twice",
                  {{{6, 4}}, {{6, 4}}, {{3, 4}, -1, 1, Leaf::kState}},
                  [](Ctx& c, Pool& pool, const auto& x) {
                    const Tensor a = op::token_delta(c, x[0], x[2], pool.seqs({4, 0, 2})),
                                 b = op::token_delta(c, x[1], x[2], pool.seqs({1, 3, 2}));
                    return op::mul(c, a, b);
                  }});
  list.push_back(
      {"wkv4_twice",
       {{{7, 3}, -2, 2},
        {{7, 3}},
        {{7, 3}, -2, 2},
        {{7, 3}},
        {{3}, -2, -0.1},
        {{3}},
        {{2, 3}, -1, 1, Leaf::kState},
        {{2, 3}, 0.5, 2, Leaf::kState},
        {{2, 3}, -1, 1, Leaf::kConstant}},
       [](Ctx& c, Pool& pool, const auto& x) {
         const Tensor a = op::wkv4(c, x[0], x[1], x[4], x[5], x[6], x[7], x[8], pool.seqs({5, 2})),
                      b = op::wkv4(c, x[2], x[3], x[4], x[5], x[6], x[7], x[8], pool.seqs({3, 4}));
         return op::mul(c, a, b);
       }});
  for (const bool is_constant : {false, true}) {
    const Shape decay = is_constant ? Shape{6} : Shape{7, 6};
    list.push_back(
        {is_constant ? "wkv6_twice_constant_decay" : "wkv6_twice",
         {{{7, 6}}, {{7, 6}}, {{7, 6}}, {decay, 0, 1}, {{6}}, {{3, 2, 3, 3}, -1, 1, Leaf::kState}},
         [](Ctx& c, Pool& pool, const auto& x) {
           const Tensor a = op::wkv6(c, {x[0], x[1], x[2], x[3], x[4]}, x[5], pool.seqs({5, 0, 2})),
                        b = op::wkv6(c, {x[1], x[2], x[0], x[3], x[4]}, x[5], pool.seqs({3, 2, 2}));
           return op::mul(c, a, b);
         }});
  }
  list.push_back({"wkv7_twice",
                  {{{7, 6}},
                   {{7, 6}, 0.55, 1},
                   {{7, 6}},
                   {{7, 6}},
                   {{7, 6}},
                   {{7, 6}},
                   {{3, 2, 3, 3}, -1, 1, Leaf::kState}},
                  [](Ctx& c, Pool& pool, const auto& x) {
                    const Tensor a = op::wkv7(c, {x[0], x[1], x[2], x[3], x[4], x[5]}, x[6],
                                              pool.seqs({5, 0, 2})),
                                 b = op::wkv7(c, {x[2], x[1], x[0], x[4], x[5], x[3]}, x[6],
                                              pool.seqs({3, 2, 2}));
                    return op::mul(c, a, b);
                  }});
  list.push_back(
      {"tiny_attention_twice",
       {{{7, 2}}, {{7, 2}}, {{7, 3}}, {{3, 3, 2}, -1, 1, Leaf::kState}},
       [](Ctx& c, Pool& pool, const auto& x) {
         const Tensor a = op::tiny_attention(c, x[0], x[1], x[2], x[3], pool.seqs({5, 0, 2})),
                      b = op::tiny_attention(c, x[1], x[0], x[2], x[3], pool.seqs({3, 2, 2}));
         return op::mul(c, a, b);
       }});
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
  list.push_back({"lerp", {{{3, 4}}, {{3, 4}}, {{3, 4}}}, [](Ctx& c, Pool&, const auto& x) {
                    return op::lerp(c, x[0], x[1], x[2]);
                  }});
  list.push_back({"shift_by", {{{3, 4}}, {{3, 4}}, {{4}}}, [](Ctx& c, Pool&, const auto& x) {
                    return op::shift_by(c, x[0], x[1], x[2]);
                  }});
  list.push_back({"data_shift",
                  {{{3, 4}}, {{3, 4}}, {{3, 10}}, {{5, 4, 2}}, {{4}}, {{4}}, {{4}}, {{4}}, {{4}}},
                  [](Ctx& c, Pool&, const auto& x) {
                    const auto y = op::data_shift(c, x[0], x[1], x[2], Matrix{x[3]},
                                                  {x[4], x[5], x[6], x[7], x[8]});
                    Tensor product = y[0];
                    for (std::size_t q = 1; q < y.size(); ++q) product = op::mul(c, product, y[q]);
                    return product;
                  }});
  list.push_back(
      {"delta_keys", {{{3, 6}}, {{3, 6}}, {{6}}, {{6}}}, [](Ctx& c, Pool&, const auto& x) {
         const auto [k, alpha, beta] = op::delta_keys(c, x[0], x[1], x[2], x[3], 2);
         return op::mul(c, op::mul(c, k, alpha), op::add_to(c, beta, alpha));
       }});
  list.push_back({"group_norm", {{{3, 6}}, {{6}}, {{6}}}, [](Ctx& c, Pool&, const auto& x) {
                    return op::group_norm(c, x[0], Norm{x[1], x[2]}, 2, 64e-5);
                  }});
  list.push_back(
      {"group_norm_gated", {{{3, 6}}, {{6}}, {{6}}, {{3, 6}}}, [](Ctx& c, Pool&, const auto& x) {
         return op::group_norm(c, x[0], Norm{x[1], x[2]}, 2, 64e-5, x[3]);
       }});
  list.push_back({"wkv7_output",
                  {{{3, 6}}, {{3, 6}}, {{3, 6}}, {{3, 6}}, {{3, 6}}, {{6}}, {{6}}, {{6}}},
                  [](Ctx& c, Pool&, const auto& x) {
                    return op::wkv7_output(c, x[0], {x[1], x[2], x[3], x[4]}, x[5],
                                           Norm{x[6], x[7]}, 2, 64e-5);
                  }});
  for (const Act act : {Act::kNone, Act::kTanh}) {
    list.push_back({act == Act::kNone ? "linear_adapter" : "linear_adapter_tanh",
                    {{{4, 5}}, {{3, 5}}, {{2, 5}}, {{3, 2}}, {{3}}, {{4, 5}}},
                    [act](Ctx& c, Pool&, const auto& x) {
                      const Adapter adapter = {{x[2]}, {x[3], 0.5F}};
                      const Matrix w = {.weight = x[1], .adapter = &adapter};
                      const auto [y, z] = op::linear(c, {{x[0], w, act, x[4]}, {x[5], {x[1]}}});
                      return op::mul(c, y, z);
                    }});
  }
  add_recurrences(list);
  list.push_back({"gather_rows", {{{5, 4}}}, [](Ctx& c, Pool& pool, const auto& x) {
                    return op::gather_rows(c, x[0], pool.ints({4, 1, 1}));
                  }});
  return list;
}

/// The gradient of Σ wᵢ yᵢ with random weights, by the tape.
struct Taped {
  Taped(Backend& on, const OpGradient& g) : backend(on), arena(on), pool(on) {
    Random random(g.name);
    for (const Leaf& leaf : g.leaves) {
      values.push_back(random_values(leaf.shape.numel(), random, leaf.low, leaf.high));
      leaves.push_back(pool.make(leaf.shape, values.back()));
    }
    ParamGrads params(backend);
    Tape tape(backend, arena, params);
    Ctx taped{.backend = backend, .arena = arena, .tape = &tape};
    std::vector<Tensor> variables;
    for (std::size_t l = 0; l < leaves.size(); ++l) {
      variables.push_back(g.leaves[l].kind == Leaf::kValue ? tape.value(leaves[l]) : leaves[l]);
      if (g.leaves[l].kind == Leaf::kState) params.watch_state(variables[l]);
    }
    const Tensor y = g.expression(taped, pool, variables);
    weights = random_values(y.numel(), random);
    put(backend, tape.grad(y), weights);
    tape.run_backward();
    for (std::size_t l = 0; l < leaves.size(); ++l) {
      const bool is_wanted = g.leaves[l].kind != Leaf::kConstant;
      gradients.push_back(is_wanted ? download(backend, tape.grad(variables[l]))
                                    : std::vector<double>{});
    }
  }

  Backend& backend;
  Arena arena;
  Pool pool;
  std::vector<Tensor> leaves;
  std::vector<std::vector<double>> values, gradients;
  std::vector<double> weights;
};

class OpGradients : public testing::TestWithParam<OpGradient> {};

TEST_P(OpGradients, MatchCentralDifferences) {
  const OpGradient& g = GetParam();
  RefBackend backend(DType::kF64);
  Taped taped(backend, g);
  const std::vector<std::vector<double>>& values = taped.values;
  const std::vector<Tensor>& leaves = taped.leaves;
  const auto sum = [&] {
    const ArenaScope scope(taped.arena);
    Ctx plain{.backend = backend, .arena = taped.arena};
    const std::vector<double> result = download(backend, g.expression(plain, taped.pool, leaves));
    double total = 0;
    for (std::size_t i = 0; i < result.size(); ++i) total += taped.weights[i] * result[i];
    return total;
  };
  for (std::size_t l = 0; l < leaves.size(); ++l) {
    if (g.leaves[l].kind == Leaf::kConstant) continue;
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
    expect_gradient(taped.gradients[l], expected, fmt::format("leaf {}", l));
  }
}

INSTANTIATE_TEST_SUITE_P(Reference, OpGradients, testing::ValuesIn(op_gradients()),
                         [](const auto& p) { return p.param.name; });

/// Sizes at which kernels have tiles, segments, runs and tails of several kinds; too large for differences.
std::vector<OpGradient> large_gradients() {
  std::vector<OpGradient> list;
  for (const auto& [T, in, out] : {std::array{70, 100, 52}, std::array{600, 33, 20},
                                   std::array{13, 64, 130}, std::array{1, 40, 1}}) {
    list.push_back({fmt::format("linear_{}x{}x{}", T, in, out),
                    {{{T, in}}, {{out, in}}, {{out}}},
                    [](Ctx& c, Pool&, const auto& x) {
                      return op::linear(c, {x[0], Matrix{x[1]}, Act::kTanh, x[2]});
                    }});
  }
  for (const DType dtype : {DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_K}) {
    list.push_back({fmt::format("linear_of_{}", name_of(dtype)),
                    {{{21, 256}}},
                    [dtype](Ctx& c, Pool& pool, const auto& x) {
                      return op::linear(c, {x[0], Matrix{pool.weights({40, 256}, dtype, "w")}});
                    }});
  }
  list.push_back(
      {"layer_norm_130", {{{37, 130}}, {{130}}, {{130}}}, [](Ctx& c, Pool&, const auto& x) {
         return op::layer_norm(c, x[0], Norm{x[1], x[2]});
       }});
  list.push_back({"token_shift_100",
                  {{{37, 100}}, {{100}}, {{100}}, {{100}}, {{3, 100}, -1, 1, Leaf::kState}},
                  [](Ctx& c, Pool& pool, const auto& x) {
                    const auto [a, b, d] =
                        op::token_shift(c, x[0], {x[1], x[2], x[3]}, ShiftMix::kPrevious, x[4],
                                        pool.seqs({30, 1, 6}));
                    return op::mul(c, op::mul(c, a, b), d);
                  }});
  list.push_back(
      {"data_shift_100",
       {{{37, 100}},
        {{37, 100}},
        {{37, 5 * 32}},
        {{5, 100, 32}},
        {{100}},
        {{100}},
        {{100}},
        {{100}},
        {{100}}},
       [](Ctx& c, Pool&, const auto& x) {
         const auto y =
             op::data_shift(c, x[0], x[1], x[2], Matrix{x[3]}, {x[4], x[5], x[6], x[7], x[8]});
         return op::add_to(c, op::mul(c, y[0], y[1]), op::mul(c, op::mul(c, y[2], y[3]), y[4]));
       }});
  list.push_back({"wkv4_100",
                  {{{150, 100}, -2, 2}, {{150, 100}}, {{100}, -2, -0.1}, {{100}}},
                  [](Ctx& c, Pool& pool, const auto& x) {
                    return op::wkv4(c, x[0], x[1], x[2], x[3], no_state(pool, {2, 100}),
                                    no_state(pool, {2, 100}), no_state(pool, {2, 100}, -1e38),
                                    pool.seqs({110, 40}));
                  }});
  for (const bool is_constant : {false, true}) {
    const Shape decay = is_constant ? Shape{128} : Shape{100, 128};
    list.push_back({is_constant ? "wkv6_64_constant" : "wkv6_64",
                    {{{100, 128}},
                     {{100, 128}},
                     {{100, 128}},
                     {decay, 0, 1},
                     {{128}},
                     {{2, 2, 64, 64}, -1, 1, Leaf::kState}},
                    [](Ctx& c, Pool& pool, const auto& x) {
                      return op::wkv6(c, {x[0], x[1], x[2], x[3], x[4]}, x[5], pool.seqs({81, 19}));
                    }});
  }
  list.push_back(
      {"wkv7_64",
       {{{100, 128}},
        {{100, 128}, 0.55, 1},
        {{100, 128}},
        {{100, 128}},
        {{100, 128}, -0.1, 0.1},
        {{100, 128}, -0.1, 0.1},
        {{2, 2, 64, 64}, -1, 1, Leaf::kState}},
       [](Ctx& c, Pool& pool, const auto& x) {
         return op::wkv7(c, {x[0], x[1], x[2], x[3], x[4], x[5]}, x[6], pool.seqs({81, 19}));
       }});
  list.push_back({"group_norm_64",
                  {{{9, 128}}, {{128}}, {{128}}, {{9, 128}}},
                  [](Ctx& c, Pool&, const auto& x) {
                    return op::group_norm(c, x[0], Norm{x[1], x[2]}, 2, 64e-5, x[3]);
                  }});
  list.push_back(
      {"wkv7_output_64",
       {{{9, 192}}, {{9, 192}}, {{9, 192}}, {{9, 192}}, {{9, 192}}, {{192}}, {{192}}, {{192}}},
       [](Ctx& c, Pool&, const auto& x) {
         return op::wkv7_output(c, x[0], {x[1], x[2], x[3], x[4]}, x[5], Norm{x[6], x[7]}, 3,
                                64e-5);
       }});
  list.push_back({"tiny_attention_32",
                  {{{20, 32}}, {{20, 32}}, {{20, 70}}, {{2, 70, 32}, -1, 1, Leaf::kState}},
                  [](Ctx& c, Pool& pool, const auto& x) {
                    return op::tiny_attention(c, x[0], x[1], x[2], x[3], pool.seqs({13, 7}));
                  }});
  list.push_back({"embedding_200", {{{7, 200}}}, [](Ctx& c, Pool& pool, const auto& x) {
                    return op::embedding(c, Matrix{x[0]}, pool.ints({3, 0, 3, 6}));
                  }});
  list.push_back({"gather_rows_200", {{{5, 200}}}, [](Ctx& c, Pool& pool, const auto& x) {
                    return op::gather_rows(c, x[0], pool.ints({4, 1, 1}));
                  }});
  list.push_back({"token_delta_200",
                  {{{9, 200}}, {{3, 200}, -1, 1, Leaf::kState}},
                  [](Ctx& c, Pool& pool, const auto& x) {
                    return op::token_delta(c, x[0], x[1], pool.seqs({4, 0, 5}));
                  }});
  list.push_back({"shift_by_200",
                  {{{9, 200}}, {{9, 200}}, {{200}}},
                  [](Ctx& c, Pool&, const auto& x) { return op::shift_by(c, x[0], x[1], x[2]); }});
  list.push_back(
      {"spread_where_the_decay_is_over", {{{40}, 80, 120}}, [](Ctx& c, Pool&, const auto& x) {
         return op::mul(c, op::spread(c, x[0], Act::kExpNegExp, 40),
                        op::spread(c, x[0], Act::kSigmoid, 40));
       }});
  list.push_back({"delta_keys_64",
                  {{{9, 128}}, {{9, 128}}, {{128}}, {{128}}},
                  [](Ctx& c, Pool&, const auto& x) {
                    const auto [k, alpha, beta] = op::delta_keys(c, x[0], x[1], x[2], x[3], 2);
                    return op::mul(c, op::mul(c, k, alpha), op::add_to(c, beta, alpha));
                  }});
  return list;
}

std::vector<OpGradient> all_gradients() {
  std::vector<OpGradient> list = op_gradients(), large = large_gradients();
  list.insert(list.end(), large.begin(), large.end());
  return list;
}

/// A CPU backend for training; absent, with a reason, where this machine cannot run it.
MadeBackend make_training_backend(const std::string& name, int threads) {
  if (MadeBackend made = make_backend_under_test(name, threads); !made.backend) return made;
  return {make_backend({.threads = threads,
                        .isa = name.substr(std::strlen("cpu_")),
                        .packing = Packing::kEachCall}),
          {}};
}

double norm(const std::vector<double>& v) {
  double squares = 0;
  for (const double x : v) squares += x * x;
  return std::sqrt(squares);
}

/// f32 against f64: of the norm.
void expect_close(const std::vector<double>& got, const std::vector<double>& expected, double share,
                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  std::vector<double> off(got.size());
  for (std::size_t i = 0; i < got.size(); ++i) off[i] = got[i] - expected[i];
  EXPECT_LE(norm(off), share * norm(expected)) << what;
}

class CpuGradients : public testing::TestWithParam<std::tuple<std::string, OpGradient>> {};

TEST_P(CpuGradients, EqualTheReferences) {
  const auto& [name, g] = GetParam();
  const MadeBackend one = make_training_backend(name, 1);
  if (!one.backend) GTEST_SKIP() << one.reason;
  RefBackend reference(DType::kF64);
  const Taped expected(reference, g), got(*one.backend, g);
  for (std::size_t l = 0; l < g.leaves.size(); ++l)
    expect_close(got.gradients[l], expected.gradients[l], 1e-5, fmt::format("leaf {}", l));
  const MadeBackend three = make_training_backend(name, 3);
  EXPECT_EQ(Taped(*three.backend, g).gradients, got.gradients)
      << "the same bits with three threads";
}

INSTANTIATE_TEST_SUITE_P(Isas, CpuGradients,
                         testing::Combine(testing::ValuesIn(cpu_backends()),
                                          testing::ValuesIn(all_gradients())),
                         [](const auto& p) {
                           return std::get<0>(p.param) + "_" + std::get<1>(p.param).name;
                         });

/// An independent program's backward passes of the same recurrences.
class WkvVectors : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = "reference/test-vectors/wkv_grads.json";
    const auto path = shared_file(name);
    if (!path) GTEST_SKIP() << why_shared_is_missing(name);
    std::ifstream in(*path);
    all_ = parse_json(
        std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>()), *path);
  }

  /// The part of the file that the rest of a test is about.
  void open(const char* recurrence) {
    part_ = &all_.at(recurrence);
    T = static_cast<std::int64_t>(part_->at("k").size());
    A = static_cast<std::int64_t>(part_->at("k").at(0).size());
  }
  [[nodiscard]] std::vector<double> flat(const char* key) const {
    std::vector<double> v;
    for (const Json& row : part_->at(key)) {
      if (!row.is_array())
        v.push_back(row);
      else
        v.insert(v.end(), row.begin(), row.end());
    }
    return v;
  }
  Tensor rows(const char* key) { return pool.make({T, A}, flat(key)); }
  Tensor vector(const char* key) { return pool.make({A}, flat(key)); }
  Tensor state(const char* key) { return pool.make({1, 1, A, A}, flat(key)); }
  Tensor zero(const Shape& shape) { return no_state(pool, shape); }
  Seqs seqs() { return pool.seqs({static_cast<std::int32_t>(T)}); }

  void expect(const char* key, const std::vector<double>& got) const {
    constexpr double kDigitsOfTheFile = 1e-9;
    const std::vector<double> expected = flat(key);
    ASSERT_EQ(got.size(), expected.size()) << key;
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], kDigitsOfTheFile) << key << " " << i;
  }
  void expect(const char* key, const Tensor& got) { expect(key, download(backend, got)); }

  RefBackend backend{DType::kF64};
  Pool pool{backend};
  std::int64_t T = 0, A = 0;

 private:
  Json all_;
  const Json* part_ = nullptr;
};

TEST_F(WkvVectors, OfRwkv4) {
  open("wkv4");
  const auto slot = [&](const char* key) { return pool.make({1, A}, flat(key)); };
  const Tensor k = rows("k"), v = rows("v"), w = vector("log_decay"), u = vector("u"),
               y = zero({T, A});
  const Tensor aa = slot("aa0"), bb = slot("bb0"), pp = slot("pp0");
  backend.wkv4({y, aa, bb, pp, k, v, w, u, seqs()});
  const Wkv4BackwardArgs b{.g_k = zero({T, A}),
                           .g_v = zero({T, A}),
                           .g_w = zero({A}),
                           .g_u = zero({A}),
                           .g_aa = zero({1, A}),
                           .g_bb = zero({1, A}),
                           .g_y = rows("gy"),
                           .y = y,
                           .k = k,
                           .v = v,
                           .w = w,
                           .u = u,
                           .aa = slot("aa0"),
                           .bb = slot("bb0"),
                           .pp = slot("pp0"),
                           .seqs = seqs()};
  backend.wkv4_backward(b);
  expect("y", y);
  expect("aaT", aa);
  expect("bbT", bb);
  expect("ppT", pp);
  expect("gk", b.g_k);
  expect("gv", b.g_v);
  expect("g_log_decay", b.g_w);
  expect("gu", b.g_u);
  expect("g_aa0", b.g_aa);
  expect("g_bb0", b.g_bb);
}

TEST_F(WkvVectors, OfRwkv5And6) {
  for (const char* recurrence : {"wkv5", "wkv6"}) {
    SCOPED_TRACE(recurrence);
    open(recurrence);
    // w = exp(−e^d)
    const std::vector<double> d = flat("d_raw");
    const auto n = static_cast<std::int64_t>(d.size()) / A;
    std::vector<double> w;
    for (const double x : d) w.push_back(std::exp(-std::exp(x)));
    const Tensor S = state("S0"), y = zero({T, A});
    const Wkv6BackwardArgs b{.g_r = zero({T, A}),
                             .g_k = zero({T, A}),
                             .g_v = zero({T, A}),
                             .g_w = zero({n, A}),
                             .g_u = zero({A}),
                             .g_state = state("gST"),
                             .g_y = rows("gy"),
                             .r = rows("r"),
                             .k = rows("k"),
                             .v = rows("v"),
                             .w = pool.make({n, A}, w),
                             .u = vector("u"),
                             .state = state("S0"),
                             .seqs = seqs()};
    backend.wkv6({y, S, b.r, b.k, b.v, b.w, b.u, seqs()});
    backend.wkv6_backward(b);
    std::vector<double> g_d = download(backend, b.g_w);
    for (std::size_t i = 0; i < g_d.size(); ++i) g_d[i] *= w[i] * -std::exp(d[i]);
    expect("y", y);
    expect("ST", S);
    expect("gr", b.g_r);
    expect("gk", b.g_k);
    expect("gv", b.g_v);
    expect("g_d_raw", g_d);
    expect("gu", b.g_u);
    expect("gS0", b.g_state);
  }
}

TEST_F(WkvVectors, OfRwkv7) {
  open("wkv7");
  // w = exp(−e^{−1/2} σ(z))
  const std::vector<double> z = flat("w_pre_sigmoid");
  std::vector<double> w, slope;
  for (const double x : z) {
    const double sigmoid = 1 / (1 + std::exp(-x)), c = std::exp(-0.5);
    w.push_back(std::exp(-c * sigmoid));
    slope.push_back(-c * sigmoid * (1 - sigmoid) * w.back());
  }
  const Tensor S = state("S0"), y = zero({T, A});
  const Wkv7BackwardArgs b{.g_r = zero({T, A}),
                           .g_w = zero({T, A}),
                           .g_k = zero({T, A}),
                           .g_v = zero({T, A}),
                           .g_alpha = zero({T, A}),
                           .g_beta = zero({T, A}),
                           .g_state = state("gST"),
                           .g_y = rows("gy"),
                           .r = rows("r"),
                           .w = pool.make({T, A}, w),
                           .k = rows("k"),
                           .v = rows("v"),
                           .alpha = rows("a"),
                           .beta = rows("b"),
                           .state = state("S0"),
                           .seqs = seqs()};
  backend.wkv7({y, S, b.r, b.w, b.k, b.v, b.alpha, b.beta, seqs()});
  backend.wkv7_backward(b);
  std::vector<double> g_z = download(backend, b.g_w);
  for (std::size_t i = 0; i < g_z.size(); ++i) g_z[i] *= slope[i];
  expect("y", y);
  expect("ST", S);
  expect("gr", b.g_r);
  expect("gk", b.g_k);
  expect("gv", b.g_v);
  expect("g_w_pre_sigmoid", g_z);
  expect("ga", b.g_alpha);
  expect("gb", b.g_beta);
  expect("gS0", b.g_state);
}

// ---- Whole models

/// Gives every parameter of a model memory of the activation type and random values: f64, so that steps of
/// finite differences are exact.
class RandomWeights final : public ParamVisitor {
 public:
  explicit RandomWeights(Backend& backend) : backend_(backend), pool_(backend) {}
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
    element.data = element.as<std::byte>() + row_bytes(element.dtype, static_cast<std::int64_t>(i));
    test::put(backend_, element, {value});
  }
  std::vector<std::string> names;
  std::vector<Tensor> tensors;
  std::vector<std::vector<double>> values;

 private:
  Backend& backend_;
  Pool pool_;
};

// ---- The read-out: losses, and the way back that begins there

/// x (T, C), weight and bias of the norm, head (V, C); every third row has no target.
struct ReadOut {
  ReadOut(Backend& on, std::int64_t rows, std::int64_t channels, std::int64_t vocabulary)
      : backend(on), arena(on), pool(on), T(rows), V(vocabulary) {
    Random random("read_out");
    for (const Shape& shape :
         {Shape{T, channels}, Shape{channels}, Shape{channels}, Shape{V, channels}}) {
      values.push_back(random_values(shape.numel(), random));
      leaves.push_back(pool.make(shape, values.back()));
    }
    for (std::int64_t t = 0; t < T; ++t) {
      targets.push_back(t % 3 == 2 ? -1 : static_cast<std::int32_t>(random.below(V)));
      rows_of_all.push_back(static_cast<std::int32_t>(t));
    }
  }

  static constexpr double kScale = 0.3, kL2Wrap = 0.05;

  struct Result {
    std::vector<double> losses;
    std::vector<std::vector<double>> gradients;  // in the order of the leaves
  };
  Result with_tape() {
    const ArenaScope scope(arena);
    ParamGrads params(backend);
    for (std::size_t l = 1; l < leaves.size(); ++l) params.watch(leaves[l]);
    Tape tape(backend, arena, params);
    Ctx c{.backend = backend, .arena = arena, .tape = &tape};
    const Tensor x = tape.value(leaves[0]);
    Result r;
    r.losses = download(
        backend, op::read_out(c, x, {leaves[1], leaves[2]}, 1e-5, {leaves[3]},
                              {.targets = pool.ints(targets), .scale = kScale, .l2wrap = kL2Wrap}));
    tape.run_backward();
    r.gradients.push_back(download(backend, tape.grad(x)));
    for (std::size_t l = 1; l < leaves.size(); ++l)
      r.gradients.push_back(download(backend, params.of(leaves[l])));
    return r;
  }
  [[nodiscard]] std::vector<double> plain(const op::Wanted& wanted) {
    const ArenaScope scope(arena);
    Ctx c{.backend = backend, .arena = arena};
    return download(backend,
                    op::read_out(c, leaves[0], {leaves[1], leaves[2]}, 1e-5, {leaves[3]}, wanted));
  }
  /// What is differentiated, out of the logits.
  double objective() {
    const std::vector<double> z = plain({.logit_rows = pool.ints(rows_of_all)});
    double sum = 0;
    for (std::size_t t = 0; t < targets.size(); ++t) {
      if (targets[t] < 0) continue;
      const auto row =
          std::span(z).subspan(t * static_cast<std::size_t>(V)).first(static_cast<std::size_t>(V));
      double total = 0, top = row[0];
      for (const double x : row) total += std::exp(x), top = std::max(top, x);
      sum += std::log(total) - row[static_cast<std::size_t>(targets[t])] + kL2Wrap / 2 * top * top;
    }
    return kScale * sum;
  }

  Backend& backend;
  Arena arena;
  Pool pool;
  std::int64_t T, V;
  std::vector<Tensor> leaves;
  std::vector<std::vector<double>> values;
  std::vector<std::int32_t> targets, rows_of_all;
};

TEST(ReadOutGradient, MatchesCentralDifferences) {
  RefBackend backend(DType::kF64);
  ReadOut r(backend, 7, 5, 9);
  const ReadOut::Result got = r.with_tape();
  for (std::size_t l = 0; l < r.leaves.size(); ++l) {
    std::vector<double> expected;
    for (std::size_t i = 0; i < r.values[l].size(); ++i) {
      double& element = r.leaves[l].as<double>()[i];
      const auto at = [&](double value) {
        element = value;
        return r.objective();
      };
      const double x = element;
      expected.push_back((at(x + kStep) - at(x - kStep)) / (2 * kStep));
      element = x;
    }
    expect_gradient(got.gradients[l], expected, fmt::format("leaf {}", l));
  }
}

TEST(ReadOutGradient, LossesAreTheSameWithoutATape) {
  RefBackend backend(DType::kF64);
  ReadOut r(backend, 7, 5, 9);
  EXPECT_EQ(r.plain({.targets = r.pool.ints(r.targets)}), r.with_tape().losses);
  EXPECT_EQ(r.with_tape().losses[2], 0) << "a row without a target";
}

TEST(ReadOutGradient, OfTheCpuEqualsTheReferences) {
  RefBackend reference(DType::kF64);
  const ReadOut::Result expected = ReadOut(reference, 23, 40, 300).with_tape();
  for (const std::string& name : cpu_backends()) {
    SCOPED_TRACE(name);
    const MadeBackend one = make_training_backend(name, 1);
    if (!one.backend) continue;
    const ReadOut::Result got = ReadOut(*one.backend, 23, 40, 300).with_tape();
    expect_close(got.losses, expected.losses, 1e-5, "losses");
    for (std::size_t l = 0; l < got.gradients.size(); ++l)
      expect_close(got.gradients[l], expected.gradients[l], 1e-5, fmt::format("leaf {}", l));
    const MadeBackend three = make_training_backend(name, 3);
    EXPECT_EQ(ReadOut(*three.backend, 23, 40, 300).with_tape().gradients, got.gradients);
  }
}

// So many logits that they are made in chunks: scratch memory holds those of one, and their gradient.
TEST(ReadOutGradient, LogitsNeverExistAtOnce) {
  constexpr std::int64_t kRows = 40, kVocabulary = 1'000'000;
  const std::unique_ptr<Backend> backend =
      make_backend({.threads = 2, .packing = Packing::kEachCall});
  ReadOut r(*backend, kRows, 2, kVocabulary);
  const ReadOut::Result got = r.with_tape();
  EXPECT_LT(r.arena.peak(), kRows * kVocabulary * sizeof(float)) << "logits and their gradients";
  EXPECT_NEAR(sum_of(got.losses) / 27, std::log(kVocabulary), 1.5);
  for (std::int64_t t = 0; t < kRows; ++t)
    EXPECT_EQ(got.losses[static_cast<std::size_t>(t)] == 0, t % 3 == 2);
  for (std::int64_t t = 0; t < kRows; ++t) {
    const double* row = &got.gradients[0][static_cast<std::size_t>(2 * t)];
    EXPECT_EQ(std::abs(row[0]) + std::abs(row[1]) == 0, t % 3 == 2) << t;
  }
}

// ---- What an optimizer does

TEST(Optimizer, OfTheCpuEqualsTheReference) {
  RefBackend reference(DType::kF64);
  const auto steps = [](Backend& backend) {
    constexpr std::int64_t kN = 40'001;
    Pool pool(backend);
    Random random("adamw");
    const Tensor p = pool.make({kN}, random_values(kN, random)),
                 m = pool.make({kN}, std::vector<double>(kN, 0)),
                 v = pool.make({kN}, std::vector<double>(kN, 0)), sum = pool.make({1}, {0});
    std::vector<std::vector<double>> result;
    for (int t = 1; t <= 3; ++t) {
      std::vector<double> values = random_values(kN, random);
      values[7] = 0;  // never moves, but for its decay: 0 / (0 + eps) is 0
      const Tensor g = pool.make({kN}, values);
      backend.sum_of_squares({sum, g});
      result.push_back(download(backend, sum));
      backend.adamw({.p = p,
                     .m = m,
                     .v = v,
                     .g = g,
                     .gradient_scale = 0.5,
                     .lr = 0.01,
                     .decay = 0.1,
                     .beta1 = 0.9,
                     .beta2 = 0.99,
                     .eps = 1e-18,
                     .correction1 = 1 - std::pow(0.9, t),
                     .correction2 = 1 - std::pow(0.99, t)});
    }
    for (const Tensor& t : {p, m, v}) result.push_back(download(backend, t));
    return result;
  };
  const auto expected = steps(reference);
  for (const std::string& name : cpu_backends()) {
    SCOPED_TRACE(name);
    const MadeBackend one = make_training_backend(name, 1);
    if (!one.backend) continue;
    const auto got = steps(*one.backend);
    for (std::size_t i = 0; i < got.size(); ++i)
      expect_close(got[i], expected[i], 1e-6, fmt::format("result {}", i));
    EXPECT_EQ(steps(*make_training_backend(name, 3).backend), got) << "with three threads";
  }
}

// Two steps by hand: g = 2, then −1; p = 1, lr 0.1, decay 0.5, β = 0.9, 0.99.
TEST(Optimizer, IsAdamW) {
  RefBackend backend(DType::kF64);
  Pool pool(backend);
  const Tensor p = pool.make({1}, {1}), m = pool.make({1}, {0}), v = pool.make({1}, {0});
  const auto step = [&](double g, int t) {
    backend.adamw({.p = p,
                   .m = m,
                   .v = v,
                   .g = pool.make({1}, {g}),
                   .lr = 0.1,
                   .decay = 0.5,
                   .beta1 = 0.9,
                   .beta2 = 0.99,
                   .eps = 0,
                   .correction1 = 1 - std::pow(0.9, t),
                   .correction2 = 1 - std::pow(0.99, t)});
    return p.as<double>()[0];
  };
  // The first step is lr · sign(g), whatever g.
  EXPECT_NEAR(step(2, 1), 0.95 - 0.1, 1e-15);
  // m = 0.18 − 0.1 = 0.08, v = 0.0396 + 0.01 = 0.0496; m̂ = 0.08 / 0.19, v̂ = 0.0496 / 0.0199.
  EXPECT_NEAR(step(-1, 2), 0.95 * 0.85 - 0.1 * (0.08 / 0.19) / std::sqrt(0.0496 / 0.0199), 1e-15);
}

/// A model, two sequences of unequal length behind a state that is not empty, and the loss over all rows.
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
    Random random("state");
    for (int l = 0; l < dims_.L; ++l) {
      state_.emplace_back();
      initial.emplace_back();
      for (const StateEntry& e : model_->state_spec(l)) {
        const Shape shape_of_slots = e.shape.stacked(2);
        const bool positive = e.name == "bb";
        initial.back().push_back(
            random_values(shape_of_slots.numel(), random, positive ? 0.5 : -1, positive ? 2 : 1));
        state_.back().tensors.push_back(pool_.make(shape_of_slots, initial.back().back()));
      }
    }
  }

  /// Rows of both sequences, [first, second) of each.
  struct Piece {
    std::array<std::size_t, 2> first, second;
  };
  static constexpr Piece kWhole = {{0, 0}, {7, 4}};

  double loss() {
    const ArenaScope scope(arena_);
    Ctx c{.backend = backend_, .arena = arena_};
    put(initial);
    return total(forward(c, kWhole));
  }

  struct Gradients {
    std::vector<std::vector<double>> of;                   // a weight each
    std::vector<std::vector<std::vector<double>>> states;  // layer, tensor
    double loss = 0;
    std::size_t bytes = 0;  // of scratch memory after the forward pass
    std::vector<std::string> ops;
  };
  /// Piece by piece, the state carried from one to the next and its gradient back: only the states between pieces
  /// are kept.
  Gradients gradients(bool checkpoint, LayerSource* layers = nullptr,
                      const std::vector<Piece>& pieces = {kWhole}) {
    std::vector<Values> between = {initial};
    for (std::size_t p = 0; p + 1 < pieces.size(); ++p) {
      const ArenaScope scope(arena_);
      Ctx plain{.backend = backend_, .arena = arena_};
      put(between.back());
      (void)forward(plain, pieces[p]);
      between.emplace_back();
      for (const LayerState& layer : state_) {
        between.back().emplace_back();
        for (const Tensor& t : layer.tensors)
          between.back().back().push_back(download(backend_, t));
      }
    }
    ParamGrads params(backend_);
    for (const Tensor& t : weights.tensors) params.watch(t);
    for (LayerState& layer : state_) {
      for (Tensor& t : layer.tensors) params.watch_state(t);
    }
    Gradients g;
    for (std::size_t p = pieces.size(); p-- > 0;) {
      const ArenaScope scope(arena_);
      Tape tape(backend_, arena_, params);
      const Observer observer = [&](const char* op, const Tensor&) { g.ops.emplace_back(op); };
      Ctx c{.backend = backend_,
            .arena = arena_,
            .layers = layers,
            .tape = &tape,
            .checkpoint = checkpoint,
            .observer = &observer};
      put(between[p]);
      const Tensor y = forward(c, pieces[p]);
      g.bytes = arena_.mark().offset;
      tape.run_backward();
      g.loss += total(y);
    }
    for (const Tensor& t : weights.tensors) g.of.push_back(download(backend_, params.of(t)));
    for (const LayerState& layer : state_) {
      g.states.emplace_back();
      for (const Tensor& t : layer.tensors)
        g.states.back().push_back(download(backend_, params.of(t)));
    }
    return g;
  }

  [[nodiscard]] std::string state_name(std::size_t layer, std::size_t tensor) const {
    return model_->state_spec(static_cast<int>(layer))[tensor].name;
  }

 private:
  using Values = std::vector<std::vector<std::vector<double>>>;

  // Of eleven rows ten have a target.
  static constexpr double kScale = 0.1;
  double total(const Tensor& losses) { return kScale * sum_of(download(backend_, losses)); }

  void put(const Values& state) {
    for (std::size_t l = 0; l < state_.size(); ++l) {
      for (std::size_t i = 0; i < state[l].size(); ++i)
        test::put(backend_, state_[l].tensors[i], state[l][i]);
    }
  }

  Tensor forward(Ctx& c, const Piece& piece) {
    static const std::vector<std::int32_t> kTokens[] = {{3, 0, 7, 3, 2, 10, 5, 5}, {5, 1, 9, 0, 4}};
    std::vector<std::int32_t> ids, targets, lengths;
    for (std::size_t s = 0; s < 2; ++s) {
      for (std::size_t i = piece.first[s]; i < piece.second[s]; ++i) {
        ids.push_back(kTokens[s][i]);
        targets.push_back(s == 1 && i == 1 ? -1 : kTokens[s][i + 1]);
      }
      lengths.push_back(static_cast<std::int32_t>(piece.second[s] - piece.first[s]));
    }
    const Batch batch = {.ids = pool_.ints(ids),
                         .seqs = pool_.seqs(lengths),
                         .wanted = {.targets = pool_.ints(targets), .scale = kScale}};
    return model_->forward(c, batch, state_);
  }

  Backend& backend_;
  Arena arena_;
  Pool pool_;

 public:
  RandomWeights weights;
  Values initial;  // the state before the first rows

 private:
  Dims dims_;
  std::unique_ptr<Model> model_;
  std::vector<LayerState> state_;
};

/// One of each generation, so small that every element can be tried.
const std::map<std::string, std::string> kTinyModels = {
    {"4", "rwkv4:L2,C8,A12,F10,V11"},           {"4a", "rwkv4a:L2,C8,F10,V11,tiny4"},
    {"5_0", "rwkv5.0:L2,C8,F10,V11,N4"},        {"5_1", "rwkv5.1:L2,C8,F10,V11,N4"},
    {"5_2", "rwkv5.2:L2,C8,F10,V11,N4"},        {"6", "rwkv6:L2,C8,F10,V11,N4,mix4,decay4"},
    {"7", "rwkv7:L2,C8,F10,V11,N4,w4,a4,v4,g4"}};

class TrainingModels : public testing::TestWithParam<std::pair<const std::string, std::string>> {
 protected:
  [[nodiscard]] const std::string& shape() const { return GetParam().second; }
};

TEST_P(TrainingModels, GradientsMatchCentralDifferences) {
  RefBackend backend(DType::kF64);
  Training training(backend, shape());
  const Training::Gradients g = training.gradients(false);
  EXPECT_NEAR(g.loss, training.loss(), 1e-14);
  std::size_t elements = 0;
  double worst = 0;
  const auto check = [&](const std::vector<double>& got, const std::vector<double>& values,
                         const std::string& what, const auto& set) {
    std::vector<double> expected;
    double scale = 0, off = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto at = [&](double value) {
        set(i, value);
        return training.loss();
      };
      const double x = values[i];
      expected.push_back((at(x + kStep) - at(x - kStep)) / (2 * kStep));
      set(i, x);
      scale = std::max(scale, std::abs(expected[i]));
      off = std::max(off, std::abs(expected[i] - got[i]));
    }
    EXPECT_GT(scale, 1e-7) << what << " does not matter: the test proves nothing about it";
    expect_gradient(got, expected, what);
    worst = std::max(worst, off / scale);
    elements += values.size();
  };
  for (std::size_t p = 0; p < g.of.size(); ++p) {
    check(g.of[p], std::vector<double>(training.weights.values[p]), training.weights.names[p],
          [&](std::size_t i, double value) { training.weights.set(p, i, value); });
  }
  for (std::size_t l = 0; l < g.states.size(); ++l) {
    for (std::size_t s = 0; s < g.states[l].size(); ++s) {
      const std::string name = training.state_name(l, s);
      if (name == "pp") continue;  // only aa e^pp and bb e^pp mean something
      check(g.states[l][s], std::vector<double>(training.initial[l][s]),
            fmt::format("state {} of layer {}", name, l),
            [&](std::size_t i, double value) { training.initial[l][s][i] = value; });
    }
  }
  std::printf("%zu elements, largest relative error %.2g\n", elements, worst);
}

void expect_same_gradients(const Training::Gradients& a, const Training::Gradients& b,
                           double tolerance) {
  EXPECT_NEAR(a.loss, b.loss, tolerance);
  const auto same = [&](const std::vector<double>& x, const std::vector<double>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_NEAR(x[i], y[i], tolerance * std::max(1.0, std::abs(x[i])));
  };
  for (std::size_t p = 0; p < a.of.size(); ++p) same(a.of[p], b.of[p]);
  for (std::size_t l = 0; l < a.states.size(); ++l) {
    for (std::size_t s = 0; s < a.states[l].size(); ++s) same(a.states[l][s], b.states[l][s]);
  }
}

// Rounding alone: the same operations in the same order, or sums in another one.
constexpr double kSameArithmetic = 1e-12;

TEST_P(TrainingModels, CheckpointsChangeMemoryAndNothingElse) {
  RefBackend backend(DType::kF64);
  struct Counting final : LayerSource {
    void acquire(int layer) override { acquired.push_back(layer); }
    void release(int layer) override { released.push_back(layer); }
    void prefetch(int) override {}
    std::vector<int> acquired, released;
  } layers;
  Training training(backend, shape());
  const Training::Gradients plain = training.gradients(false),
                            saved = training.gradients(true, &layers);
  expect_same_gradients(saved, plain, kSameArithmetic);
  EXPECT_LT(saved.bytes, plain.bytes);
  EXPECT_THAT(layers.acquired, testing::ElementsAre(0, 1, 1, 0))
      << "forward, then backward in reverse order";
  EXPECT_THAT(layers.released, testing::ElementsAre(0, 1, 1, 0));
  EXPECT_EQ(saved.ops, plain.ops) << "an observer sees the forward pass once";
}

// Exact: the gradient goes through the state, which is all that pieces have in common.
TEST_P(TrainingModels, PiecesOfASequenceGiveTheGradientOfTheWhole) {
  RefBackend backend(DType::kF64);
  Training training(backend, shape());
  const Training::Gradients whole = training.gradients(false);
  const std::vector<Training::Piece> pieces = {
      {{0, 0}, {1, 0}}, {{1, 0}, {4, 3}}, {{4, 3}, {7, 3}}, {{7, 3}, {7, 4}}};
  for (const bool checkpoint : {false, true})
    expect_same_gradients(training.gradients(checkpoint, nullptr, pieces), whole, kSameArithmetic);
}

TEST_P(TrainingModels, RunOnADevice) {
  RefBackend reference(DType::kF64);
  FakeBackend fake(DType::kF64);
  for (const bool checkpoint : {false, true}) {
    expect_same_gradients(Training(fake, shape()).gradients(checkpoint),
                          Training(reference, shape()).gradients(checkpoint), kSameArithmetic);
  }
}

TEST_P(TrainingModels, LowerTheLoss) {
  RefBackend backend(DType::kF64);
  Training training(backend, shape());
  const double before = training.loss();
  for (int step = 0; step < 20; ++step) {
    const Training::Gradients g = training.gradients(true);
    for (std::size_t p = 0; p < g.of.size(); ++p) {
      for (std::size_t i = 0; i < g.of[p].size(); ++i)
        training.weights.set(p, i, training.weights.values[p][i] -= 0.2 * g.of[p][i]);
    }
  }
  EXPECT_LT(training.loss(), 0.8 * before);
}

// The CPU backend, in pieces and with checkpoints, beside the reference on the whole.
TEST_P(TrainingModels, TheCpuGivesTheSameGradients) {
  RefBackend reference(DType::kF64);
  const Training::Gradients expected = Training(reference, shape()).gradients(false);
  for (const std::string& name : cpu_backends()) {
    SCOPED_TRACE(name);
    const MadeBackend made = make_training_backend(name, 2);
    if (!made.backend) continue;
    Training training(*made.backend, shape());
    const Training::Gradients got =
        training.gradients(true, nullptr, {{{0, 0}, {3, 2}}, {{3, 2}, {7, 4}}});
    EXPECT_NEAR(got.loss, expected.loss, 1e-5);
    for (std::size_t p = 0; p < got.of.size(); ++p)
      expect_close(got.of[p], expected.of[p], 1e-4, training.weights.names[p]);
    for (std::size_t l = 0; l < got.states.size(); ++l) {
      for (std::size_t s = 0; s < got.states[l].size(); ++s)
        expect_close(got.states[l][s], expected.states[l][s], 1e-4, training.state_name(l, s));
    }
  }
}

// Operands are rounded to eight bits of a significand, sums are not: gradients agree to a few parts in a thousand, and they
// are no longer those of f32.
TEST_P(TrainingModels, ProductsOfBf16GiveNearlyTheSameGradients) {
  RefBackend reference(DType::kF64);
  const Training::Gradients expected = Training(reference, shape()).gradients(false);
  int sets = 0;
  for (const std::string& name : cpu_backends()) {
    SCOPED_TRACE(name);
    if (!is_of_bf16(name) || !make_backend_under_test(name, 1).backend) continue;
    ++sets;
    const std::unique_ptr<Backend> backend = make_backend({.threads = 2,
                                                           .isa = name.substr(std::strlen("cpu_")),
                                                           .packing = Packing::kEachCall,
                                                           .products = DType::kBF16});
    const Training::Gradients got = Training(*backend, shape()).gradients(false);
    EXPECT_NEAR(got.loss, expected.loss, 1e-2);
    double off = 0, size = 0;
    for (std::size_t p = 0; p < got.of.size(); ++p) {
      for (std::size_t i = 0; i < got.of[p].size(); ++i) {
        off += std::pow(got.of[p][i] - expected.of[p][i], 2);
        size += std::pow(expected.of[p][i], 2);
      }
    }
    EXPECT_LT(std::sqrt(off / size), 0.1);  // measured: at most 0.037
    EXPECT_GT(std::sqrt(off / size), 1e-5);
  }
  if (sets == 0) GTEST_SKIP() << "this processor does not multiply bf16";
}

TEST(ProductsOfBf16, AreRefusedWhereThereAreNone) {
  EXPECT_THROW(
      make_backend({.isa = "scalar", .packing = Packing::kEachCall, .products = DType::kBF16}),
      Error);
}

INSTANTIATE_TEST_SUITE_P(Generations, TrainingModels, testing::ValuesIn(kTinyModels),
                         [](const auto& p) { return p.param.first; });

}  // namespace
}  // namespace prwkv::test
