#include "base/quote.h"

#include <fmt/core.h>

namespace prwkv {
namespace {

std::string between(char quote, std::string_view text) {
  constexpr std::size_t kMaxShown = 80;
  std::string shown(1, quote);
  for (const char c : text.substr(0, kMaxShown)) {
    if (c >= 0x20 && c < 0x7f) {
      shown += c;
    } else {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (text.size() > kMaxShown) shown += "...";
  return shown + quote;
}

}  // namespace

std::string in_quotes(std::string_view text) { return between('\'', text); }
std::string in_double_quotes(std::string_view text) { return between('"', text); }

void append_xml(std::string& xml, char c) {
  switch (c) {
    case '<': xml += "&lt;"; break;
    case '>': xml += "&gt;"; break;
    case '&': xml += "&amp;"; break;
    case '"': xml += "&quot;"; break;
    default: xml += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
}

}  // namespace prwkv
