#include "tokenizer/quote.h"

#include <fmt/core.h>

namespace prwkv {

std::string in_quotes(std::string_view bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    if (out.size() > 60) {
      out += "...";
      break;
    }
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out + '"';
}

}  // namespace prwkv
