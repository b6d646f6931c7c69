#include "tensor/dtype.h"

#include <array>

namespace prwkv {
namespace {

constexpr std::array<DTypeInfo, 22> kTypes = {{
    {DType::kF64, "f64", "F64", 8, 1},
    {DType::kF32, "f32", "F32", 4, 1},
    {DType::kF16, "f16", "F16", 2, 1},
    {DType::kBF16, "bf16", "BF16", 2, 1},
    {DType::kI64, "i64", "I64", 8, 1},
    {DType::kI32, "i32", "I32", 4, 1},
    {DType::kI16, "i16", "I16", 2, 1},
    {DType::kI8, "i8", "I8", 1, 1},
    {DType::kU8, "u8", "U8", 1, 1},
    {DType::kBool, "bool", "BOOL", 1, 1},
    {DType::kQ4_0, "q4_0", "Q4_0", 18, 32},
    {DType::kQ4_1, "q4_1", "Q4_1", 20, 32},
    {DType::kQ5_0, "q5_0", "Q5_0", 22, 32},
    {DType::kQ5_1, "q5_1", "Q5_1", 24, 32},
    {DType::kQ8_0, "q8_0", "Q8_0", 34, 32},
    {DType::kQ2_K, "q2_k", "Q2_K", 84, 256},
    {DType::kQ3_K, "q3_k", "Q3_K", 110, 256},
    {DType::kQ4_K, "q4_k", "Q4_K", 144, 256},
    {DType::kQ5_K, "q5_k", "Q5_K", 176, 256},
    {DType::kQ6_K, "q6_k", "Q6_K", 210, 256},
    {DType::kIQ4_NL, "iq4_nl", "IQ4_NL", 18, 32},
    {DType::kIQ4_XS, "iq4_xs", "IQ4_XS", 136, 256},
}};

}  // namespace

std::span<const DTypeInfo> dtypes() { return kTypes; }

const DTypeInfo& info(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)]; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& t : kTypes) {
    if (name == t.name || name == t.label) return t.dtype;
  }
  return std::nullopt;
}

}  // namespace prwkv
