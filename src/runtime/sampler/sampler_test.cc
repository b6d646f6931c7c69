#include "runtime/sampler/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <string>

#include "base/error.h"
#include "runtime/sampler/softmax.h"

namespace prwkv {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// What is left of a distribution: id → probability.
using Distribution = std::map<std::int32_t, double>;

/// sample_logits of the package rwkv in double precision, written to be obvious.
Distribution slow_definition(const std::vector<float>& logits, const SamplingOptions& o) {
  struct Token {
    std::int32_t id;
    double p;
  };
  double highest = -INFINITY, total = 0;
  for (const float z : logits) highest = std::max(highest, static_cast<double>(z));
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double p = std::exp(static_cast<double>(logits[i]) - highest);
    tokens.push_back({static_cast<std::int32_t>(i), p});
    total += p;
  }
  std::stable_sort(tokens.begin(), tokens.end(), [&](const Token& a, const Token& b) {
    return logits[static_cast<std::size_t>(a.id)] > logits[static_cast<std::size_t>(b.id)];
  });
  if (o.top_p < 1) {
    double sum = 0, cutoff = 0;
    for (const Token& t : tokens) {
      sum += t.p / total;
      cutoff = t.p;
      if (sum >= o.top_p) break;
    }
    std::erase_if(tokens, [cutoff](const Token& t) { return t.p < cutoff; });
  }
  if (o.top_k > 0 && static_cast<std::size_t>(o.top_k) < tokens.size()) {
    tokens.resize(static_cast<std::size_t>(o.top_k));
  }
  Distribution d;
  total = 0;
  for (const Token& t : tokens) total += std::pow(t.p, 1 / o.temperature);
  for (const Token& t : tokens) {
    const double p = std::pow(t.p, 1 / o.temperature) / total;
    if (p > 1e-30) d[t.id] = p;  // the engine's weights end near there
  }
  return d;
}

Distribution fast_definition(const std::vector<float>& logits, const SamplingOptions& o) {
  Candidates c;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -kInfinity) c.list.push_back({static_cast<std::int32_t>(i), logits[i]});
  }
  if (o.top_p < 1) make_top_p(o.top_p)->apply(c);
  if (o.top_k > 0) make_top_k(o.top_k)->apply(c);
  if (o.temperature != 1) make_temperature(o.temperature)->apply(c);
  std::vector<float> weights(c.list.size());
  exp_of_differences(c.list, highest_logit(c.list), weights.data());
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  Distribution d;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double p = static_cast<double>(weights[i]) / total;
    if (p > 1e-30) d[c.list[i].id] = p;
  }
  return d;
}

/// "" if both say the same. A cutoff may fall one place beside where the sums of the two, rounded
/// differently, are equal to the wanted share up to `slack`.
std::string difference(const std::vector<float>& logits, const SamplingOptions& o) {
  const Distribution fast = fast_definition(logits, o);
  constexpr double slack = 1e-6;
  std::string problem;
  for (const double nudge : {0.0, -slack, slack}) {
    SamplingOptions near = o;
    near.top_p = o.top_p < 1 ? std::clamp(o.top_p + nudge, 0.0, 1 - 1e-12) : o.top_p;
    const Distribution slow = slow_definition(logits, near);
    problem.clear();
    if (slow.size() != fast.size())
      problem = fmt::format("{} tokens, not {}", fast.size(), slow.size());
    for (const auto& [id, p] : slow) {
      const auto it = fast.find(id);
      const double found = it == fast.end() ? 0 : it->second;
      // Temperatures below 1 magnify the rounding of a logit.
      const double tolerance = 1e-5 * p * std::max(1.0, 30 / o.temperature) + 1e-9;
      if (std::abs(found - p) > tolerance)
        problem = fmt::format("id {}: {} instead of {}", id, found, p);
    }
    if (problem.empty()) return "";
  }
  return problem;
}

enum class Kind { kNormal, kFlat, kPeaked, kTies, kMasked, kCluster, kHuge, kEqual };
constexpr Kind kKinds[] = {Kind::kNormal, Kind::kFlat,    Kind::kPeaked, Kind::kTies,
                           Kind::kMasked, Kind::kCluster, Kind::kHuge,   Kind::kEqual};

std::vector<float> make_logits(Kind kind, std::size_t n, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> z(n);
  for (float& x : z) {
    const float g = normal(random);
    switch (kind) {
      case Kind::kNormal: x = 3 * g; break;
      case Kind::kFlat: x = 0.01F * g; break;
      case Kind::kPeaked: x = 12 * g; break;
      case Kind::kTies: x = std::round(2 * g) / 2; break;
      case Kind::kMasked: x = random() % 4 == 0 ? g : -kInfinity; break;
      case Kind::kCluster: x = 7 + 1e-6F * std::round(3 * g); break;  // a few neighbouring floats
      case Kind::kHuge: x = 1e30F * g; break;
      case Kind::kEqual: x = -3; break;
    }
  }
  z[random() % n] = kind == Kind::kHuge ? 3e30F : 1.0F;  // at least one that is finite
  return z;
}

TEST(Sampling, AgreesWithTheSlowDefinition) {
  std::mt19937 random(1);
  for (int round = 0; round < 4000; ++round) {
    const Kind kind = kKinds[random() % std::size(kKinds)];
    const std::size_t n = std::array{1U, 2U, 3U, 17U, 256U, 1000U}[random() % 6];
    const std::vector<float> logits = make_logits(kind, n, random);
    const SamplingOptions o{
        .temperature = std::array{1.0, 0.7, 1.3, 0.1}[random() % 4],
        .top_p = std::array{1.0, 0.85, 0.5, 0.999, 0.1, 0.0, 1e-9}[random() % 7],
        .top_k = std::array{0, 0, 1, 2, 40, 5000}[random() % 6]};
    ASSERT_EQ(difference(logits, o), "")
        << "round " << round << " kind " << static_cast<int>(kind) << " n " << n << " T "
        << o.temperature << " top_p " << o.top_p << " top_k " << o.top_k;
  }
}

TEST(Sampling, AgreesWithTheSlowDefinitionOnAWholeVocabulary) {
  std::mt19937 random(2);
  for (const Kind kind : kKinds) {
    const std::vector<float> logits = make_logits(kind, 65536, random);
    for (const double top_p : {0.85, 0.3, 0.9999}) {
      EXPECT_EQ(difference(logits, {.top_p = top_p}), "") << static_cast<int>(kind) << " " << top_p;
    }
    EXPECT_EQ(difference(logits, {.top_p = 1, .top_k = 50}), "") << static_cast<int>(kind);
  }
}

TEST(Sampling, TiesAtTheCutoffStay) {
  const std::vector<float> logits = {0, 1, 1, 1, 0};
  EXPECT_EQ(fast_definition(logits, {.top_p = 0.1}).size(), 3U);
  EXPECT_EQ(fast_definition(logits, {.top_p = 0}).size(), 3U);
  // … but top-k means k, the lower ids first.
  const Distribution two = fast_definition(logits, {.top_p = 1, .top_k = 2});
  EXPECT_TRUE(two.size() == 2 && two.contains(1) && two.contains(2));
}

TEST(Sampling, GreedyTakesTheLowestIdAmongEquals) {
  Sampler greedy({.temperature = 0});
  EXPECT_EQ(greedy.description(), "greedy");
  EXPECT_EQ(greedy.sample(std::array{1.0F, 3.0F, 2.0F, 3.0F}), 1);
  EXPECT_EQ(greedy.sample(std::array{-kInfinity, -5.0F}), 1);
  EXPECT_EQ(greedy.sample(std::array{-0.0F, 0.0F}), 0);
}

TEST(Sampling, ChainIsBlinkDLs) {
  EXPECT_EQ(Sampler({.temperature = 0.5, .top_p = 0.5, .top_k = 3}).description(),
            "top_p > top_k > temperature");
  EXPECT_EQ(Sampler({.temperature = 1, .top_p = 1}).description(), "plain");
}

TEST(Sampling, DrawsFollowTheDistribution) {
  const std::vector<float> logits = {0.5F, -1, 2, 0.1F, -kInfinity, 1.7F, -3, 0.6F};
  for (const SamplingOptions& o :
       {SamplingOptions{.top_p = 1, .seed = 5}, SamplingOptions{.top_p = 0.9, .seed = 6},
        SamplingOptions{.temperature = 2, .top_p = 1, .top_k = 4, .seed = 7},
        SamplingOptions{.temperature = 0.6, .top_p = 0.95, .seed = 8}}) {
    const Distribution expected = slow_definition(logits, o);
    Sampler sampler(o);
    constexpr int kDraws = 200'000;
    std::map<std::int32_t, int> counts;
    for (int i = 0; i < kDraws; ++i) ++counts[sampler.sample(logits)];
    double chi2 = 0;
    for (const auto& [id, p] : expected) {
      const double mean = kDraws * p, d = counts[id] - mean;
      chi2 += d * d / mean;
    }
    EXPECT_EQ(counts.size(), expected.size());
    // Seven degrees of freedom at most: beyond 24.3 once in a thousand. The seed is fixed.
    EXPECT_LT(chi2, 24.3) << sampler.description();
  }
}

TEST(Sampling, OneTokenIsAlwaysIt) {
  Sampler sampler({.temperature = 1e-30, .top_p = 0.5, .top_k = 1});
  EXPECT_EQ(sampler.sample(std::array{-7.0F}), 0);
  EXPECT_EQ(sampler.sample(std::array{-kInfinity, -kInfinity, 3.0F}), 2);
}

TEST(Sampling, TinyAndHugeTemperaturesStayFinite) {
  const std::vector<float> logits = {3e38F, -3e38F, 2.9e38F};
  EXPECT_EQ(Sampler({.temperature = 1e-300, .top_p = 1}).sample(logits), 0);
  Sampler hot({.temperature = 1e300, .top_p = 1});
  for (int i = 0; i < 50; ++i) EXPECT_GE(hot.sample(logits), 0);
}

TEST(Sampling, RefusesWhatIsNoDistribution) {
  const float nan = std::nanf("");
  for (const double temperature : {0.0, 1.0}) {
    Sampler s({.temperature = temperature});
    EXPECT_THROW(s.sample(std::array{1.0F, nan, 2.0F}), Error);
    EXPECT_THROW(s.sample(std::array{kInfinity, 0.0F}), Error);
    EXPECT_THROW(s.sample(std::array{-kInfinity, -kInfinity}), Error);
    EXPECT_THROW(s.sample(std::span<const float>()), Error);
  }
}

TEST(Sampling, RefusesOptionsOutOfRange) {
  for (const SamplingOptions& o :
       {SamplingOptions{.temperature = -1}, SamplingOptions{.temperature = std::nan("")},
        SamplingOptions{.temperature = INFINITY}, SamplingOptions{.top_p = 1.5},
        SamplingOptions{.top_p = -0.1}, SamplingOptions{.top_p = std::nan("")},
        SamplingOptions{.top_k = -1}}) {
    EXPECT_THROW(Sampler{o}, Error);
  }
}

std::vector<std::int32_t> draw(Sampler& sampler, int n) {
  std::mt19937 random(3);
  std::vector<std::int32_t> ids;
  ids.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i)
    ids.push_back(sampler.sample(make_logits(Kind::kNormal, 100, random)));
  return ids;
}

TEST(Sampling, OneSeedOneSequence) {
  Sampler a({.seed = 11}), b({.seed = 11}), c({.seed = 12});
  const auto ids = draw(a, 100);
  EXPECT_EQ(draw(b, 100), ids);
  EXPECT_NE(draw(c, 100), ids);
}

TEST(Sampling, CopiesGoOnIndependently) {
  Sampler a({.temperature = 0.9, .seed = 4});
  draw(a, 10);
  Sampler b = a;
  EXPECT_EQ(draw(a, 20), draw(b, 20));
}

TEST(Sampling, ResumesFromMemory) {
  const SamplingOptions o{.temperature = 0.7, .top_p = 0.9, .top_k = 30, .seed = ~std::uint64_t{0}};
  Sampler whole(o), first(o);
  const auto expected = draw(whole, 10), expected_rest = draw(whole, 10);
  EXPECT_EQ(draw(first, 10), expected);
  // Through text, as in a session file, into a sampler of other options.
  Sampler resumed({.temperature = 0});
  resumed.restore(parse_json(first.memory().dump(), "test"));
  EXPECT_EQ(resumed.description(), "top_p > top_k > temperature");
  EXPECT_EQ(resumed.options().seed, o.seed);
  EXPECT_EQ(draw(resumed, 10), expected_rest);
  // Directly, too.
  Sampler again;
  again.restore(first.memory());
  EXPECT_EQ(draw(again, 10), expected_rest);
}

TEST(Sampling, RandomNumbersGoOnUnderOtherOptions) {
  Sampler a({.seed = 9}), b({.top_p = 1, .seed = 9});
  draw(a, 5);
  draw(b, 5);
  Sampler c({.top_p = 1, .seed = 1});
  c.continue_random(a);
  EXPECT_EQ(draw(c, 10), draw(b, 10));
}

TEST(Sampling, MemoryOfAnotherKindIsRefusedAndChangesNothing) {
  const Json good = Sampler({.temperature = 0.7, .seed = 3}).memory();
  std::vector<Json> bad = {Json(), Json(3), Json::array(), Json::object()};
  for (const auto& [key, value] : good.items()) {
    for (const Json& wrong : {Json(), Json("x"), Json(-1), Json::array({1, 2, 3})}) {
      bad.push_back(good);
      bad.back()[key] = wrong;
    }
  }
  bad.push_back(good);
  bad.back()["chain"][0]["name"] = "mirostat";
  bad.push_back(good);
  bad.back()["top_k"] = ~std::uint64_t{0};
  Sampler sampler({.seed = 21});
  const Json before = sampler.memory();
  for (const Json& memory : bad) {
    try {
      sampler.restore(memory);
      ADD_FAILURE() << memory.dump();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kFormat) << memory.dump() << "\n" << e.what();
    }
  }
  EXPECT_EQ(sampler.memory(), before);
}

TEST(Random, IsSplitMix64) {
  // The first outputs of the published generator for seed 1234567, their upper 53 bits.
  Random random(1234567);
  for (const std::uint64_t expected :
       {6457827717110365317U, 3203168211198807973U, 9817491932198370423U, 4593380528125082431U}) {
    EXPECT_EQ(random.uniform(), static_cast<double>(expected >> 11U) * 0x1p-53);
  }
  EXPECT_EQ(random.drawn(), 4U);
}

TEST(Candidates, SortsItsFirstPlaces) {
  std::mt19937 random(5);
  for (const std::size_t n : {0U, 1U, 3U, 40U, 400U, 1000U, 2000U}) {
    Candidates c;
    for (int i = 0; i < 1000; ++i) {
      c.list.push_back({999 - i, static_cast<float>(random() % 50)});
    }
    auto expected = c.list;
    std::sort(expected.begin(), expected.end(), [](const Candidate& a, const Candidate& b) {
      return std::pair(-a.logit, a.id) < std::pair(-b.logit, b.id);
    });
    c.sort(n);
    for (std::size_t i = 0; i < std::min<std::size_t>(n, 1000); ++i) {
      EXPECT_EQ(c.list[i].id, expected[i].id);
    }
    EXPECT_EQ(c.sorted, n >= 1000);
  }
}

TEST(Softmax, ExponentialIsAccurate) {
  double worst = 0;
  for (int i = 0; i < 63'500; ++i) {
    const float x = -0.00137F * static_cast<float>(i);
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(exp_of_negative(x)) / exact - 1));
  }
  EXPECT_LT(worst, 3e-7);
  EXPECT_EQ(exp_of_negative(0), 1);
  EXPECT_EQ(exp_of_negative(-88), 0);
  EXPECT_EQ(exp_of_negative(-3e38F), 0);
  EXPECT_EQ(exp_of_negative(-kInfinity), 0);
}

}  // namespace
}  // namespace prwkv
