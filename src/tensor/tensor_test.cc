#include "tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "tensor/dtype.h"
#include "tensor/half.h"
#include "tensor/seqs.h"

namespace prwkv {
namespace {

using testing::error_of;

const DType kAllTypes[] = {DType::kF64,    DType::kF32,   DType::kF16,  DType::kBF16, DType::kI64,
                           DType::kI32,    DType::kI16,   DType::kI8,   DType::kU8,   DType::kBool,
                           DType::kQ4_0,   DType::kQ4_1,  DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                           DType::kQ2_K,   DType::kQ3_K,  DType::kQ4_K, DType::kQ5_K, DType::kQ6_K,
                           DType::kIQ4_NL, DType::kIQ4_XS};

TEST(DType, TheTableIsInTheOrderOfTheEnum) {
  for (const DType t : kAllTypes) EXPECT_EQ(info(t).dtype, t);
}

TEST(DType, NamesAndLabelsLeadBack) {
  std::set<std::string_view> names;
  for (const DType t : kAllTypes) {
    EXPECT_EQ(dtype_from_name(name_of(t)), t);
    EXPECT_EQ(dtype_from_name(info(t).label), t);
    names.insert(name_of(t));
    names.insert(info(t).label);
  }
  EXPECT_EQ(names.size(), 44u);
  for (const char* name : {"", "f", "F8_E4M3", "Bf16", "float", "f32 "})
    EXPECT_EQ(dtype_from_name(name), std::nullopt) << name;
}

TEST(DType, SizesAreThoseOfTheTypes) {
  EXPECT_EQ(row_bytes(DType::kF64, 3), 24u);
  EXPECT_EQ(row_bytes(DType::kBF16, 3), 6u);
  EXPECT_EQ(row_bytes(DType::kBool, 3), 3u);
  EXPECT_EQ(row_bytes(DType::kF32, 0), 0u);
  EXPECT_EQ(row_bytes(DType::kF32, std::int64_t{1} << 40), std::size_t{1} << 42);
  EXPECT_EQ(row_bytes(DType::kF64, 1), sizeof(double));
  EXPECT_EQ(row_bytes(DType::kF16, 1), sizeof(f16));
  EXPECT_EQ(row_bytes(DType::kBF16, 1), sizeof(bf16));
  EXPECT_EQ(row_bytes(DType::kQ8_0, 64), 68u);
  EXPECT_EQ(row_bytes(DType::kQ6_K, 512), 420u);
  EXPECT_TRUE(fits(DType::kQ8_0, 96) && fits(DType::kF16, 7) && fits(DType::kQ4_K, 0));
  EXPECT_FALSE(fits(DType::kQ8_0, 33) || fits(DType::kQ4_K, 96));
}

TEST(DType, OnlyFourAreFloats) {
  int floats = 0;
  for (const DType t : kAllTypes) floats += is_float(t) ? 1 : 0;
  EXPECT_EQ(floats, 4);
  EXPECT_TRUE(is_float(DType::kF64) && is_float(DType::kF32) && is_float(DType::kF16) &&
              is_float(DType::kBF16));
}

// The value of a small float format, straight from its definition.
double decoded(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
  const std::uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const std::uint32_t exponent = bits >> mantissa_bits & ((1u << exponent_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = (bits >> (exponent_bits + mantissa_bits) & 1) != 0 ? -1.0 : 1.0;
  if (exponent == (1u << exponent_bits) - 1)
    return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1u << mantissa_bits),
                           static_cast<int>(exponent) - bias - mantissa_bits);
}

struct F16 {
  using Type = f16;
  static constexpr int kExponentBits = 5, kMantissaBits = 10;
  static f16 round(float x) { return to_f16(x); }
};
struct BF16 {
  using Type = bf16;
  static constexpr int kExponentBits = 8, kMantissaBits = 7;
  static bf16 round(float x) { return to_bf16(x); }
};

template <class Format>
class Half : public ::testing::Test {
 protected:
  static constexpr std::uint16_t kSign = 0x8000;
  static constexpr std::uint16_t kInfinity =
      static_cast<std::uint16_t>(((1u << Format::kExponentBits) - 1) << Format::kMantissaBits);

  static typename Format::Type of(std::uint32_t bits) { return {static_cast<std::uint16_t>(bits)}; }
  static double value(std::uint32_t bits) {
    return decoded(bits, Format::kExponentBits, Format::kMantissaBits);
  }
};
using Formats = ::testing::Types<F16, BF16>;
TYPED_TEST_SUITE(Half, Formats);

TYPED_TEST(Half, AllValuesWidenExactlyAndComeBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float wide = to_float(this->of(bits));
    const double expected = this->value(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(wide)) << std::hex << bits;
      const auto back = TypeParam::round(wide).bits;
      ASSERT_TRUE(std::isnan(this->value(back))) << std::hex << bits;
      ASSERT_EQ(back & this->kSign, bits & this->kSign);
      continue;
    }
    ASSERT_EQ(static_cast<double>(wide), expected) << std::hex << bits;
    ASSERT_EQ(std::signbit(wide), (bits & this->kSign) != 0) << std::hex << bits;
    ASSERT_EQ(TypeParam::round(wide).bits, bits) << std::hex << bits;
  }
}

TYPED_TEST(Half, RoundsToNearestAndTiesToEvenBetweenAllNeighbours) {
  for (std::uint32_t low = 0; low < this->kInfinity; ++low) {
    // Above the largest finite value the next step of the same width stands for infinity.
    const double a = this->value(low);
    const double b =
        low + 1 == this->kInfinity ? a + (a - this->value(low - 1)) : this->value(low + 1);
    const auto middle = static_cast<float>((a + b) / 2);
    const std::uint32_t even = low % 2 == 0 ? low : low + 1;
    ASSERT_EQ(static_cast<double>(middle), (a + b) / 2) << "a float holds every middle";
    ASSERT_EQ(TypeParam::round(middle).bits, even) << std::hex << low;
    ASSERT_EQ(TypeParam::round(std::nextafter(middle, 0.0f)).bits, low) << std::hex << low;
    ASSERT_EQ(TypeParam::round(std::nextafter(middle, INFINITY)).bits, low + 1) << std::hex << low;
    ASSERT_EQ(TypeParam::round(-middle).bits, even | this->kSign) << std::hex << low;
  }
}

TYPED_TEST(Half, ExtremesOfFloat) {
  EXPECT_EQ(TypeParam::round(std::numeric_limits<float>::infinity()).bits, this->kInfinity);
  EXPECT_EQ(TypeParam::round(-std::numeric_limits<float>::infinity()).bits,
            this->kInfinity | 0x8000);
  EXPECT_EQ(TypeParam::round(std::numeric_limits<float>::max()).bits, this->kInfinity);
  EXPECT_EQ(TypeParam::round(0.0f).bits, 0);
  EXPECT_EQ(TypeParam::round(-0.0f).bits, 0x8000);
  // A NaN whose payload is only in the bits that are cut off must not become infinity.
  for (const std::uint32_t nan :
       {0x7f800001u, 0xff800001u, 0x7fc00000u, 0x7fffffffu, 0xffffffffu}) {
    const float narrow = to_float(TypeParam::round(std::bit_cast<float>(nan)));
    EXPECT_TRUE(std::isnan(narrow)) << std::hex << nan;
    EXPECT_EQ(std::signbit(narrow), nan >> 31 != 0) << std::hex << nan;
  }
}

TEST(Half, KnownValues) {
  EXPECT_EQ(to_f16(1.0f).bits, 0x3c00);
  EXPECT_EQ(to_f16(65504.0f).bits, 0x7bff);
  EXPECT_EQ(to_f16(65519.996f).bits, 0x7bff);
  EXPECT_EQ(to_f16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(to_f16(0x1p-24f).bits, 0x0001);
  EXPECT_EQ(to_f16(0x1p-25f).bits, 0x0000);
  EXPECT_EQ(to_f16(0x1.000002p-25f).bits, 0x0001);
  EXPECT_EQ(to_f16(std::numeric_limits<float>::denorm_min()).bits, 0x0000);
  EXPECT_EQ(to_bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(to_bf16(std::numeric_limits<float>::denorm_min()).bits, 0x0000);
  EXPECT_EQ(to_float(3.5f), 3.5f);
}

TEST(Shape, KnowsItsSizes) {
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ(Shape{}.str(), "()");
  EXPECT_EQ((Shape{512, 1024}).str(), "(512, 1024)");
  EXPECT_EQ((Shape{2, 3, 4, 5}).numel(), 120);
  EXPECT_EQ((Shape{2, 0, 4}).numel(), 0);
  EXPECT_EQ((Shape{std::int64_t{1} << 31, 4}).numel(), std::int64_t{1} << 33);
  EXPECT_EQ((Shape{2, 3})[1], 3);
}

TEST(Shape, ComparesRankAndSizes) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2}), (Shape{2, 1}));
  EXPECT_NE((Shape{2}), (Shape{2, 0}));
  EXPECT_NE(Shape{}, (Shape{1}));
}

TEST(Shape, HasAtMostFourDimensions) {
  EXPECT_EQ(error_of([] {
              (void)Shape{1, 2, 3, 4, 5};
            }),
            "a tensor has at most 4 dimensions, not 5");
}

TEST(Tensor, IsAbsentByDefault) {
  const Tensor t;
  EXPECT_FALSE(t);
  EXPECT_EQ(t.var, -1);
  EXPECT_FALSE(Matrix{});
}

TEST(Tensor, GivesAccessToItsElements) {
  std::vector<float> data(24);
  const Tensor t{data.data(), {2, 3, 4}, DType::kF32};
  EXPECT_TRUE(t);
  EXPECT_EQ(t.numel(), 24);
  EXPECT_EQ(t.bytes(), 96u);
  EXPECT_EQ(t.dim(0), 2);
  EXPECT_EQ(t.dim(-1), 4);
  EXPECT_EQ(t.dim(-3), 2);
  t.as<float>()[5] = 7.0f;
  EXPECT_EQ(data[5], 7.0f);
}

TEST(Tensor, TakesRows) {
  std::vector<std::uint16_t> data(24);
  const Tensor t{data.data(), {4, 3, 2}, DType::kBF16};
  const Tensor part = t.rows(1, 2);
  EXPECT_EQ(part.shape, (Shape{2, 3, 2}));
  EXPECT_EQ(part.data, data.data() + 6);
  EXPECT_EQ(part.dtype, DType::kBF16);
  EXPECT_EQ(t.rows(4, 0).numel(), 0);
  const Tensor empty{data.data(), {0, 3}, DType::kF32};
  EXPECT_EQ(empty.rows(0, 0).data, data.data());
}

TEST(Tensor, ReshapesOnlyToTheSameNumberOfElements) {
  std::vector<float> data(24);
  const Tensor t{data.data(), {2, 3, 4}, DType::kF32};
  EXPECT_EQ(t.reshaped({6, 4}).shape, (Shape{6, 4}));
  EXPECT_EQ(t.reshaped({24}).data, data.data());
  EXPECT_EQ(error_of([&] { (void)t.reshaped({5, 5}); }), "cannot view (2, 3, 4) as (5, 5)");
}

TEST(Tensor, ExpectShapeNamesTheDifference) {
  std::vector<float> data(6);
  const Tensor t{data.data(), {2, 3}, DType::kF32};
  EXPECT_NO_THROW(expect_shape("x", t, {2, 3}));
  EXPECT_EQ(error_of([&] {
              expect_shape("wkv7: r", t, {3, 2});
            }),
            "wkv7: r: wrong shape\n  expected  (3, 2)\n  found     (2, 3)");
  EXPECT_EQ(error_of([] { expect_shape("x", {}, {1}); }),
            "x: wrong shape\n  expected  (1)\n  found     no tensor");
}

TEST(Matrix, IsOutByIn) {
  std::vector<float> data(6);
  const Matrix m{{data.data(), {2, 3}, DType::kF32}};
  EXPECT_TRUE(m);
  EXPECT_EQ(m.out(), 2);
  EXPECT_EQ(m.in(), 3);
}

TEST(Matrix, AScaleIsNotDroppedWhereNothingAppliesIt) {
  float one = 1;
  Matrix m{{&one, {1, 1}, DType::kF32}};
  EXPECT_EQ(unscaled("x", m).data, &one);
  m.scale = 0.5f;
  EXPECT_EQ(error_of([&] { (void)unscaled("embedding: table", m); }),
            "embedding: table: the matrix has a scale, 0.5");
}

TEST(Seqs, ListsRowsAndSlots) {
  std::int32_t begin[] = {0, 1, 1, 4}, slot[] = {2, 0, 5};
  const Seqs seqs{{begin, {4}, DType::kI32}, {slot, {3}, DType::kI32}, 3, 4, 6};
  EXPECT_EQ(seqs[0].begin, 0);
  EXPECT_EQ(seqs[0].end, 1);
  EXPECT_EQ(seqs[1].end - seqs[1].begin, 0);
  EXPECT_EQ(seqs[2].end, 4);
  EXPECT_EQ(seqs[2].slot, 5);
}

}  // namespace
}  // namespace prwkv
