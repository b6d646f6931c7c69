/// Every operation on every backend against the reference in double precision, over a table of
/// awkward cases.
#include <gtest/gtest.h>

#include <algorithm>

#include "equivalence/op_cases.h"

namespace prwkv::test {
namespace {

using Param = std::tuple<std::string, std::string>;  // operation, backend

std::string param_name(const testing::TestParamInfo<Param>& p) {
  return std::get<0>(p.param) + "_on_" + std::get<1>(p.param);
}

class OpTable : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override {
    const MadeBackend made = make_backend_under_test(std::get<1>(GetParam()), 1);
    if (!made.backend) GTEST_SKIP() << made.reason;
  }
  static std::unique_ptr<Backend> backend(int threads) {
    return make_backend_under_test(std::get<1>(GetParam()), threads).backend;
  }
  static bool is_cpu() { return std::get<1>(GetParam()).starts_with("cpu"); }
};

/// |got − exact| as a share of its bound; a failure of the test if it is more than 1, or if one is
/// not a number where the other is.
double compare(const std::vector<double>& got, const std::vector<double>& exact,
               const std::vector<double>& bound) {
  double worst = 0;
  if (got.size() != exact.size() || got.size() != bound.size()) {
    ADD_FAILURE() << got.size() << " results, " << exact.size() << " expected, " << bound.size()
                  << " bounds";
    return 0;
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double expected = static_cast<float>(exact[i]);
    if (!std::isfinite(expected)) {
      if (std::isnan(expected) ? !std::isnan(got[i]) : got[i] != expected) {
        ADD_FAILURE() << "value " << i << " is " << got[i] << ", not " << expected;
        return 0;
      }
      continue;
    }
    const double error = std::abs(got[i] - exact[i]);
    if (!(error <= bound[i])) {
      ADD_FAILURE() << "value " << i << " is " << got[i] << ", not " << exact[i] << ": off by "
                    << error << ", allowed " << bound[i];
      return 0;
    }
    if (bound[i] > 0) worst = std::max(worst, error / bound[i]);
  }
  return worst;
}

TEST_P(OpTable, EqualsTheReferenceWithinDerivedBounds) {
  RefBackend exact(DType::kF64);
  std::map<int, std::unique_ptr<Backend>> backends;
  for (const int threads : {1, 2, 3}) {
    if (threads == 1 || is_cpu()) backends[threads] = backend(threads);
  }
  double worst = 0;
  std::string where;
  const std::vector<OpCase> cases = op_cases(std::get<0>(GetParam()));
  ASSERT_FALSE(cases.empty()) << "the operation has no cases";
  for (const OpCase& c : cases) {
    SCOPED_TRACE(c.name);
    const Values expected = c.run(exact), bounds = c.bounds(arithmetic_of(*backends.at(1)));
    Values first;
    for (const auto& [threads, b] : backends) {
      SCOPED_TRACE(testing::Message() << threads << " threads");
      const Values got = c.run(*b);
      if (threads != 1) {
        EXPECT_EQ(difference(got, first), "") << "the number of threads changes the result";
        continue;
      }
      first = got;
      for (std::size_t i = 0; i < got.size(); ++i) {
        SCOPED_TRACE(c.written[i]);
        const double share = compare(got[i], expected[i], bounds[i]);
        if (share > worst) worst = share, where = c.name + "." + c.written[i];
      }
    }
    if (HasFailure()) return;
  }
  std::printf("%zu cases, largest error %.1f %% of its bound (%s)\n", cases.size(), 100 * worst,
              where.c_str());
}

/// The reference computes each row by itself, so only the CPU's kernels can fail here.
class Rows : public OpTable {};

TEST_P(Rows, AreBitIdenticalWhateverSharesTheCall) {
  const std::vector<OpCase> cases = many_row_cases(std::get<0>(GetParam()));
  ASSERT_FALSE(cases.empty());
  const std::unique_ptr<Backend> one = backend(1), two = backend(2), three = backend(3);
  for (const OpCase& c : cases) {
    SCOPED_TRACE(c.name);
    const Values whole = c.run(*one);
    EXPECT_EQ(difference(c.run(*two), whole), "") << "2 threads";
    EXPECT_EQ(difference(c.run(*three), whole), "") << "3 threads";
    for (const std::int64_t rows : {1, 2, 5, 6, 7, 16, 64, 97}) {
      EXPECT_EQ(difference(c.run_cut(*one, rows), whole), "") << rows << " rows a call";
      EXPECT_EQ(difference(c.run_cut(*three, rows), whole), "")
          << rows << " rows a call, 3 threads";
    }
    if (HasFailure()) return;
  }
}

/// All pairs, but for instruction sets that bring nothing except products.
std::vector<Param> pairs(const std::vector<std::string>& ops,
                         const std::vector<std::string>& backends) {
  std::vector<Param> all;
  for (const std::string& op : ops) {
    for (const std::string& backend : backends) {
      if (!is_of_products(backend) || op == "linear" || op == "data_shift")
        all.emplace_back(op, backend);
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ops, OpTable, testing::ValuesIn(pairs(forward_ops(), f32_backends())),
                         param_name);

INSTANTIATE_TEST_SUITE_P(Ops, Rows, testing::ValuesIn(pairs(row_ops(), cpu_backends())),
                         param_name);

/// A device must give the reference's results to the bit: it computes with it.
class FakeDevice : public testing::TestWithParam<std::string> {};

TEST_P(FakeDevice, EqualsTheReferenceToTheBit) {
  for (const OpCase& c : op_cases(GetParam())) {
    SCOPED_TRACE(c.name);
    for (const char* type : {"f32", "f64"}) {
      const auto reference = make_backend_under_test(std::string("ref_") + type).backend;
      const auto fake =
          make_backend_under_test(type == std::string("f32") ? "fake" : "fake_f64").backend;
      ASSERT_EQ(difference(c.run(*fake), c.run(*reference)), "") << type;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, FakeDevice, testing::ValuesIn(forward_ops()),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace prwkv::test
