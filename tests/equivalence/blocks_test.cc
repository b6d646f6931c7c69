/// The codec of block types against published vectors, vectors of our own, and what rounding may cost.
#include "quant/blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "support/paths.h"
#include "support/random.h"

namespace prwkv::quant {
namespace {

const DType kBlockTypes[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,   DType::kQ5_1,
                             DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,
                             DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS};

using Floats = std::vector<float>;
using Blocks = std::vector<std::byte>;

Blocks from_hex(const std::string& text) {
  Blocks bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

Floats decoded(DType dtype, const Blocks& blocks, std::size_t n) {
  Floats values(n, std::numeric_limits<float>::signaling_NaN());
  dequantize(dtype, blocks.data(), static_cast<std::int64_t>(n), values.data());
  return values;
}

Blocks encoded(DType dtype, const Floats& values) {
  const auto n = static_cast<std::int64_t>(values.size());
  Blocks blocks(row_bytes(dtype, n), std::byte{0xa5});
  quantize(dtype, values.data(), n, blocks.data());
  return blocks;
}

Json read_json(const std::string& path) {
  std::ifstream in(path);
  return parse_json(std::string(std::istreambuf_iterator<char>(in), {}), path);
}

TEST(Dequantize, EqualsTheReferenceVectorsToTheBit) {
  constexpr const char* kFile = "reference/test-vectors/quant_blocks.json";
  const auto path = test::shared_file(kFile);
  if (!path) GTEST_SKIP() << test::why_shared_is_missing(kFile);
  int types = 0;
  const Json all = read_json(*path);
  for (const auto& [label, vectors] : all.items()) {
    const auto dtype = dtype_from_name(label);
    if (!dtype) continue;  // Q8_K is for activations
    ++types;
    for (const Json& v : vectors) {
      const auto expected = v.at("x").get<Floats>();
      const Floats got = decoded(*dtype, from_hex(v.at("hex").get<std::string>()), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(expected[i]))
            << label << ", element " << i;
      }
    }
  }
  EXPECT_EQ(types, 10);
}

Json own_vectors() { return read_json(test::repository_file("tests/golden/blocks.json")); }

Floats floats_from_hex(const std::string& text) {
  const Blocks bytes = from_hex(text);
  return decoded(DType::kF32, bytes, bytes.size() / sizeof(float));
}

TEST(Dequantize, EqualsOurOwnVectorsToTheBit) {
  const Json own = own_vectors(), &vectors = own.at("decoded");
  for (const DType dtype : kBlockTypes) {
    for (const Json& v : vectors.at(std::string(info(dtype).label))) {
      const Floats expected = floats_from_hex(v.at("x").get<std::string>());
      const Floats got = decoded(dtype, from_hex(v.at("hex").get<std::string>()), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(expected[i]))
            << name_of(dtype) << ", element " << i;
      }
    }
  }
}

TEST(Dequantize, WidensPlainTypes) {
  const Floats values = {0.0f, -0.0f, 1.5f, -65504.0f, 0x1p-24f};
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kF16})
    EXPECT_EQ(decoded(dtype, encoded(dtype, values), values.size()), values) << name_of(dtype);
  EXPECT_EQ(decoded(DType::kBF16, encoded(DType::kBF16, {1.00390625f, 3.0f}), 2),
            (Floats{1.0f, 3.0f}));  // ties to even
}

TEST(Quantize, GivesTheBytesOfGgmlWhereThereIsOneRule) {
  int types = 0;
  const Json own = own_vectors();
  for (const auto& [label, vectors] : own.at("encoded").items()) {
    ++types;
    for (const Json& v : vectors) {
      EXPECT_EQ(encoded(*dtype_from_name(label), floats_from_hex(v.at("x").get<std::string>())),
                from_hex(v.at("hex").get<std::string>()))
          << label << ", " << v.at("name");
    }
  }
  EXPECT_EQ(types, 5);
}

/// √(Σ (decoded − x)² / Σ x²).
double relative_error(DType dtype, const Floats& x) {
  const Floats got = decoded(dtype, encoded(dtype, x), x.size());
  double off = 0, all = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = static_cast<double>(got[i]) - static_cast<double>(x[i]);
    off += d * d;
    all += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return std::sqrt(off / all);
}

TEST(Quantize, LosesNoMoreThanGgmlWhereScalesAreSearched) {
  test::Random random("weights");
  Floats x(65536);
  for (float& v : x) {
    double sum = 0;
    for (int i = 0; i < 3; ++i) sum += random.uniform(-1, 1);
    v = static_cast<float>(sum);
  }
  const Json own = own_vectors();
  for (const auto& [label, bound] : own.at("ggml_relative_error").items()) {
    const double error = relative_error(*dtype_from_name(label), x);
    EXPECT_LT(error, bound.get<double>()) << label;
    std::printf("%-6s %.5f, ggml %.5f\n", label.c_str(), error, bound.get<double>());
  }
}

/// The largest distance of two neighbouring numbers that a block can hold, when it must hold the numbers
/// from `low` to `high`, as a share of what the type divides.
struct Resolution {
  DType dtype;
  bool from_zero;  ///< the scale spans ±max |x|, else low … high
  double steps;    ///< in that span
};

// Rounding is at most half a step off, or a whole one at the end that has no quant of its own (Q4_0 and
// Q5_0 have −8 but no +8), plus what storing the scale in f16 moves the largest quant by.
TEST(Quantize, IsWithinAStepOfEachElement) {
  constexpr Resolution kResolutions[] = {{DType::kQ4_0, true, 8},
                                         {DType::kQ5_0, true, 16},
                                         {DType::kQ8_0, true, 2 * 127},
                                         {DType::kQ4_1, false, 2 * 15},
                                         {DType::kQ5_1, false, 2 * 31}};
  for (const auto& [dtype, from_zero, steps] : kResolutions) {
    test::Random random(name_of(dtype));
    for (const auto& [low, high] : {std::pair{-1.0, 1.0},
                                    {0.0, 1.0},
                                    {-1.0, 0.0},
                                    {5.0, 6.0},
                                    {-0x1p-12, 0x1p-12},
                                    {-1e4, 1e4},
                                    {0.3, 0.3}}) {
      Floats x(32);
      for (float& v : x) v = static_cast<float>(random.uniform(low, high));
      const Floats got = decoded(dtype, encoded(dtype, x), x.size());
      const auto [least, most] = std::minmax_element(x.begin(), x.end());
      const double largest = std::max(std::abs(*least), std::abs(*most));
      const double span = from_zero ? largest : static_cast<double>(*most) - *least;
      const double half_precision = 0x1p-11 * (span + largest) + 0x1p-24 * 127;
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_LE(std::abs(static_cast<double>(got[i]) - x[i]), span / steps + half_precision)
            << name_of(dtype) << ", " << x[i] << " in " << low << " … " << high;
      }
    }
  }
}

// Where no scale helps, zeros do: an error above that of a block of zeros would be absurd.
TEST(Quantize, IsNeverWorseThanNothing) {
  for (const DType dtype : kBlockTypes) {
    for (const double size : {0x1p-20, 1e-6, 1e-4, 1.0, 1e4}) {
      for (const int kind : {-1, 0, 1}) {  // one-sided, both
        test::Random random(name_of(dtype));
        Floats x(256);
        for (float& v : x) {
          const double drawn = random.normal() * size;
          v = static_cast<float>(kind == 0 ? drawn : kind * std::abs(drawn));
        }
        EXPECT_LE(relative_error(dtype, x), 1.0) << name_of(dtype) << ", " << kind * size;
      }
    }
  }
}

TEST(Quantize, IsDeterministicAndBlocksAreIndependent) {
  for (const DType dtype : kBlockTypes) {
    test::Random random(name_of(dtype));
    const auto size = static_cast<std::size_t>(info(dtype).block_size);
    Floats x(3 * size);
    for (float& v : x) v = static_cast<float>(random.normal());
    const Blocks all = encoded(dtype, x);
    const Blocks middle = encoded(dtype, Floats(x.begin() + static_cast<std::ptrdiff_t>(size),
                                                x.begin() + static_cast<std::ptrdiff_t>(2 * size)));
    EXPECT_EQ(encoded(dtype, x), all) << name_of(dtype);
    EXPECT_TRUE(std::equal(middle.begin(), middle.end(),
                           all.begin() + static_cast<std::ptrdiff_t>(middle.size())))
        << name_of(dtype);
  }
}

TEST(Quantize, ZerosStayZeros) {
  for (const DType dtype : kBlockTypes) {
    for (const float x : decoded(dtype, encoded(dtype, Floats(512, 0.0f)), 512))
      ASSERT_EQ(x, 0.0f) << name_of(dtype);
  }
}

// An f16 scale must not overflow: one huge weight would make its block infinite.
TEST(Quantize, AnyFloatGivesBlocksOfFiniteNumbers) {
  constexpr float kMax = std::numeric_limits<float>::max();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  for (const DType dtype : kBlockTypes) {
    for (const float huge : {1e6f, 1e9f, kMax, kInf, kNaN, 1e-30f, 1e-40f}) {
      for (const float sign : {1.0f, -1.0f}) {
        test::Random random(name_of(dtype));
        Floats values(256);
        for (std::size_t i = 0; i < values.size(); ++i)
          values[i] = i % 7 == 3 ? sign * huge : static_cast<float>(random.normal());
        for (const float x : decoded(dtype, encoded(dtype, values), values.size()))
          ASSERT_TRUE(std::isfinite(x)) << name_of(dtype) << ", " << huge;
      }
    }
  }
}

TEST(Fitting, FallsBackToTheNextLargerTypeThatFits) {
  EXPECT_EQ(fitting(DType::kQ4_K, 512), DType::kQ4_K);
  EXPECT_EQ(fitting(DType::kQ2_K, 96), DType::kIQ4_NL);
  EXPECT_EQ(fitting(DType::kQ3_K, 96), DType::kIQ4_NL);
  EXPECT_EQ(fitting(DType::kIQ4_XS, 96), DType::kIQ4_NL);
  EXPECT_EQ(fitting(DType::kQ4_K, 96), DType::kQ5_0);
  EXPECT_EQ(fitting(DType::kQ5_K, 96), DType::kQ5_1);
  EXPECT_EQ(fitting(DType::kQ6_K, 96), DType::kQ8_0);
  for (const DType dtype : kBlockTypes) EXPECT_EQ(fitting(dtype, 100), DType::kF16);
  EXPECT_EQ(fitting(DType::kBF16, 100), DType::kBF16);
}

}  // namespace
}  // namespace prwkv::quant
