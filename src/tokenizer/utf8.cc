#include "tokenizer/utf8.h"

#include <cstdint>
#include <cstring>

namespace prwkv {
namespace {

/// Length of the well-formed beginning of `text`; a cut character at the end does not belong to it.
std::size_t well_formed_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    std::uint64_t eight;
    if (i + sizeof eight <= text.size()) {
      std::memcpy(&eight, text.data() + i, sizeof eight);
      if ((eight & 0x8080808080808080) == 0) {
        i += sizeof eight;
        continue;
      }
    }
    const Utf8Step step = next_utf8(text.substr(i));
    if (step.kind != Utf8Step::kWellFormed) break;
    i += step.length;
  }
  return i;
}

}  // namespace

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      put(0xe0 | c >> 12);
    } else {
      put(0xf0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3f));
    }
    put(0x80 | (c >> 6 & 0x3f));
  }
  put(0x80 | (c & 0x3f));
}

std::size_t append_well_formed(std::string& out, std::string_view text, bool keep_cut) {
  std::size_t i = 0;
  while (true) {
    const std::size_t good = well_formed_prefix(text.substr(i));
    out += text.substr(i, good);
    i += good;
    if (i == text.size()) return i;
    const Utf8Step step = next_utf8(text.substr(i));
    if (keep_cut && step.kind == Utf8Step::kCut) return i;
    out += kReplacement;
    i += step.length;
  }
}

std::string_view well_formed(std::string_view text, std::string& storage) {
  if (well_formed_prefix(text) == text.size()) return text;
  storage.clear();
  append_well_formed(storage, text, false);
  return storage;
}

}  // namespace prwkv
