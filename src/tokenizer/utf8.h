/// UTF-8 one character at a time, with ill-formed input as an ordinary case.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace prwkv {

struct Utf8Step {
  enum Kind {
    kWellFormed,
    kIllFormed,  ///< no continuation can make these bytes a character
    kCut,        ///< a valid beginning, but the text ends inside the character
  };
  Kind kind;
  char32_t code_point;  ///< of a well-formed character, else 0
  std::size_t length;   ///< bytes of the character, or of the maximal ill-formed part, >= 1
};

/// The first character of `text`, which must not be empty.
inline Utf8Step next_utf8(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {Utf8Step::kWellFormed, lead, 1};
  if (lead < 0xc2 || lead > 0xf4) return {Utf8Step::kIllFormed, 0, 1};
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // Only the second byte has limits of its own: they exclude over-long forms, surrogates and values
  // beyond U+10FFFF.
  unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  char32_t code_point = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Utf8Step::kCut, 0, i};
    if (byte(i) < low || byte(i) > high) return {Utf8Step::kIllFormed, 0, i};
    code_point = code_point << 6 | (byte(i) & 0x3fU);
    low = 0x80;
    high = 0xbf;
  }
  return {Utf8Step::kWellFormed, code_point, length};
}

/// U+FFFD, which stands for what is ill-formed.
inline constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Appends a code point that is neither a surrogate nor beyond U+10FFFF.
void append_utf8(std::string& out, char32_t code_point);
/// Appends `text` with each maximal ill-formed part replaced by U+FFFD. Returns how many bytes of
/// it were read: all, or with `keep_cut` all but a character that the end of the text cuts.
std::size_t append_well_formed(std::string& out, std::string_view text, bool keep_cut);
/// `text` itself if it is well-formed, else a repaired copy that lives in `storage`.
std::string_view well_formed(std::string_view text, std::string& storage);

}  // namespace prwkv
