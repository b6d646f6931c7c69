#include <array>

#include "base/error.h"
#include "formats/byte_builder.h"
#include "formats/gguf.h"
#include "formats/writer.h"

namespace prwkv {
namespace {

constexpr std::uint32_t kVersion = 3;

/// Writes metadata as `u32 type` and the value.
class ValueBuilder {
 public:
  explicit ValueBuilder(ByteBuilder& out) : out_(out) {}

  void entry(const GgufEntry& e) {
    text(e.key);
    std::visit([this](const auto& value) { typed(value); }, e.value);
  }
  void text(std::string_view text) { out_.put<std::uint64_t>(text.size()).text(text); }

 private:
  static constexpr ValueType type_of(bool) { return ValueType::kBool; }
  static constexpr ValueType type_of(std::uint32_t) { return ValueType::kU32; }
  static constexpr ValueType type_of(std::int32_t) { return ValueType::kI32; }
  static constexpr ValueType type_of(float) { return ValueType::kF32; }
  static ValueType type_of(const std::string&) { return ValueType::kText; }

  void type(ValueType type) { out_.put<std::uint32_t>(static_cast<std::uint32_t>(type)); }
  template <class T>
  void value(const T& value) {
    if constexpr (std::is_same_v<T, std::string>)
      text(value);
    else
      out_.put<T>(value);
  }
  template <class T>
  void typed(const T& single) {
    type(type_of(single));
    value(single);
  }
  void typed(const GgufRaw& raw) {
    type(raw.type);
    out_.text(raw.bytes);
  }
  template <class T>
  void typed(const std::vector<T>& list) {
    type(ValueType::kArray);
    type(type_of(T{}));
    out_.put<std::uint64_t>(list.size());
    for (const T& item : list) value(item);
  }

  ByteBuilder& out_;
};

}  // namespace

bool GgufWriter::stores(DType dtype) { return gguf_number(dtype).has_value(); }

GgufWriter::GgufWriter(std::string path, std::vector<TensorSpec> tensors,
                       const std::vector<GgufEntry>& metadata)
    : Writer(std::move(path), std::move(tensors)) {
  expect_types(&stores, "GGUF");
  ByteBuilder header;
  ValueBuilder values(header);
  header.text("GGUF").put<std::uint32_t>(kVersion);
  header.put<std::uint64_t>(Writer::tensors().size()).put<std::uint64_t>(metadata.size());
  for (const GgufEntry& e : metadata) values.entry(e);
  std::uint64_t offset = 0;
  for (const TensorSpec& t : Writer::tensors()) {
    if (t.shape.size() > kMaxRank || t.name.size() > kMaxNameBytes) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("{}: tensor '{}' cannot be stored", Writer::path(), t.name),
                  {.expected = fmt::format("at most {} dimensions and a name of {} bytes", kMaxRank,
                                           kMaxNameBytes),
                   .found = t.shape_str()});
    }
    values.text(t.name);
    std::vector<std::int64_t> sizes = t.shape;
    if (sizes.empty()) sizes.push_back(1);
    header.put<std::uint32_t>(static_cast<std::uint32_t>(sizes.size()));
    for (std::size_t i = sizes.size(); i-- > 0;)  // fastest first
      header.put<std::uint64_t>(static_cast<std::uint64_t>(sizes[i]));
    header.put<std::uint32_t>(*gguf_number(t.dtype)).put<std::uint64_t>(offset);
    offset += t.byte_count() + padding_to(kAlignment, t.byte_count());
  }
  put(header.fill(padding_to(kAlignment, header.size()), '\0').bytes());
}

void GgufWriter::end_tensor(const TensorSpec&) {
  constexpr std::array<char, kAlignment> kZeros{};
  put(std::string_view(kZeros.data(), padding_to(kAlignment, position())));
}

}  // namespace prwkv
