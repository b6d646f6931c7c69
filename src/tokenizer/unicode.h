/// The facts about characters that the GPT-2 pre-tokenizer and Unicode normalization form C need.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace prwkv {

enum class CharClass : std::uint8_t { kOther, kLetter, kNumber, kSpace };

/// A table made from utf8proc's Unicode data, so that the common questions cost one load.
/// Immutable.
class UnicodeTable {
 public:
  UnicodeTable();

  /// \p{L}, \p{N}, White_Space or none of them.
  [[nodiscard]] CharClass class_of(char32_t c) const noexcept {
    return c < kTabled ? static_cast<CharClass>(table_[c] & kClassMask) : CharClass::kOther;
  }

  /// `text`, which must be well-formed UTF-8, in normalization form C: itself if it is in that form
  /// already, else a copy that lives in `storage`. Time is O(n log n) for any input.
  [[nodiscard]] std::string_view nfc(std::string_view text, std::string& storage) const;

  /// The planes from here on hold tags, variation selectors and private use: no letters, numbers or
  /// spaces, and nothing that normalization changes.
  static constexpr char32_t kTabled = 0x40000;

 private:
  static constexpr std::uint8_t kClassMask = 3;
  // Set unless the character is a starter that NFC keeps and never joins to the one before it: text
  // can be cut before every character without this mark and the parts normalized apart (UAX #15,
  // "stable code points").
  static constexpr std::uint8_t kNotABoundary = 4;

  [[nodiscard]] bool is_boundary(char32_t c) const noexcept {
    return c >= kTabled || (table_[c] & kNotABoundary) == 0;
  }
  void mark_changes_of_nfc();

  std::vector<std::uint8_t> table_;
};

}  // namespace prwkv
