/// Element types. Block types (Q4_0 and its kin) will be further rows of the same table: a row of a
/// matrix is `row_bytes(type, columns)` bytes whatever the type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace prwkv {

enum class DType : std::uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

struct DTypeInfo {
  DType dtype;
  std::string_view name;    ///< "f32", as on the command line and in `inspect`
  std::string_view label;   ///< "F32", as in safetensors
  std::size_t block_bytes;  ///< bytes of one block
  std::int64_t block_size;  ///< elements in one block; 1 for plain types
};

const DTypeInfo& info(DType dtype);
inline std::string_view name_of(DType dtype) { return info(dtype).name; }

/// Bytes of `n` elements; n must be a multiple of the block size.
inline std::size_t row_bytes(DType dtype, std::int64_t n) {
  const DTypeInfo& d = info(dtype);
  return static_cast<std::size_t>(n / d.block_size) * d.block_bytes;
}

/// "f16" -> kF16; also accepts the safetensors label. Empty if there is no such type.
std::optional<DType> dtype_from_name(std::string_view name);

inline bool is_float(DType d) {
  return d == DType::kF64 || d == DType::kF32 || d == DType::kF16 || d == DType::kBF16;
}

}  // namespace prwkv
