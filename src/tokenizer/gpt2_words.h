/// The pre-tokenizer of GPT-2: cuts text into the words that byte-pair encoding works on.
#pragma once

#include <cstddef>
#include <string_view>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace prwkv {

/// The regular expression
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// by hand: at each place the first alternative that matches. Linear in the length of the text.
class Gpt2Words {
 public:
  explicit Gpt2Words(const UnicodeTable& unicode) : unicode_(unicode) {
    for (std::size_t c = 0; c < 128; ++c) ascii_[c] = unicode.class_of(static_cast<char32_t>(c));
  }

  /// Bytes of the first word of `text`, which must be well-formed UTF-8 and not empty.
  [[nodiscard]] std::size_t first_length(std::string_view text) const noexcept {
    if (text[0] == '\'') {
      if (const std::size_t n = contraction_length(text); n != 0) return n;
    }
    std::size_t i = 0;
    Step step = step_at(text, 0);
    if (text[0] == ' ' && text.size() > 1) {
      const Step next = step_at(text, 1);
      if (next.cls != CharClass::kSpace) {
        i = 1;
        step = next;
      }
    }
    const CharClass cls = step.cls;
    std::size_t last;  // where the last character of this class begins
    do {
      last = i;
      i += step.length;
      if (i == text.size()) return i;
      step = step_at(text, i);
    } while (step.cls == cls);
    // White space before something else leaves its last character to the next word: \s+(?!\S).
    return cls == CharClass::kSpace && last > 0 ? last : i;
  }

 private:
  struct Step {
    CharClass cls;
    std::size_t length;
  };

  Step step_at(std::string_view text, std::size_t i) const noexcept {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) return {ascii_[byte], 1};
    const Utf8Step step = next_utf8(text.substr(i));
    return {unicode_.class_of(step.code_point), step.length};
  }

  static std::size_t contraction_length(std::string_view text) noexcept {
    const char a = text.size() > 1 ? text[1] : '\0', b = text.size() > 2 ? text[2] : '\0';
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return 0;
  }

  const UnicodeTable& unicode_;
  CharClass ascii_[128];
};

}  // namespace prwkv
