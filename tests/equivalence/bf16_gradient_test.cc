// The way back of products in bf16: operands are rounded, and nothing else.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "backend/backend.h"
#include "support/backends.h"
#include "support/random.h"
#include "tensor/half.h"

namespace prwkv::test {
namespace {

struct Sizes {
  std::int64_t T, in, out;
};

class Bf16Gradient : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const MadeBackend made = make_backend_under_test(GetParam(), 1); !made.backend)
      GTEST_SKIP() << made.reason;
  }

  std::vector<float> numbers(std::int64_t n) {
    std::vector<float> v(static_cast<std::size_t>(n));
    for (float& x : v) x = static_cast<float>(random_.uniform(-1, 1));
    return v;
  }

  struct Gradients {
    std::vector<float> x, w;
  };
  static Gradients gradients(const Sizes& s, int threads, std::vector<float> x,
                             std::vector<float> w, std::vector<float> g_y, Gradients g) {
    const auto backend = make_backend({.threads = threads,
                                       .isa = GetParam().substr(std::strlen("cpu_")),
                                       .packing = Packing::kEachCall,
                                       .products = DType::kBF16});
    backend->linear_backward({.g_x = {.data = g.x.data(), .shape = {s.T, s.in}},
                              .g_w = {.data = g.w.data(), .shape = {s.out, s.in}},
                              .g_bias = {},
                              .g_addend = {},
                              .g_y = {.data = g_y.data(), .shape = {s.T, s.out}},
                              .x = {.data = x.data(), .shape = {s.T, s.in}},
                              .w = {.data = w.data(), .shape = {s.out, s.in}},
                              .z = {},
                              .act = Act::kNone});
    backend->sync();
    return g;
  }

  static double rounded(float x) { return static_cast<double>(to_float(to_bf16(x))); }

  /// c (rows, columns) + Σ over steps of a(row, step) b(step, column), and a bound of what sums in f32 lose.
  template <class A, class B>
  static void expect_sums(const std::vector<float>& got, const std::vector<float>& before,
                          std::int64_t rows, std::int64_t columns, std::int64_t steps, const A& a,
                          const B& b) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        const auto at = static_cast<std::size_t>(r * columns + c);
        double sum = before[at], size = std::abs(sum);
        for (std::int64_t s = 0; s < steps; ++s) {
          const double term = rounded(a(r, s)) * rounded(b(s, c));
          sum += term;
          size += std::abs(term);
        }
        ASSERT_NEAR(got[at], sum, size * static_cast<double>(steps + 4) * 0x1p-24)
            << "row " << r << ", column " << c;
      }
    }
  }

  Random random_{testing::UnitTest::GetInstance()->current_test_info()->name()};
};

// Sizes on both sides of whole tiles: 16 rows, 16 channels, 32 steps.
TEST_P(Bf16Gradient, IsThatOfRoundedOperands) {
  for (const Sizes& s :
       {Sizes{1, 8, 8}, {5, 16, 72}, {33, 75, 96}, {64, 64, 32}, {100, 128, 75}, {131, 320, 48}}) {
    SCOPED_TRACE(testing::Message()
                 << s.T << " rows, " << s.in << " inputs, " << s.out << " outputs");
    const std::vector<float> x = numbers(s.T * s.in), w = numbers(s.out * s.in),
                             g_y = numbers(s.T * s.out);
    const Gradients before = {numbers(s.T * s.in), numbers(s.out * s.in)};
    const Gradients got = gradients(s, 2, x, w, g_y, before);
    const auto of = [](const std::vector<float>& m, std::int64_t columns) {
      return [&m, columns](std::int64_t r, std::int64_t c) {
        return m[static_cast<std::size_t>(r * columns + c)];
      };
    };
    const auto x_at = of(x, s.in), w_at = of(w, s.in), g_at = of(g_y, s.out);
    expect_sums(got.x, before.x, s.T, s.in, s.out, g_at, w_at);
    expect_sums(
        got.w, before.w, s.out, s.in, s.T,
        [&](std::int64_t o, std::int64_t t) { return g_at(t, o); }, x_at);
  }
}

TEST_P(Bf16Gradient, HasTheSameBitsWithAnyNumberOfThreads) {
  const Sizes s = {200, 320, 256};
  const std::vector<float> x = numbers(s.T * s.in), w = numbers(s.out * s.in),
                           g_y = numbers(s.T * s.out);
  const Gradients before = {numbers(s.T * s.in), numbers(s.out * s.in)};
  const Gradients one = gradients(s, 1, x, w, g_y, before),
                  three = gradients(s, 3, x, w, g_y, before);
  EXPECT_EQ(std::memcmp(one.x.data(), three.x.data(), one.x.size() * sizeof(float)), 0);
  EXPECT_EQ(std::memcmp(one.w.data(), three.w.data(), one.w.size() * sizeof(float)), 0);
}

std::vector<std::string> sets() {
  std::vector<std::string> names;
  for (const std::string& name : cpu_backends()) {
    if (is_of_bf16(name)) names.push_back(name);
  }
  return names;
}
// Sets that were not compiled in are none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Bf16Gradient);
INSTANTIATE_TEST_SUITE_P(Cpu, Bf16Gradient, testing::ValuesIn(sets()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace prwkv::test
