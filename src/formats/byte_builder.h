/// Headers and records in the making: little-endian values one after the other.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace prwkv {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian");

class ByteBuilder {
 public:
  /// The type is always named, because it is the width in the file: put<std::uint16_t>(n).
  template <class T>
  requires std::is_arithmetic_v<T> ByteBuilder& put(std::type_identity_t<T> value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof value);
    return *this;
  }
  ByteBuilder& text(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  ByteBuilder& fill(std::size_t count, char value) {
    bytes_.append(count, value);
    return *this;
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// How many bytes after `position` the next multiple of `alignment` begins.
inline std::size_t padding_to(std::size_t alignment, std::uint64_t position) {
  return static_cast<std::size_t>((alignment - position % alignment) % alignment);
}

}  // namespace prwkv
