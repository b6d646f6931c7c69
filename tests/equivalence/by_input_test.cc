/// Weights that meet zeros and are not read: the results are those of reading all of them, to the bit,
/// and what was read is counted.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "quant/blocks.h"
#include "support/backends.h"
#include "support/random.h"

namespace prwkv::test {
namespace {

constexpr std::int64_t kOut = 192, kIn = 1120;  // two segments and a part of one

/// One matrix on one backend.
class Weights {
 public:
  Weights(CpuBackend& backend, DType dtype, const std::vector<float>& values) : backend_(backend) {
    const Packed packed = backend.packed(dtype, {kOut, kIn}, Input::kSquaredRelu);
    w_.shape = {kOut, kIn};
    w_.dtype = dtype;
    w_.layout = packed.layout;
    memory_ = backend.allocate(packed ? packed.bytes : w_.bytes());
    w_.data = memory_.data();
    std::vector<std::byte> rows(w_.bytes());
    quant::quantize(dtype, values.data(), kOut * kIn, rows.data());
    backend.put_rows(w_, 0, kOut, rows.data());
  }

  [[nodiscard]] Layout layout() const { return w_.layout; }

  [[nodiscard]] std::vector<float> times(std::vector<float> x) const {
    const auto T = static_cast<std::int64_t>(x.size()) / kIn;
    std::vector<float> y(static_cast<std::size_t>(T * kOut));
    LinearArgs args;
    args.n = 1;
    args.part[0].y = {.data = y.data(), .shape = {T, kOut}};
    args.part[0].x = {.data = x.data(), .shape = {T, kIn}};
    args.part[0].w = w_;
    backend_.linear(args);
    return y;
  }

 private:
  CpuBackend& backend_;
  Buffer memory_;
  Tensor w_;
};

class ByInput : public testing::TestWithParam<std::string> {
 protected:
  static constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0};

  void SetUp() override {
    const MadeBackend made = make_backend_under_test(GetParam(), 1);
    if (!made.backend) GTEST_SKIP() << made.reason;
  }
  static std::unique_ptr<CpuBackend> backend(Sparsity sparsity, int threads = 2) {
    std::unique_ptr<Backend> made = make_backend(
        {.threads = threads, .isa = GetParam().substr(std::strlen("cpu_")), .sparsity = sparsity});
    return std::unique_ptr<CpuBackend>(dynamic_cast<CpuBackend*>(made.release()));
  }
  std::vector<float> numbers(std::int64_t n, double zeros) {
    std::vector<float> v(static_cast<std::size_t>(n));
    for (float& x : v) {
      const bool is_zero = random_.uniform(0, 1) < zeros;
      const auto number = static_cast<float>(random_.uniform(-1, 1));
      x = is_zero ? 0.0F : number;
    }
    return v;
  }
  Random random_{testing::UnitTest::GetInstance()->current_test_info()->name()};
};

std::vector<std::uint32_t> bits(const std::vector<float>& v) {
  std::vector<std::uint32_t> b(v.size());
  std::memcpy(b.data(), v.data(), v.size() * sizeof(float));
  return b;
}

TEST_P(ByInput, LeavingZerosOutChangesNoBit) {
  const auto skip = backend(Sparsity::kSkip), keep = backend(Sparsity::kKeep);
  const std::vector<float> values = numbers(kOut * kIn, 0);
  for (const DType t : kTypes) {
    const Weights a(*skip, t, values), b(*keep, t, values);
    for (const double zeros : {0.0, 0.2, 0.5, 0.8, 0.99, 1.0}) {
      SCOPED_TRACE(fmt::format("{}, {} zeros", name_of(t), zeros));
      const std::vector<float> x = numbers(kIn, zeros);
      EXPECT_EQ(bits(a.times(x)), bits(b.times(x)));
    }
  }
}

TEST_P(ByInput, OneRowIsTheSameAloneAndAmongOthers) {
  const auto one = backend(Sparsity::kSkip, 1), three = backend(Sparsity::kSkip, 3);
  const std::vector<float> values = numbers(kOut * kIn, 0);
  for (const DType t : kTypes) {
    const Weights a(*one, t, values), b(*three, t, values);
    const std::vector<float> x = numbers(300 * kIn, 0.8), y = b.times(x);
    for (const std::int64_t row : {0, 5, 6, 263, 264, 299}) {
      SCOPED_TRACE(fmt::format("{}, row {}", name_of(t), row));
      const std::vector<float> alone =
          a.times({x.begin() + row * kIn, x.begin() + (row + 1) * kIn});
      EXPECT_EQ(bits(alone), bits({y.begin() + row * kOut, y.begin() + (row + 1) * kOut}));
    }
  }
}

TEST_P(ByInput, WhatIsNotFiniteIsNoZero) {
  const auto skip = backend(Sparsity::kSkip);
  const std::vector<float> values = numbers(kOut * kIn, 0);
  for (const DType t : kTypes) {
    const Weights w(*skip, t, values);
    for (const float odd :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      SCOPED_TRACE(fmt::format("{}, {}", name_of(t), odd));
      std::vector<float> x(kIn);  // nothing else in its group, nor anywhere
      x[700] = odd;
      const std::vector<float> y = w.times(x);
      EXPECT_TRUE(std::none_of(y.begin(), y.end(), [](float v) { return std::isfinite(v); }));
    }
  }
}

TEST_P(ByInput, TinyAndHugeActivations) {
  const auto skip = backend(Sparsity::kSkip), keep = backend(Sparsity::kKeep);
  const std::vector<float> values = numbers(kOut * kIn, 0);
  for (const DType t : kTypes) {
    const Weights a(*skip, t, values), b(*keep, t, values);
    for (const float size : {1e-45F, 1e-38F, 1e-20F, 1e20F, 1e36F}) {
      SCOPED_TRACE(fmt::format("{}, {}", name_of(t), size));
      std::vector<float> x = numbers(kIn, 0.8);
      for (float& v : x) v *= size;
      EXPECT_EQ(bits(a.times(x)), bits(b.times(x)));
    }
  }
}

// −0.25 times the smallest number is −0, to which 0.5 times a zero would add +0.
TEST_P(ByInput, SumsThatUnderflowAreZerosOfOneSign) {
  const auto skip = backend(Sparsity::kSkip), keep = backend(Sparsity::kKeep);
  std::vector<float> values(kOut * kIn, 0.5F);
  for (std::int64_t o = 0; o < kOut; ++o) values[static_cast<std::size_t>(o * kIn)] = -0.25F;
  std::vector<float> x(kIn);
  x[0] = std::numeric_limits<float>::denorm_min();
  for (const DType t : kTypes) {
    SCOPED_TRACE(name_of(t));
    const Weights a(*skip, t, values), b(*keep, t, values);
    EXPECT_EQ(bits(a.times(x)), bits(b.times(x)));
  }
}

TEST_P(ByInput, CountsWhatIsRead) {
  const auto skip = backend(Sparsity::kSkip);
  const std::vector<float> values = numbers(kOut * kIn, 0);
  std::vector<float> x(kIn);
  x[3] = x[600] = x[601] = 1;
  const Weights f32(*skip, DType::kF32, values);
  EXPECT_EQ(f32.layout(), Layout::kByInput);
  (void)f32.times(x);
  EXPECT_EQ(skip->skipping().bytes, kOut * kIn * 4);
  EXPECT_EQ(skip->skipping().bytes_read, kOut * 3 * 4);
  (void)f32.times(numbers(2 * kIn, 0.5));
  EXPECT_EQ(skip->skipping().bytes, kOut * kIn * 4) << "rows that share a call read everything";
  const Weights q8_0(*skip, DType::kQ8_0, values);
  (void)q8_0.times(x);
  EXPECT_EQ(skip->skipping().bytes, kOut * kIn * 4 + kOut * kIn / 32 * 34);
  EXPECT_EQ(skip->skipping().bytes_read, kOut * 3 * 4 + kOut * (3 + 2 * 2))
      << "codes of three inputs, scales of two groups";
}

TEST_P(ByInput, OtherLayoutsWhereItDoesNotFitOrIsNotWanted) {
  const auto skip = backend(Sparsity::kSkip), none = backend(Sparsity::kNone);
  const auto layout = [](const CpuBackend& b, DType t, std::int64_t out, std::int64_t in,
                         Input input) {
    return b.packed(t, {out, in}, input).layout;
  };
  const Input relu = Input::kSquaredRelu;
  EXPECT_EQ(layout(*skip, DType::kF16, 64, 512, relu), Layout::kByInput);
  EXPECT_EQ(layout(*skip, DType::kF16, 64, 512, Input::kAny), Layout::kPacked);
  EXPECT_EQ(layout(*skip, DType::kF16, 65, 512, relu), Layout::kPacked);
  EXPECT_EQ(layout(*skip, DType::kF16, 64, 500, relu), Layout::kPacked);
  EXPECT_EQ(layout(*skip, DType::kQ8_0, 64, 512, relu), Layout::kByInput);
  EXPECT_EQ(layout(*skip, DType::kQ8_0, 64, 256, relu), Layout::kPacked) << "two terms there";
  EXPECT_EQ(layout(*skip, DType::kQ4_0, 64, 512, relu), Layout::kPacked);
  EXPECT_EQ(layout(*none, DType::kF16, 64, 512, relu), Layout::kPacked);
  EXPECT_EQ(layout(*none, DType::kQ8_0, 64, 512, relu), Layout::kPacked);
  const Layout bf16 = is_of_bf16(GetParam()) ? Layout::kPacked : Layout::kByInput;
  EXPECT_EQ(layout(*skip, DType::kBF16, 64, 512, relu), bf16);
}

TEST_P(ByInput, FloatsStayAsFilesHaveThemWhenTheyAreNotRepacked) {
  const std::unique_ptr<Backend> backend = make_backend(
      {.threads = 1, .isa = GetParam().substr(std::strlen("cpu_")), .packing = Packing::kNever});
  for (const Input input : {Input::kAny, Input::kSquaredRelu}) {
    for (const DType t : {DType::kF32, DType::kF16, DType::kBF16})
      EXPECT_EQ(backend->packed(t, {64, 512}, input).layout, Layout::kRows);
    EXPECT_NE(backend->packed(DType::kQ8_0, {64, 512}, input).layout, Layout::kRows);
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, ByInput, testing::ValuesIn(cpu_backends()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace prwkv::test
