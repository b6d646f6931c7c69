/// What a file says about itself, with types: numbers, texts and arrays as GGUF stores them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prwkv {

class ByteCursor;

/// GGUF's types with GGUF's numbers.
enum class ValueType : std::uint8_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kText = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

/// "u32", "text"
std::string_view name_of(ValueType type);

/// Arrays may hold arrays; deeper than this they are refused.
inline constexpr int kMaxValueNesting = 4;

/// A view of one value where it lies in the file: nothing is copied until it is asked for, and no
/// answer takes more than eight times the bytes that the file spends on it.
class FileValue {
 public:
  /// Takes the value at the cursor after checking it and everything in it. `where` begins the messages.
  /// Throws Error{kFormat}.
  static FileValue take(ByteCursor& in, std::uint32_t type, std::string_view where);

  [[nodiscard]] ValueType type() const { return type_; }
  /// As in the file, behind the type: what a writer has to copy.
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  /// A whole number or a truth value; empty for all others, and from 2⁶³ on.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  /// Any number; empty for texts, truth values and arrays.
  [[nodiscard]] std::optional<double> number() const;
  [[nodiscard]] std::optional<std::string_view> text() const;
  /// "64", "0.5", "true", a text as it is, "3 arrays", "65536 of text".
  [[nodiscard]] std::string str() const;

  /// How many items an array has; 0 for all others.
  [[nodiscard]] std::uint64_t count() const;
  /// Of an array; the value's own type for all others.
  [[nodiscard]] ValueType item_type() const;
  /// Calls `f` with each item of an array; for all others not at all.
  void for_each_item(const std::function<void(const FileValue&)>& f) const;
  /// The items of an array whose items are all texts, all whole numbers or truth values, all numbers;
  /// empty for all others.
  [[nodiscard]] std::optional<std::vector<std::string_view>> texts() const;
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers() const;
  [[nodiscard]] std::optional<std::vector<double>> numbers() const;

 private:
  FileValue(ValueType type, std::span<const std::byte> bytes) : type_(type), bytes_(bytes) {}
  static FileValue take(ByteCursor& in, std::uint32_t type, std::string_view where, int depth);
  static void take_array(ByteCursor& in, std::string_view where, int depth);

  template <class T>
  [[nodiscard]] std::optional<std::vector<T>> all(std::optional<T> (FileValue::*get)() const) const;

  ValueType type_;
  std::span<const std::byte> bytes_;
};

struct NamedValue {
  std::string_view key;  ///< printable ASCII, in the file like the value
  FileValue value;
};

}  // namespace prwkv
