/// One tiny model of each generation against logits that an independent program computed in double
/// precision, on every backend and in both modes; and every way to cut the tokens against each
/// other.
#include <gtest/gtest.h>

#include <set>

#include "support/engines.h"

namespace prwkv::test {
namespace {

// Shares of the standard deviation of the logits. Measured over all models: f64 9e-15 (two programs
// that add in different orders), f32 reference 1.2e-6, CPU 7.6e-6 (5.0, whose heads of 8 channels
// are normalised by a small variance).
constexpr double kF64Tolerance = 5e-14;
constexpr double kF32Tolerance = 2e-5;

using Param = std::tuple<std::string, std::string>;  // model, backend

std::string param_name(const testing::TestParamInfo<Param>& p) {
  std::string name = std::get<0>(p.param) + "_on_" + std::get<1>(p.param);
  for (char& c : name) c = c == '.' || c == '-' ? '_' : c;
  return name;
}

class GoldenModel : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override {
    const std::string reason = missing(std::get<1>(GetParam()));
    if (!reason.empty()) GTEST_SKIP() << reason;
    golden = load_golden(std::get<0>(GetParam()));
  }
  std::shared_ptr<Engine> engine(int threads = 2) const {
    return engine_for_file(golden.path,
                           {.backend = std::get<1>(GetParam()),
                            .threads = threads,
                            .load = {.dtype = {}, .groupnorm_eps = golden.groupnorm_eps}});
  }
  Golden golden;
};

TEST_P(GoldenModel, GivesTheLogitsOfTheIndependentProgram) {
  const auto e = engine();
  EXPECT_EQ(e->info().generation, golden.generation);
  const bool f64 = e->backend().activation_dtype() == DType::kF64;
  for (const Pass& run : {run_whole(*e, golden.tokens), run_step_by_step(*e, golden.tokens)}) {
    const double share = largest_difference(run.logits, golden.logits) / spread(golden.logits);
    EXPECT_LE(share, f64 ? kF64Tolerance : kF32Tolerance);
    std::printf("largest difference %.2g of the spread\n", share);
  }
}

TEST_P(GoldenModel, IsTheSameToTheBitInEveryMode) {
  const auto e = engine();
  const Pass whole = run_whole(*e, golden.tokens);
  EXPECT_EQ(difference(run_step_by_step(*e, golden.tokens), whole), "");
  for (const auto& cuts : {std::vector<std::size_t>{2, 5, 1, 6}, {7}, {19}, {1, 1, 1}, {6, 6, 6}}) {
    EXPECT_EQ(difference(run_in_cuts(*e, golden.tokens, cuts), whole), "") << cuts[0] << ", …";
  }
  // An engine that cuts for itself.
  const auto small =
      engine_for_file(golden.path, {.backend = std::get<1>(GetParam()),
                                    .threads = 1,
                                    .load = {.dtype = {}, .groupnorm_eps = golden.groupnorm_eps},
                                    .chunk_rows = 3});
  EXPECT_EQ(difference(run_whole(*small, golden.tokens), whole), "") << "in pieces of 3 rows";
  for (const int threads : {1, 3}) {
    EXPECT_EQ(difference(run_whole(*engine(threads), golden.tokens), whole), "")
        << threads << " threads";
  }
}

std::vector<std::string> all_backends() {
  std::vector<std::string> names = f32_backends();
  names.insert(names.end(), {"ref_f64", "fake_f64"});
  return names;
}

INSTANTIATE_TEST_SUITE_P(Generations, GoldenModel,
                         testing::Combine(testing::ValuesIn(golden_names()),
                                          testing::ValuesIn(all_backends())),
                         param_name);

TEST(GoldenModels, CoverEveryGeneration) {
  std::set<std::string> covered, known;
  for (const std::string& name : golden_names()) covered.insert(load_golden(name).generation);
  for (const Generation& g : generations()) known.emplace(g.name);
  EXPECT_EQ(covered, known);
}

}  // namespace
}  // namespace prwkv::test
