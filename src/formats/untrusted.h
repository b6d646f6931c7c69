/// Reading bytes that nobody vouches for. Text found in them goes into messages through in_quotes().
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/quote.h"

namespace prwkv {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian");

/// Reads little-endian values one after the other. Running past the end throws Error{kFormat}:
/// "FILE: PART is cut off". Both names must outlive the cursor.
class ByteCursor {
 public:
  ByteCursor(std::span<const std::byte> bytes, std::string_view file, std::string_view part)
      : bytes_(bytes), file_(file), part_(part) {}

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }
  [[nodiscard]] bool at_end() const { return left() == 0; }

  /// `count` items of `each` bytes.
  std::span<const std::byte> take(std::uint64_t count, std::size_t each = 1) {
    if (count > left() / each) cut_off(count, each);
    const auto part = bytes_.subspan(position_, static_cast<std::size_t>(count) * each);
    position_ += part.size();
    return part;
  }
  std::string_view take_text(std::uint64_t count);
  /// What has been taken since the cursor stood at `begin`.
  [[nodiscard]] std::span<const std::byte> since(std::size_t begin) const {
    return bytes_.subspan(begin, position_ - begin);
  }
  template <std::integral T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

 private:
  [[noreturn]] void cut_off(std::uint64_t count, std::size_t each) const;

  std::span<const std::byte> bytes_;
  std::string_view file_, part_;
  std::size_t position_ = 0;
};

/// The same bytes as characters.
std::string_view as_text(std::span<const std::byte> bytes);

/// What keeps `text` from being a name of 1 to `most` printable ASCII characters, as "found" in a
/// message; "" if nothing does.
std::string name_flaw(std::string_view text, std::size_t most);

/// Throws Error{kFormat}: "FILE: has too many WHAT". `next` is the first that is too many.
[[noreturn]] void too_many(std::string_view file, std::string_view what, std::size_t most,
                           std::string_view next);

/// Sum and product of sizes. False if the result is beyond 2⁶³ - 1.
[[nodiscard]] inline bool checked_add(std::int64_t a, std::int64_t b, std::int64_t& sum) {
  return !__builtin_add_overflow(a, b, &sum);
}
[[nodiscard]] inline bool checked_multiply(std::int64_t a, std::int64_t b, std::int64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

}  // namespace prwkv
