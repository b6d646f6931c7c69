/// Element types: plain ones, and block types, which pack the elements of a row in blocks that share
/// scales (equations: quant/blocks.h). A row of a matrix is `row_bytes(type, columns)` bytes whatever
/// the type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace prwkv {

// The block types bear the names that GGUF gave them.
// NOLINTBEGIN(readability-identifier-naming)
enum class DType : std::uint8_t {
  kF64,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
};
// NOLINTEND(readability-identifier-naming)

struct DTypeInfo {
  DType dtype;
  std::string_view name;    ///< "f32", as on the command line and in `inspect`
  std::string_view label;   ///< "F32", "Q4_K": as in safetensors and GGUF
  std::size_t block_bytes;  ///< bytes of one block
  std::int64_t block_size;  ///< elements in one block; 1 for plain types
};

/// Every type, in the order of the enum.
std::span<const DTypeInfo> dtypes();
const DTypeInfo& info(DType dtype);
inline std::string_view name_of(DType dtype) { return info(dtype).name; }

/// Bytes of `n` elements; n must be a multiple of the block size (see fits()).
inline std::size_t row_bytes(DType dtype, std::int64_t n) {
  const DTypeInfo& d = info(dtype);
  return static_cast<std::size_t>(n / d.block_size) * d.block_bytes;
}

/// Whether rows of `columns` elements can be stored in this type.
inline bool fits(DType dtype, std::int64_t columns) {
  return columns % info(dtype).block_size == 0;
}

/// Q4_0 and its kin, whose elements cannot be addressed one by one.
inline bool is_block(DType dtype) { return info(dtype).block_size > 1; }

/// "f16" -> kF16; also accepts the label. Empty if there is no such type.
std::optional<DType> dtype_from_name(std::string_view name);

/// Plain floating-point types; block types are not among them.
inline bool is_float(DType d) {
  return d == DType::kF64 || d == DType::kF32 || d == DType::kF16 || d == DType::kBF16;
}

}  // namespace prwkv
