#include "formats/untrusted.h"

#include <algorithm>

namespace prwkv {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view ByteCursor::take_text(std::uint64_t count) { return as_text(take(count)); }

void ByteCursor::cut_off(std::uint64_t count) const {
  throw Error(Code::kFormat, fmt::format("{}: {} is cut off", file_, part_),
              {.expected = fmt::format("{} more bytes after the first {} of it", count, position_),
               .found = fmt::format("{} bytes", left()),
               .hint = "an incomplete or damaged file? Fetch it again"});
}

bool is_printable_ascii(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace prwkv
