#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "formats/byte_builder.h"
#include "formats/writer.h"

namespace prwkv {
namespace {

constexpr std::uint32_t kVersion = 3;

enum class GgufType : std::uint32_t {
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
};

struct TensorType {
  DType dtype;
  std::uint32_t number;  ///< ggml's
};
constexpr TensorType kTensorTypes[] = {
    {DType::kF32, 0},     {DType::kF16, 1},     {DType::kQ4_0, 2},  {DType::kQ4_1, 3},
    {DType::kQ5_0, 6},    {DType::kQ5_1, 7},    {DType::kQ8_0, 8},  {DType::kQ2_K, 10},
    {DType::kQ3_K, 11},   {DType::kQ4_K, 12},   {DType::kQ5_K, 13}, {DType::kQ6_K, 14},
    {DType::kIQ4_NL, 20}, {DType::kIQ4_XS, 23}, {DType::kI8, 24},   {DType::kI16, 25},
    {DType::kI32, 26},    {DType::kI64, 27},    {DType::kF64, 28},  {DType::kBF16, 30},
};

std::optional<std::uint32_t> gguf_number(DType dtype) {
  const auto* const found = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                         [&](const TensorType& t) { return t.dtype == dtype; });
  return found == std::end(kTensorTypes) ? std::nullopt : std::optional(found->number);
}

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
  static constexpr GgufType type_of(bool) { return GgufType::kBool; }
  static constexpr GgufType type_of(std::uint32_t) { return GgufType::kU32; }
  static constexpr GgufType type_of(std::int32_t) { return GgufType::kI32; }
  static constexpr GgufType type_of(float) { return GgufType::kF32; }
  static GgufType type_of(const std::string&) { return GgufType::kString; }

  void type(GgufType type) { out_.put<std::uint32_t>(static_cast<std::uint32_t>(type)); }
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
  template <class T>
  void typed(const std::vector<T>& list) {
    type(GgufType::kArray);
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
