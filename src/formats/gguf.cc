#include "formats/gguf.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
#include <map>
#include <optional>

#include "base/error.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

struct TensorType {
  std::uint32_t number;  ///< ggml's
  std::string_view name;
  std::optional<DType> dtype{};  ///< empty: known, but nothing here computes with it
};
constexpr TensorType kTensorTypes[] = {
    {0, "F32", DType::kF32},
    {1, "F16", DType::kF16},
    {2, "Q4_0", DType::kQ4_0},
    {3, "Q4_1", DType::kQ4_1},
    {4, "Q4_2"},
    {5, "Q4_3"},
    {6, "Q5_0", DType::kQ5_0},
    {7, "Q5_1", DType::kQ5_1},
    {8, "Q8_0", DType::kQ8_0},
    {9, "Q8_1"},
    {10, "Q2_K", DType::kQ2_K},
    {11, "Q3_K", DType::kQ3_K},
    {12, "Q4_K", DType::kQ4_K},
    {13, "Q5_K", DType::kQ5_K},
    {14, "Q6_K", DType::kQ6_K},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {20, "IQ4_NL", DType::kIQ4_NL},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS", DType::kIQ4_XS},
    {24, "I8", DType::kI8},
    {25, "I16", DType::kI16},
    {26, "I32", DType::kI32},
    {27, "I64", DType::kI64},
    {28, "F64", DType::kF64},
    {29, "IQ1_M"},
    {30, "BF16", DType::kBF16},
    {31, "Q4_0_4_4"},
    {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {36, "IQ4_NL_4_4"},
    {37, "IQ4_NL_4_8"},
    {38, "IQ4_NL_8_8"},
    {39, "MXFP4"},
};
constexpr std::uint32_t kOldestGguf = 2, kNewestGguf = 3, kMaxGgufDimensions = 4;
constexpr std::uint64_t kDefaultAlignment = 32;

class Gguf final : public Reader {
 public:
  explicit Gguf(MappedFile mapped) : Reader(std::move(mapped)) {
    ByteCursor in(file().bytes(), path(), "the header");
    in.take(4);  // the magic, by which this reader was chosen
    check_version(in.read<std::uint32_t>());
    const std::uint64_t tensors = read_count(in, "tensors", kMaxTensors);
    const std::uint64_t keys = read_count(in, "metadata entries", kMaxMetadata);
    for (std::uint64_t i = 0; i < keys; ++i) read_value(in);
    refuse_part_of_a_split();
    const std::uint64_t alignment = read_alignment();
    std::vector<PlacedTensor> placed;
    for (std::uint64_t i = 0; i < tensors; ++i) placed.push_back(read_tensor(in, i));
    check_header_size(in);
    in.take(std::min<std::uint64_t>(in.left(), -in.position() & (alignment - 1)));
    add_placed(std::move(placed), in.take(in.left()), alignment);
  }
  [[nodiscard]] std::string_view format() const override { return "gguf"; }

 private:
  void check_version(std::uint32_t version) const;
  std::uint64_t read_count(ByteCursor& in, std::string_view of_what, std::uint64_t limit) const;
  void read_value(ByteCursor& in);
  void refuse_part_of_a_split() const;
  [[nodiscard]] std::uint64_t read_alignment() const;
  PlacedTensor read_tensor(ByteCursor& in, std::uint64_t index) const;
  [[nodiscard]] DType readable_type(std::uint32_t number, const std::string& name) const;
  void check_header_size(const ByteCursor& in) const;

  std::map<std::string_view, std::size_t> keys_;  ///< and which of the values each one has
};

void Gguf::check_version(std::uint32_t version) const {
  if (version >= kOldestGguf && version <= kNewestGguf) return;
  const std::uint32_t swapped = __builtin_bswap32(version);
  if (swapped >= 1 && swapped <= kNewestGguf) {
    throw Error(Code::kUnsupported, path() + ": is a big-endian GGUF file",
                {.expected = "little-endian numbers",
                 .found = fmt::format("version 0x{:08x}", version),
                 .hint = "convert the original model on a little-endian machine"});
  }
  throw Error(Code::kUnsupported, path() + ": is of an unknown GGUF version",
              {.expected = fmt::format("{} or {}", kOldestGguf, kNewestGguf),
               .found = std::to_string(version),
               .hint = version < kOldestGguf ? "convert the original model with a current program"
                                             : "is the file damaged?"});
}

// Counts are loop bounds only; the limits keep the loops short.
std::uint64_t Gguf::read_count(ByteCursor& in, std::string_view of_what,
                               std::uint64_t limit) const {
  const auto count = in.read<std::uint64_t>();
  if (count > limit) {
    throw Error(Code::kFormat, fmt::format("{}: has too many {}", path(), of_what),
                {.expected = fmt::format("at most {}", limit), .found = std::to_string(count)});
  }
  return count;
}

void Gguf::read_value(ByteCursor& in) {
  const std::string_view key = in.take_text(in.read<std::uint64_t>());
  if (const std::string flaw = name_flaw(key, kMaxNameBytes); !flaw.empty()) {
    throw Error(Code::kFormat,
                fmt::format("{}: metadata key {} is not usable", path(), in_quotes(key)),
                {.expected = fmt::format("1 to {} printable ASCII characters", kMaxNameBytes),
                 .found = flaw});
  }
  if (const auto [twin, is_new] = keys_.emplace(key, values_.size()); !is_new) {
    throw Error(Code::kFormat, fmt::format("{}: metadata key '{}' appears twice", path(), key),
                {.expected = "each key once",
                 .found = fmt::format("it is the key of entries {} and {}", twin->second + 1,
                                      values_.size() + 1)});
  }
  const auto type = in.read<std::uint32_t>();
  const FileValue value =
      FileValue::take(in, type, fmt::format("{}: the value of '{}'", path(), key));
  check_header_size(in);
  if (value.type() != ValueType::kArray) metadata_.emplace(key, value.str());
  values_.push_back({key, value});
}

void Gguf::refuse_part_of_a_split() const {
  const FileValue* const parts = value("split.count");
  if (parts == nullptr || parts->integer().value_or(2) <= 1) return;
  throw Error(Code::kUnsupported, path() + ": is one part of a split GGUF",
              {.expected = "a GGUF file that holds the whole model",
               .found = fmt::format("split.count {}", in_quotes(parts->str())),
               .hint = "merge the parts first: llama-gguf-split --merge FIRST_PART OUT.gguf"});
}

std::uint64_t Gguf::read_alignment() const {
  const FileValue* const alignment = value("general.alignment");
  if (alignment == nullptr) return kDefaultAlignment;
  const auto bytes = static_cast<std::uint64_t>(alignment->integer().value_or(0));
  // An u32, as the format has it, cannot make a sum of offsets wrap.
  if (alignment->type() == ValueType::kU32 && std::has_single_bit(bytes)) return bytes;
  throw Error(
      Code::kFormat, path() + ": general.alignment makes no sense",
      {.expected = "a power of two, as u32",
       .found = fmt::format("{} {}", name_of(alignment->type()), in_quotes(alignment->str()))});
}

PlacedTensor Gguf::read_tensor(ByteCursor& in, std::uint64_t index) const {
  const auto name_length = in.read<std::uint64_t>();
  if (name_length > kMaxNameBytes) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor {} has an impossible name length", path(), index),
                {.expected = fmt::format("at most {}", kMaxNameBytes),
                 .found = std::to_string(name_length)});
  }
  PlacedTensor t;
  t.name = in.take_text(name_length);
  const auto rank = in.read<std::uint32_t>();
  if (rank > kMaxGgufDimensions) {
    throw Error(
        Code::kFormat,
        fmt::format("{}: tensor {} has too many dimensions", path(), in_quotes(t.name)),
        {.expected = fmt::format("at most {}", kMaxGgufDimensions), .found = std::to_string(rank)});
  }
  for (std::uint32_t i = 0; i < rank; ++i) t.shape.push_back(in.read<std::int64_t>());
  std::reverse(t.shape.begin(), t.shape.end());
  t.dtype = readable_type(in.read<std::uint32_t>(), t.name);
  t.check(path());  // now byte_count() cannot overflow
  t.begin = in.read<std::uint64_t>();
  if (__builtin_add_overflow(t.begin, t.byte_count(), &t.end)) {
    throw Error(
        Code::kFormat, fmt::format("{}: tensor '{}' lies beyond any file", path(), t.name),
        {.expected = "that it ends below 2^64", .found = fmt::format("offset {}", t.begin)});
  }
  return t;
}

DType Gguf::readable_type(std::uint32_t number, const std::string& name) const {
  const auto* const type = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                        [&](const TensorType& t) { return t.number == number; });
  if (type == std::end(kTensorTypes)) {
    throw Error(Code::kUnsupported,
                fmt::format("{}: tensor {} has an unknown type", path(), in_quotes(name)),
                {.expected = fmt::format("0 to {}", std::size(kTensorTypes) - 1),
                 .found = std::to_string(number),
                 .hint = "a damaged file, or one of a later ggml"});
  }
  if (!type->dtype) {
    throw Error(Code::kUnsupported,
                fmt::format("{}: tensor {} has an unsupported type", path(), in_quotes(name)),
                {.expected = "F32, F16, BF16, Q4_0 to Q8_0, Q2_K to Q6_K, IQ4_NL or IQ4_XS",
                 .found = std::string(type->name),
                 .hint = "quantize the F16 model to one of these types"});
  }
  return *type->dtype;
}

void Gguf::check_header_size(const ByteCursor& in) const {
  if (in.position() <= kMaxHeaderBytes) return;
  throw Error(Code::kFormat, path() + ": the header is impossibly long",
              {.expected = fmt::format("at most {} bytes", kMaxHeaderBytes),
               .found = fmt::format("more than {}", in.position())});
}

}  // namespace

std::unique_ptr<Reader> open_gguf(MappedFile file) {
  return std::make_unique<Gguf>(std::move(file));
}

std::optional<std::uint32_t> gguf_number(DType dtype) {
  const auto* const found = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes),
                                         [&](const TensorType& t) { return t.dtype == dtype; });
  return found == std::end(kTensorTypes) ? std::nullopt : std::optional(found->number);
}

}  // namespace prwkv
