#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "tokenizer/utf8.h"

namespace prwkv {
namespace {

// "Stable" makes utf8proc honour the composition exclusions, as NFC must.
constexpr auto kDecompose = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE);
constexpr auto kCompose = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
// No canonical decomposition is longer than 4; utf8proc reports the length that it would need.
using Decomposed = std::array<utf8proc_int32_t, 8>;

std::size_t decompose(utf8proc_int32_t c, Decomposed& out) {
  const auto n = utf8proc_decompose_char(c, out.data(), out.size(), kDecompose, nullptr);
  return static_cast<std::size_t>(n);
}

int combining_class(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

/// The White_Space property, of which utf8proc's categories give only a part.
bool is_white_space(utf8proc_int32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

CharClass classify(utf8proc_int32_t c, utf8proc_propval_t category) {
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) {
    return CharClass::kLetter;
  }
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) {
    return CharClass::kNumber;
  }
  return is_white_space(c) ? CharClass::kSpace : CharClass::kOther;
}

/// Appends the normal form of a segment. utf8proc's own decomposition of whole strings orders marks
/// by bubble sort, which a hostile text makes quadratic; character by character with a real sort
/// the same is O(n log n).
void append_nfc(std::string& out, std::string_view segment) {
  std::vector<utf8proc_int32_t> characters;
  while (!segment.empty()) {
    const Utf8Step step = next_utf8(segment);
    segment.remove_prefix(step.length);
    Decomposed parts;
    const std::size_t n = decompose(static_cast<utf8proc_int32_t>(step.code_point), parts);
    characters.insert(characters.end(), parts.data(), parts.data() + n);
  }
  const auto is_mark = [](utf8proc_int32_t c) { return combining_class(c) != 0; };
  for (auto begin = characters.begin();;) {
    begin = std::find_if(begin, characters.end(), is_mark);
    if (begin == characters.end()) break;
    const auto end = std::find_if_not(begin, characters.end(), is_mark);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return combining_class(a) < combining_class(b);
    });
    begin = end;
  }
  const auto n = utf8proc_normalize_utf32(
      characters.data(), static_cast<utf8proc_ssize_t>(characters.size()), kCompose);
  for (utf8proc_ssize_t i = 0; i < n; ++i) {
    append_utf8(out, static_cast<char32_t>(characters[static_cast<std::size_t>(i)]));
  }
}

}  // namespace

UnicodeTable::UnicodeTable() : table_(kTabled) {
  for (std::size_t c = 0; c < kTabled; ++c) {
    const auto character = static_cast<utf8proc_int32_t>(c);
    const utf8proc_property_t& property = *utf8proc_get_property(character);
    table_[c] = static_cast<std::uint8_t>(classify(character, property.category));
    if (property.combining_class != 0) table_[c] |= kNotABoundary;
  }
  mark_changes_of_nfc();
}

void UnicodeTable::mark_changes_of_nfc() {
  for (std::size_t c = 0; c < kTabled; ++c) {
    const auto character = static_cast<utf8proc_int32_t>(c);
    const bool is_hangul_syllable = c >= 0xac00 && c <= 0xd7a3;  // always recomposes to itself
    if (utf8proc_get_property(character)->decomp_seqindex == UINT16_MAX || is_hangul_syllable) {
      continue;
    }
    Decomposed parts;
    const std::size_t n = decompose(character, parts);
    if (n == 1 && parts[0] == character) continue;  // the decomposition is not a canonical one
    for (std::size_t i = 1; i < n; ++i) {
      table_[static_cast<std::size_t>(parts[i])] |= kNotABoundary;
    }
    const auto composed =
        utf8proc_normalize_utf32(parts.data(), static_cast<utf8proc_ssize_t>(n), kCompose);
    if (composed != 1 || parts[0] != character) table_[c] |= kNotABoundary;
  }
  // Hangul vowels and final consonants join the syllable before them.
  for (std::size_t c = 0x1161; c <= 0x1175; ++c) table_[c] |= kNotABoundary;
  for (std::size_t c = 0x11a8; c <= 0x11c2; ++c) table_[c] |= kNotABoundary;
}

std::string_view UnicodeTable::nfc(std::string_view text, std::string& storage) const {
  // Nothing below U+0300 changes, and its lead byte 0xcc is the first that could begin a change.
  unsigned char highest = 0;
  for (const char c : text) highest = std::max(highest, static_cast<unsigned char>(c));
  if (highest < 0xcc) return text;

  storage.clear();
  std::size_t copied = 0;    // text up to here is in `storage`
  std::size_t boundary = 0;  // the last place where the text may be cut
  std::size_t i = 0;
  while (i < text.size()) {
    Utf8Step step = next_utf8(text.substr(i));
    if (is_boundary(step.code_point)) {
      boundary = i;
      i += step.length;
      continue;
    }
    do {
      i += step.length;
      if (i == text.size()) break;
      step = next_utf8(text.substr(i));
    } while (!is_boundary(step.code_point));
    storage += text.substr(copied, boundary - copied);
    append_nfc(storage, text.substr(boundary, i - boundary));
    copied = boundary = i;
  }
  if (copied == 0) return text;
  storage += text.substr(copied);
  return storage;
}

}  // namespace prwkv
