/// The codec of block types against published vectors, vectors of our own, and what rounding may cost.
#include "quant/blocks.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
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
  for (const auto& [label, vectors] : read_json(*path).items()) {
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
