#include "runtime/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "base/error.h"
#include "models/random.h"

namespace prwkv {
namespace {

using Floats = std::vector<float>;

/// The definition, without care for overflow.
std::vector<long double> softmax(const Floats& z) {
  std::vector<long double> p;
  long double sum = 0;
  for (const float x : z) p.push_back(std::exp(static_cast<long double>(x))), sum += p.back();
  for (long double& x : p) x /= sum;
  return p;
}

Floats some_logits(std::size_t n, unsigned seed, float scale) {
  Floats z(n);
  for (std::size_t i = 0; i < n; ++i)
    z[i] = scale * std::sin(static_cast<float>((i + 1) * (seed + 3) * (seed + 7)));
  return z;
}

TEST(Comparison, IsTheDefinition) {
  Comparison comparison;
  std::vector<long double> divergences;
  long double same = 0, nll_p = 0, nll_q = 0;
  constexpr unsigned kTokens = 50;
  for (unsigned t = 0; t < kTokens; ++t) {
    const Floats p = some_logits(40, t, 8);
    Floats q = p;
    for (std::size_t i = 0; i < q.size(); ++i) q[i] += some_logits(40, t + 100, 2)[i];
    const auto next = static_cast<std::int32_t>(t % 40);
    comparison.add(p, q, next);
    const auto a = softmax(p), b = softmax(q);
    long double kl = 0;
    for (std::size_t i = 0; i < a.size(); ++i) kl += a[i] * std::log(a[i] / b[i]);
    divergences.push_back(kl);
    same += std::max_element(a.begin(), a.end()) - a.begin() ==
                    std::max_element(b.begin(), b.end()) - b.begin()
                ? 1
                : 0;
    nll_p -= std::log(a[t % 40]), nll_q -= std::log(b[t % 40]);
  }
  const Agreement found = comparison.result();
  long double mean = 0, variance = 0;
  for (const long double x : divergences) mean += x / kTokens;
  for (const long double x : divergences) variance += (x - mean) * (x - mean) / kTokens;
  std::sort(divergences.begin(), divergences.end());
  EXPECT_EQ(found.tokens, kTokens);
  EXPECT_NEAR(found.kl, static_cast<double>(mean), 1e-12);
  EXPECT_NEAR(found.kl_error, static_cast<double>(std::sqrt(variance / kTokens)), 1e-12);
  EXPECT_NEAR(found.kl_median, static_cast<double>(divergences[24]), 1e-12);
  EXPECT_NEAR(found.kl_p99, static_cast<double>(divergences[48]), 1e-12);
  EXPECT_NEAR(found.kl_largest, static_cast<double>(divergences[49]), 1e-12);
  EXPECT_EQ(found.top1, static_cast<double>(same / kTokens));
  EXPECT_GT(found.top1, 0);
  EXPECT_LT(found.top1, 1);
  EXPECT_NEAR(found.nll_original, static_cast<double>(nll_p / kTokens), 1e-12);
  EXPECT_NEAR(found.nll, static_cast<double>(nll_q / kTokens), 1e-12);
  EXPECT_NEAR(found.ppl, std::exp(static_cast<double>(nll_q / kTokens)), 1e-9);
}

TEST(Comparison, HugeLogitsAndAConstantDoNotMatter) {
  Comparison comparison;
  comparison.add(Floats{1e4F, 0, -1e4F}, Floats{1e4F + 512, 512, -1e4F + 512}, 0);
  const Agreement found = comparison.result();
  EXPECT_EQ(found.kl, 0);
  EXPECT_EQ(found.top1, 1);
  EXPECT_EQ(found.ppl, 1);
}

TEST(Comparison, OfNothing) { EXPECT_EQ(Comparison().result().tokens, 0); }

std::shared_ptr<Engine> random_engine(const std::string& shape, DType dtype) {
  auto backend = make_backend({.name = "cpu", .threads = 1});
  LoadedModel model = random_model(model_shape(shape), dtype, *backend, 1);
  return std::make_shared<Engine>(std::move(backend), std::move(model), EngineOptions{});
}

TEST(CompareModels, InPiecesAsAtOnce) {
  const auto a = random_engine("rwkv7:L2,C64,V300", DType::kF32);
  const auto b = random_engine("rwkv7:L2,C64,V300", DType::kQ4_0);
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < 300; ++i) tokens.push_back(i * 37 % 300);
  const std::vector others = {a, b};
  std::size_t calls = 0;
  const auto found = compare_models(a, others, tokens, [&](std::size_t done, std::size_t total) {
    EXPECT_LE(done, total);
    EXPECT_EQ(total, 299);
    return ++calls > 0;
  });
  EXPECT_EQ(calls, 3);
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(found[0].kl, 0);
  EXPECT_EQ(found[0].top1, 1);
  EXPECT_EQ(found[0].ppl, found[0].ppl_original);

  Comparison whole;
  const auto logits = [&](const std::shared_ptr<Engine>& engine) {
    Session session = engine->session();
    Work work{.session = &session, .tokens = std::span(tokens).first(299), .want = Logits::kAll};
    engine->run(std::span(&work, 1));
    return work.logits;
  };
  const Floats p = logits(a), q = logits(b);
  for (std::size_t t = 0; t < 299; ++t)
    whole.add(std::span(p).subspan(t * 300, 300), std::span(q).subspan(t * 300, 300),
              tokens[t + 1]);
  EXPECT_GT(found[1].kl, 0);
  EXPECT_EQ(found[1].kl, whole.result().kl);
  EXPECT_EQ(found[1].ppl, whole.result().ppl);
}

TEST(CompareModels, RefusesWhatCannotBeCompared) {
  const auto a = random_engine("rwkv7:L1,C64,V300", DType::kF32);
  const std::vector same = {a}, other = {random_engine("rwkv7:L1,C64,V299", DType::kF32)};
  const std::vector<std::int32_t> tokens = {1, 2, 3};
  const auto code = [&](auto others, std::span<const std::int32_t> text,
                        const CompareProgress& progress = {}) {
    try {
      compare_models(a, others, text, progress);
    } catch (const Error& e) {
      return e.code();
    }
    return Code::kInternal;
  };
  EXPECT_EQ(code(other, tokens), Code::kMismatch);
  EXPECT_EQ(code(same, std::span(tokens).first(1)), Code::kInvalidArgument);
  EXPECT_EQ(code(same, tokens, [](std::size_t, std::size_t) { return false; }), Code::kCancelled);
}

}  // namespace
}  // namespace prwkv
