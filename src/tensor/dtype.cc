#include "tensor/dtype.h"

#include <array>

namespace prwkv {
namespace {

constexpr std::array<DTypeInfo, 10> kTypes = {{
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
}};

}  // namespace

const DTypeInfo& info(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)]; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& t : kTypes) {
    if (name == t.name || name == t.label) return t.dtype;
  }
  return std::nullopt;
}

}  // namespace prwkv
