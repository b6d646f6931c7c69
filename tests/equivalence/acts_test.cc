/// The element-wise functions of every instruction set on a fine grid and at the edges of f32.
#include <gtest/gtest.h>

#include <limits>

#include "equivalence/op_cases.h"

namespace prwkv::test {
namespace {

struct NamedAct {
  const char* name;
  Act act;
};
constexpr NamedAct kActs[] = {
    {"none", Act::kNone},      {"sigmoid", Act::kSigmoid},       {"tanh", Act::kTanh},
    {"silu", Act::kSilu},      {"relu_sq", Act::kReluSq},        {"exp", Act::kExp},
    {"neg_exp", Act::kNegExp}, {"exp_neg_exp", Act::kExpNegExp}, {"decay7", Act::kDecay7},
};

/// 200,000 arguments over all magnitudes, the neighbourhoods of the points where a formula changes,
/// and the extremes.
std::vector<float> arguments() {
  std::vector<float> z;
  for (int i = -100'000; i <= 100'000; ++i) z.push_back(static_cast<float>(i) * 0.0011f);  // ±110
  for (int exponent = -149; exponent < 128; ++exponent) {
    for (const float mantissa : {1.0f, 1.3f, 1.7f}) {
      const float x = std::ldexp(mantissa, exponent);
      z.insert(z.end(), {x, -x});
    }
  }
  for (const float edge :
       {0.625f, 87.3365448f, 88.3762626f, 88.7228394f, 89.0f, 103.97208f, 104.0f, 0.34657359f}) {
    for (const float sign : {1.0f, -1.0f}) {
      float below = sign * edge, above = below;
      for (int i = 0; i < 50; ++i) {
        z.insert(z.end(), {below, above});
        below = std::nextafter(below, -INFINITY);
        above = std::nextafter(above, INFINITY);
      }
    }
  }
  constexpr float kMax = std::numeric_limits<float>::max(),
                  kInf = std::numeric_limits<float>::infinity();
  const float special[] = {
      0.0f, -0.0f, kMax, -kMax, kInf, -kInf, std::numeric_limits<float>::quiet_NaN()};
  z.insert(z.end(), std::begin(special), std::end(special));
  return z;
}

class Acts : public testing::TestWithParam<std::string> {};

TEST_P(Acts, AreExactToAFewUnitsInTheLastPlace) {
  const MadeBackend made = make_backend_under_test(GetParam());
  if (!made.backend) GTEST_SKIP() << made.reason;
  const std::vector<float> z = arguments();
  CaseData data("acts");
  const auto n = static_cast<std::int64_t>(z.size());
  for (const NamedAct& f : kActs) {
    SCOPED_TRACE(f.name);
    const SpreadArgs args{
        data.output({n}),
        data.fill({n}, [&](std::int64_t i) { return z[static_cast<std::size_t>(i)]; }), f.act};
    Placed<SpreadArgs> placed(*made.backend, args, 0);
    made.backend->spread(placed.args);
    const std::vector<double> got = placed.read(args.y);
    double worst = 0, worst_z = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double exact = ref::apply(f.act, z[i]);
      const auto rounded = static_cast<float>(exact);
      if (!std::isfinite(rounded)) {
        ASSERT_TRUE(std::isnan(rounded) ? std::isnan(got[i]) : got[i] == rounded)
            << f.name << "(" << z[i] << ") = " << got[i] << ", not " << rounded;
        continue;
      }
      // A result that rounds up to infinity is one unit off the largest number.
      const double value = std::isinf(got[i]) ? std::copysign(0x1p128, got[i]) : got[i];
      ASSERT_LE(std::abs(value - exact), act_error(f.act, z[i]))
          << f.name << "(" << z[i] << ") = " << got[i] << ", not " << exact;
      const double ulps = std::abs(value - exact) / ulp(exact);
      if (std::abs(exact) > 128 * kTiny && ulps > worst) worst = ulps, worst_z = z[i];
    }
    std::printf("%-12s largest error %6.2f ulp, at %g\n", f.name, worst, worst_z);
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, Acts, testing::ValuesIn(f32_backends()),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace prwkv::test
