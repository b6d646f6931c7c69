/// The CPU's kernels on blocks against the codec and against themselves on the decoded matrix, to the
/// bit. (Against the reference, within derived bounds: op_table_test.)
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "support/debug_build.h"
#include "support/op_case.h"

namespace prwkv::test {
namespace {

const DType kBlockTypes[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,   DType::kQ5_1,
                             DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,
                             DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS};

class BlockWeights : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const MadeBackend made = make_backend_under_test(GetParam(), 1);
    if (!made.backend) GTEST_SKIP() << made.reason;
  }
  static std::unique_ptr<Backend> backend(int threads) {
    return make_backend_under_test(GetParam(), threads).backend;
  }
};

// Any bytes are blocks, with scales of every kind: denormal, infinite, NaN.
TEST_P(BlockWeights, AreDecodedAsTheCodecDoes) {
  constexpr std::int64_t kBlocks = 3000;
  const auto made = backend(1);
  for (const DType dtype : kBlockTypes) {
    CaseData data(name_of(dtype));
    Tensor table = data.weight({1, kBlocks * info(dtype).block_size}, dtype, 0.0);
    for (std::size_t i = 0; i < table.bytes(); ++i)
      table.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(data.random.below(256));
    const EmbeddingArgs args{data.output(table.shape), table, data.ints({0})};
    Placed<EmbeddingArgs> placed(*made, args, 1);
    call(*made, placed.args);
    const std::vector<double> got = placed.read(args.y);
    const Tensor expected = data.decoded(table);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const float x = expected.as<float>()[i], y = static_cast<float>(got[i]);
      if (std::isnan(x) && std::isnan(y)) continue;
      ASSERT_EQ(std::bit_cast<std::uint32_t>(y), std::bit_cast<std::uint32_t>(x))
          << name_of(dtype) << ", element " << i << ": " << y << ", not " << x;
    }
  }
}

TEST_P(BlockWeights, GiveTheBitsOfTheDecodedMatrix) {
  const auto one = backend(1), three = backend(3);
  for (const DType dtype : kBlockTypes) {
    for (const std::int64_t blocks : {1, 3, 9}) {
      for (const std::int64_t out : {1, 37, 131}) {
        for (const std::int64_t T : {1, 2, 3, 5, 6, 7, 13, 50, 97}) {
          if (blocks == 3 && T > 7) continue;
          if (kDebugBuild && (blocks == 9 || out > 37 || T > 7)) continue;
          SCOPED_TRACE(
              fmt::format("{} {} blocks, {} outputs, {} rows", name_of(dtype), blocks, out, T));
          CaseData data(name_of(dtype));
          const std::int64_t in = blocks * info(dtype).block_size;
          LinearArgs args;
          args.n = 1;
          args.part[0].x = data.uniform({T, in});
          args.part[0].y = data.output({T, out});
          args.part[0].w = data.weight({out, in}, dtype);
          LinearArgs plain = args;
          plain.part[0].w = data.decoded(args.part[0].w);
          const auto result = [](Backend& on, const LinearArgs& a, std::size_t misaligned) {
            Placed<LinearArgs> placed(on, a, misaligned);
            call(on, placed.args);
            return placed.read(a.part[0].y);
          };
          const std::vector<double> expected = result(*one, plain, 0);
          ASSERT_EQ(result(*one, args, 3), expected);
          ASSERT_EQ(result(*three, args, 0), expected) << "3 threads";
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, BlockWeights, testing::ValuesIn(cpu_backends()),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace prwkv::test
