/// The bytes of an index of token data, well-formed unless told otherwise; for tests and fuzz targets
/// only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/test_files.h"

namespace prwkv::testing {

struct IndexParts {
  std::string_view magic = std::string_view("MMIDIDX\0\0", 9);
  std::uint64_t version = 1;
  std::uint8_t type = 8;
  std::vector<std::int32_t> sizes{3, 0, 2};
  std::vector<std::int64_t> pointers{0, 6, 6};
  std::vector<std::int64_t> marks{0, 1, 2, 3};
  std::optional<std::uint64_t> claimed_pieces{}, claimed_marks{};  ///< if not as many as there are
  std::string_view behind{};
};

inline Bytes build_index(const IndexParts& p) {
  ByteWriter out;
  out.text(p.magic).u64(p.version).put<std::uint8_t>(p.type);
  out.u64(p.claimed_pieces.value_or(p.sizes.size()));
  out.u64(p.claimed_marks.value_or(p.marks.size()));
  for (const std::int32_t size : p.sizes) out.i32(size);
  for (const std::int64_t pointer : p.pointers) out.put<std::int64_t>(pointer);
  for (const std::int64_t mark : p.marks) out.put<std::int64_t>(mark);
  return out.text(p.behind).bytes;
}

}  // namespace prwkv::testing
