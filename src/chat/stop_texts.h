/// Texts that end an answer, found in a stream whose pieces end anywhere: inside a stop text, too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace prwkv {

/// Holds back what may be the beginning of a stop text, and nothing else.
class StopTexts {
 public:
  /// Empty texts stop nothing.
  explicit StopTexts(std::vector<std::string> stops);

  /// Bytes that go on. Returns those that are certainly no part of a stop text; after a stop text was found, the rest
  /// of what stood before it, then nothing.
  std::string push(std::string_view bytes);
  /// Nothing comes any more: what is still held back and no part of a stop text.
  std::string finish();

  /// The stop text that was found, the one that begins first, of several the longest; empty: none yet.
  [[nodiscard]] const std::string& found() const { return found_; }
  /// Bytes of the stream in front of it, or of all that was let through.
  [[nodiscard]] std::size_t released() const { return released_; }

 private:
  std::string release(bool is_end);

  std::vector<std::string> stops_;
  std::string held_, found_;
  std::size_t released_ = 0;
};

}  // namespace prwkv
