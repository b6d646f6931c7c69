#include "formats/file_value.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

struct TypeInfo {
  std::string_view name;
  std::size_t bytes;  ///< 0: as many as it says
};
// In the order of ValueType.
constexpr TypeInfo kTypes[] = {
    {"u8", 1},   {"i8", 1},   {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"text", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};
constexpr std::size_t kArrayHeaderBytes = sizeof(std::uint32_t) + sizeof(std::uint64_t);

const TypeInfo& info(ValueType type) { return kTypes[static_cast<std::size_t>(type)]; }

ValueType known_type(std::uint32_t number, std::string_view where) {
  if (number < std::size(kTypes)) return static_cast<ValueType>(number);
  throw Error(
      Code::kFormat, fmt::format("{} is of an unknown type", where),
      {.expected = fmt::format("0 to {}", std::size(kTypes) - 1), .found = std::to_string(number)});
}

void check_truth_values(std::span<const std::byte> bytes, std::string_view where) {
  const auto odd =
      std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; });
  if (odd == bytes.end()) return;
  throw Error(Code::kFormat, fmt::format("{} is neither true nor false", where),
              {.expected = "0 or 1", .found = std::to_string(std::to_integer<int>(*odd))});
}

// f(the number that a value is); a truth value is given as it is stored, 0 or 1.
template <class F>
auto visit_number(ValueType type, std::span<const std::byte> bytes, const F& f) {
  const auto as = [&]<class T>(T value) {
    std::memcpy(&value, bytes.data(), sizeof value);
    return f(value);
  };
  switch (type) {
    case ValueType::kBool:
    case ValueType::kU8: return as(std::uint8_t{});
    case ValueType::kI8: return as(std::int8_t{});
    case ValueType::kU16: return as(std::uint16_t{});
    case ValueType::kI16: return as(std::int16_t{});
    case ValueType::kU32: return as(std::uint32_t{});
    case ValueType::kI32: return as(std::int32_t{});
    case ValueType::kU64: return as(std::uint64_t{});
    case ValueType::kI64: return as(std::int64_t{});
    case ValueType::kF32: return as(float{});
    case ValueType::kF64: return as(double{});
    case ValueType::kText:
    case ValueType::kArray: break;
  }
  return decltype(f(0)){};
}

}  // namespace

std::string_view name_of(ValueType type) { return info(type).name; }

FileValue FileValue::take(ByteCursor& in, std::uint32_t type, std::string_view where) {
  return take(in, type, where, 0);
}

FileValue FileValue::take(ByteCursor& in, std::uint32_t number, std::string_view where, int depth) {
  const ValueType type = known_type(number, where);
  const std::size_t begin = in.position();
  if (type == ValueType::kArray)
    take_array(in, where, depth);
  else if (type == ValueType::kText)
    in.take(in.read<std::uint64_t>());
  else
    in.take(info(type).bytes);
  const FileValue value(type, in.since(begin));
  if (type == ValueType::kBool) check_truth_values(value.bytes_, where);
  return value;
}

void FileValue::take_array(ByteCursor& in, std::string_view where, int depth) {
  if (depth == kMaxValueNesting) {
    throw Error(Code::kFormat, fmt::format("{} is nested too deeply", where),
                {.expected = fmt::format("at most {} arrays in one another", kMaxValueNesting),
                 .found = fmt::format("at least {}", depth + 1)});
  }
  const auto item_type = in.read<std::uint32_t>();
  const auto count = in.read<std::uint64_t>();
  const ValueType item = known_type(item_type, where);
  if (const std::size_t each = info(item).bytes; each > 0) {
    const auto items = in.take(count, each);
    if (item == ValueType::kBool) check_truth_values(items, where);
    return;
  }
  // The count is a loop bound only: every item takes bytes, and the file ends.
  for (std::uint64_t i = 0; i < count; ++i) take(in, item_type, where, depth + 1);
}

std::optional<std::int64_t> FileValue::integer() const {
  return visit_number(type_, bytes_, [](auto x) -> std::optional<std::int64_t> {
    if constexpr (std::is_integral_v<decltype(x)>) {
      if (std::in_range<std::int64_t>(x)) return static_cast<std::int64_t>(x);
    }
    return std::nullopt;
  });
}

std::optional<double> FileValue::number() const {
  if (type_ == ValueType::kBool) return std::nullopt;
  return visit_number(type_, bytes_,
                      [](auto x) { return std::optional<double>(static_cast<double>(x)); });
}

std::optional<std::string_view> FileValue::text() const {
  if (type_ != ValueType::kText) return std::nullopt;
  return as_text(bytes_.subspan(sizeof(std::uint64_t)));
}

std::string FileValue::str() const {
  if (type_ == ValueType::kText) return std::string(*text());
  if (type_ == ValueType::kBool) return *integer() != 0 ? "true" : "false";
  if (type_ == ValueType::kArray) return fmt::format("[{} of {}]", count(), name_of(item_type()));
  return visit_number(type_, bytes_, [](auto x) { return fmt::format("{}", x); });
}

std::uint64_t FileValue::count() const {
  if (type_ != ValueType::kArray) return 0;
  std::uint64_t count = 0;
  std::memcpy(&count, bytes_.data() + sizeof(std::uint32_t), sizeof count);
  return count;
}

ValueType FileValue::item_type() const {
  if (type_ != ValueType::kArray) return type_;
  std::uint32_t number = 0;
  std::memcpy(&number, bytes_.data(), sizeof number);
  return static_cast<ValueType>(number);
}

void FileValue::for_each_item(const std::function<void(const FileValue&)>& f) const {
  if (type_ != ValueType::kArray) return;
  ByteCursor in(bytes_.subspan(kArrayHeaderBytes), "an array", "a value");
  const auto item = static_cast<std::uint32_t>(item_type());
  while (!in.at_end()) f(take(in, item, "an array"));
}

template <class T>
std::optional<std::vector<T>> FileValue::all(std::optional<T> (FileValue::*get)() const) const {
  if (type_ != ValueType::kArray) return std::nullopt;
  std::vector<T> items;
  items.reserve(count());  // each of them has been seen
  for_each_item([&](const FileValue& item) {
    if (const auto value = (item.*get)()) items.push_back(*value);
  });
  if (items.size() != count()) return std::nullopt;
  return items;
}

std::optional<std::vector<std::string_view>> FileValue::texts() const {
  return all(&FileValue::text);
}
std::optional<std::vector<std::int64_t>> FileValue::integers() const {
  return all(&FileValue::integer);
}
std::optional<std::vector<double>> FileValue::numbers() const { return all(&FileValue::number); }

}  // namespace prwkv
