/// Weights that were packed to generate train as those that lie as in files do: the gradient that goes through them has
/// the same bits, whatever their type and layout.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "quant/blocks.h"
#include "support/backends.h"
#include "support/random.h"

namespace prwkv::test {
namespace {

constexpr std::int64_t kRowsOfX = 5;

class PackedGradient : public testing::TestWithParam<std::string> {
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

  /// g_x behind a matrix of this shape, in the layout that a backend with this packing gives it.
  struct Behind {
    Layout layout;
    std::vector<std::uint32_t> g_x;  // bits
  };
  static Behind behind(Packing packing, DType dtype, const Shape& shape, Input input,
                       const std::vector<std::byte>& rows, std::vector<float> g_y) {
    const auto backend = make_backend(
        {.threads = 2, .isa = GetParam().substr(std::strlen("cpu_")), .packing = packing});
    const Packed packed = backend->packed(dtype, shape, input);
    Tensor w = {.data = nullptr, .shape = shape, .dtype = dtype, .layout = packed.layout};
    const Buffer memory = backend->allocate(packed ? packed.bytes : w.bytes());
    w.data = memory.data();
    backend->put_rows(w, 0, shape[0], rows.data());
    std::vector<float> x(static_cast<std::size_t>(kRowsOfX * shape[1])), g_x(x.size());
    backend->linear_backward({.g_x = {.data = g_x.data(), .shape = {kRowsOfX, shape[1]}},
                              .g_w = {},
                              .g_bias = {},
                              .g_addend = {},
                              .g_y = {.data = g_y.data(), .shape = {kRowsOfX, shape[0]}},
                              .x = {.data = x.data(), .shape = {kRowsOfX, shape[1]}},
                              .w = w,
                              .z = {},
                              .act = Act::kNone});
    backend->sync();
    std::vector<std::uint32_t> bits(g_x.size());
    std::memcpy(bits.data(), g_x.data(), g_x.size() * sizeof(float));
    return {packed.layout, bits};
  }

  void expect_same(DType dtype, const Shape& shape, Input input, Layout layout) {
    SCOPED_TRACE(fmt::format("{} {}x{}", name_of(dtype), shape[0], shape[1]));
    const std::vector<float> values = numbers(shape.numel());
    std::vector<std::byte> rows(row_bytes(dtype, shape.numel()));
    quant::quantize(dtype, values.data(), shape.numel(), rows.data());
    const std::vector<float> g_y = numbers(kRowsOfX * shape[0]);
    const Behind packed = behind(Packing::kOnce, dtype, shape, input, rows, g_y);
    const Behind plain = behind(Packing::kEachCall, dtype, shape, input, rows, g_y);
    EXPECT_EQ(packed.layout, layout);
    EXPECT_EQ(plain.layout, Layout::kRows);
    EXPECT_EQ(packed.g_x, plain.g_x);
  }

  Random random_{testing::UnitTest::GetInstance()->current_test_info()->name()};
};

TEST_P(PackedGradient, OfPanelsIsThatOfRows) {
  for (const DType t : {DType::kF32, DType::kF16, DType::kBF16}) {
    expect_same(t, {72, 75}, Input::kAny,
                Layout::kPacked);  // odd: half a panel, a partner that is missing
    expect_same(t, {64, 512}, Input::kAny, Layout::kPacked);
  }
  for (const DType t :
       {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K,
        DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS})
    expect_same(t, {72, 768}, Input::kAny, Layout::kPacked);
}

TEST_P(PackedGradient, OfWeightsByInputIsThatOfRows) {
  for (const DType t : {DType::kF32, DType::kF16, DType::kQ8_0})
    expect_same(t, {192, 1120}, Input::kSquaredRelu, Layout::kByInput);
  const bool in_pairs = is_of_bf16(GetParam());
  expect_same(DType::kBF16, {192, 1120}, Input::kSquaredRelu,
              in_pairs ? Layout::kPacked : Layout::kByInput);
}

INSTANTIATE_TEST_SUITE_P(Cpu, PackedGradient, testing::ValuesIn(cpu_backends()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace prwkv::test
