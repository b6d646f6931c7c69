/// The CPU's kernels on blocks: decoded against the codec to the bit, and multiplied against exact
/// sums of what they say they multiply. (Against the reference, within derived bounds: op_table_test.)
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

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

/// Activations as kernels round them: 32 neighbours share a scale, and in narrow rows a second term has
/// what the first leaves.
std::vector<double> rounded(const Tensor& x, std::int64_t t) {
  const std::int64_t in = x.dim(1);
  std::vector<double> row(static_cast<std::size_t>(in));
  for (std::int64_t g = 0; g < in; g += 32) {
    std::array<float, 32> left{};
    for (std::size_t i = 0; i < 32; ++i)
      left[i] = static_cast<float>(ref::load(x, t * in + g + static_cast<std::int64_t>(i)));
    for (int term = 0; term < (in <= 256 ? 2 : 1); ++term) {
      float most = 0;
      for (const float v : left) most = std::max(most, std::abs(v));
      for (std::size_t i = 0; i < 32; ++i) {
        const float q = most == 0 ? 0 : std::nearbyint(left[i] * (127.0F / most));
        const double value = static_cast<double>(q) * static_cast<double>(most / 127.0F);
        row[static_cast<std::size_t>(g) + i] += value;
        left[i] = static_cast<float>(static_cast<double>(left[i]) - value);
      }
    }
  }
  return row;
}

LinearArgs one_product(CaseData& data, DType dtype, std::int64_t T, std::int64_t in,
                       std::int64_t out) {
  LinearArgs args;
  args.n = 1;
  args.part[0].x = data.uniform({T, in});
  args.part[0].y = data.output({T, out});
  args.part[0].w = data.weight({out, in}, dtype);
  return args;
}

std::vector<double> result_of(Backend& on, const LinearArgs& args) {
  Placed<LinearArgs> placed(on, args, 0);
  call(on, placed.args);
  return placed.read(args.part[0].y);
}

// Integers are exact, so what is left is the rounding of a few f32 operations for each scale.
TEST_P(BlockWeights, AreMultipliedExactlyWithRoundedActivations) {
  const auto one = backend(1), three = backend(3);
  for (const DType dtype : kBlockTypes) {
    for (const std::int64_t blocks : {1, 3, 9}) {
      for (const std::int64_t out : {1, 37, 131}) {
        for (const std::int64_t T : {1, 2, 3, 5, 7, 8, 9, 13, 50, 97}) {
          if (blocks == 3 && T > 7) continue;
          if (kFewCases && (blocks == 9 || out > 37 || T > 7)) continue;
          SCOPED_TRACE(
              fmt::format("{} {} blocks, {} outputs, {} rows", name_of(dtype), blocks, out, T));
          CaseData data(name_of(dtype));
          const std::int64_t in = blocks * info(dtype).block_size;
          const LinearArgs args = one_product(data, dtype, T, in, out);
          const Tensor w = data.decoded(args.part[0].w);
          const std::vector<double> got = result_of(*one, args);
          for (std::int64_t t = 0; t < T; ++t) {
            const std::vector<double> x = rounded(args.part[0].x, t);
            for (std::int64_t o = 0; o < out; ++o) {
              double y = 0, terms = 0;
              for (std::int64_t i = 0; i < in; ++i) {
                const double term = ref::load(w, o * in + i) * x[static_cast<std::size_t>(i)];
                y += term;
                terms += std::abs(term);
              }
              // Offsets make each of two sums larger than their difference; scales span 32 columns. Without
              // fused multiply-adds a second term may fall one step of 127 · 254 aside.
              const double step = in <= 256 ? 1.0 / (127 * 254) : 0;
              const double bound = step + 8 * 0x1p-24 * (static_cast<double>(in) / 16 + 8) *
                                              std::max(terms, static_cast<double>(in) / 8);
              ASSERT_NEAR(got[static_cast<std::size_t>(t * out + o)], y, bound)
                  << "row " << t << ", output " << o;
            }
          }
          ASSERT_EQ(result_of(*three, args), got) << "3 threads";
        }
      }
    }
  }
}

// A row with an activation that is no number, or infinite, has no eight bits: it is lost whole, and
// alone.
TEST_P(BlockWeights, NotANumberStaysInItsRow) {
  const auto two = backend(2);
  for (const DType dtype : kBlockTypes) {
    for (const double odd :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
          -std::numeric_limits<double>::infinity()}) {
      CaseData data(name_of(dtype));
      constexpr std::int64_t kRows = 11, kOut = 21;
      const LinearArgs args = one_product(data, dtype, kRows, 256, kOut);
      const std::vector<double> plain = result_of(*two, args);
      ref::store(args.part[0].x, 4 * 256 + 77, odd);
      const std::vector<double> got = result_of(*two, args);
      for (std::size_t i = 0; i < got.size(); ++i) {
        if (i / kOut == 4)
          ASSERT_TRUE(std::isnan(got[i])) << name_of(dtype) << ", output " << i % kOut;
        else
          ASSERT_EQ(got[i], plain[i]) << name_of(dtype) << ", row " << i / kOut;
      }
    }
  }
}

// Activations of any size: what is smaller than 1e-36 counts as zero, and nothing overflows.
TEST_P(BlockWeights, TinyAndHugeActivations) {
  const auto one = backend(1);
  for (const DType dtype : kBlockTypes) {
    for (const double size : {1e-45, 1e-40, 1e-37, 1e-35, 1e-20, 1e20, 1e30}) {
      CaseData data(name_of(dtype));
      LinearArgs args = one_product(data, dtype, 2, 256, 5);
      const Tensor w = data.decoded(args.part[0].w);
      for (std::int64_t i = 0; i < 512; ++i)
        ref::store(args.part[0].x, i, static_cast<float>(size * ref::load(args.part[0].x, i)));
      const std::vector<double> got = result_of(*one, args);
      for (std::size_t i = 0; i < got.size(); ++i) {
        double y = 0;
        const auto t = static_cast<std::int64_t>(i) / 5, o = static_cast<std::int64_t>(i) % 5;
        for (std::int64_t j = 0; j < 256; ++j)
          y += ref::load(w, o * 256 + j) * ref::load(args.part[0].x, t * 256 + j);
        ASSERT_NEAR(got[i], y, 256 * (size / 60000 + 1.1e-36)) << name_of(dtype) << " " << size;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, BlockWeights, testing::ValuesIn(cpu_backends()),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace prwkv::test
