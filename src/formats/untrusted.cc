#include "formats/untrusted.h"

#include <algorithm>

namespace prwkv {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view ByteCursor::take_text(std::uint64_t count) { return as_text(take(count)); }

void ByteCursor::cut_off(std::uint64_t count, std::size_t each) const {
  const std::string times = each == 1 ? "" : fmt::format(" x {}", each);
  throw Error(
      Code::kFormat, fmt::format("{}: {} is cut off", file_, part_),
      {.expected = fmt::format("{}{} more bytes after the first {} of it", count, times, position_),
       .found = fmt::format("{} bytes", left()),
       .hint = "an incomplete or damaged file? Fetch it again"});
}

std::string name_flaw(std::string_view text, std::size_t most) {
  if (text.empty()) return "no characters";
  if (text.size() > most) return fmt::format("{} characters", text.size());
  const auto* const odd =
      std::find_if(text.begin(), text.end(), [](char c) { return c < 0x20 || c >= 0x7f; });
  if (odd == text.end()) return "";
  return fmt::format("0x{:02x} as character {}", static_cast<unsigned char>(*odd),
                     odd - text.begin() + 1);
}

void too_many(std::string_view file, std::string_view what, std::size_t most,
              std::string_view next) {
  throw Error(Code::kFormat, fmt::format("{}: has too many {}", file, what),
              {.expected = fmt::format("at most {}", most),
               .found = fmt::format("one more, {}", in_quotes(next))});
}

}  // namespace prwkv
