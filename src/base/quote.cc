#include "base/quote.h"

#include <fmt/core.h>

namespace prwkv {

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMaxShown = 80;
  std::string shown = "'";
  for (const char c : text.substr(0, kMaxShown)) {
    if (c >= 0x20 && c < 0x7f) {
      shown += c;
    } else {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return shown + (text.size() > kMaxShown ? "...'" : "'");
}

}  // namespace prwkv
