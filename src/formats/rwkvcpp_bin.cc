#include "formats/rwkvcpp_bin.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

struct DataType {
  std::int32_t number;  ///< rwkv.cpp's own numbering
  std::string_view name;
  std::optional<DType> dtype{};  ///< empty: known, but refused
};
constexpr DataType kDataTypes[] = {
    {0, "FP32", DType::kF32},
    {1, "FP16", DType::kF16},
    {2, "Q4_0", DType::kQ4_0},
    {3, "Q4_1", DType::kQ4_1},
    {4, "Q4_1_O"},
    {5, "Q4_2"},
    {6, "Q4_3"},
    {7, "Q5_0", DType::kQ5_0},
    {8, "Q5_1", DType::kQ5_1},
    {9, "Q8_0", DType::kQ8_0},
    {10, "Q8_1"},
    {11, "Q2_K", DType::kQ2_K},
    {12, "Q3_K", DType::kQ3_K},
    {13, "Q4_K", DType::kQ4_K},
    {14, "Q5_K", DType::kQ5_K},
    {15, "Q6_K", DType::kQ6_K},
    {16, "Q8_K"},
};
constexpr std::int32_t kOldestVersion = 100, kNewestVersion = 101, kMaxDimensions = 3;
constexpr std::int32_t kFirstWithBlocks = 101;  // blocks of older files have other scales

class RwkvCppBin final : public Reader {
 public:
  explicit RwkvCppBin(MappedFile mapped) : Reader(std::move(mapped)) {
    ByteCursor in(file().bytes(), path(), "the header");
    read_header(in);
    ByteCursor records(file().bytes().subspan(in.position()), path(), "the last tensor record");
    while (!records.at_end()) read_record(records);
  }
  [[nodiscard]] std::string_view format() const override { return "rwkv.cpp"; }

 private:
  void read_header(ByteCursor& in);
  void read_record(ByteCursor& in);
  [[nodiscard]] DType readable_type(std::int32_t number, const std::string& where) const;

  std::int32_t version_ = 0;
};

void RwkvCppBin::read_header(ByteCursor& in) {
  in.take(4);  // the magic, by which this reader was chosen
  version_ = in.read<std::int32_t>();
  if (version_ < kOldestVersion || version_ > kNewestVersion) {
    throw Error(Code::kUnsupported, path() + ": is of an unknown file version",
                {.expected = fmt::format("{} or {}", kOldestVersion, kNewestVersion),
                 .found = std::to_string(version_),
                 .hint = "convert the original .pth with a current rwkv.cpp, or use it as it is"});
  }
  metadata_["version"] = std::to_string(version_);
  for (const char* name : {"n_vocab", "n_embed", "n_layer"}) {
    const auto value = in.read<std::int32_t>();
    if (value < 1) {
      throw Error(Code::kFormat, fmt::format("{}: the header's {} is not positive", path(), name),
                  {.expected = "at least 1", .found = std::to_string(value)});
    }
    metadata_[name] = std::to_string(value);
  }
  metadata_["data_type"] = name_of(readable_type(in.read<std::int32_t>(), "the header"));
}

void RwkvCppBin::read_record(ByteCursor& in) {
  const auto rank = in.read<std::int32_t>(), name_length = in.read<std::int32_t>(),
             type = in.read<std::int32_t>();
  if (rank < 1 || rank > kMaxDimensions) {
    throw Error(
        Code::kFormat,
        fmt::format("{}: tensor record {} has an impossible number of dimensions", path(),
                    tensors().size()),
        {.expected = fmt::format("1 to {}", kMaxDimensions), .found = std::to_string(rank)});
  }
  StoredTensor tensor;
  for (int i = 0; i < rank; ++i) tensor.shape.push_back(in.read<std::int32_t>());
  std::reverse(tensor.shape.begin(), tensor.shape.end());
  if (name_length < 0 || static_cast<std::size_t>(name_length) > kMaxNameBytes) {
    throw Error(
        Code::kFormat,
        fmt::format("{}: tensor record {} has an impossible name length", path(), tensors().size()),
        {.expected = fmt::format("at most {}", kMaxNameBytes),
         .found = std::to_string(name_length)});
  }
  tensor.name = in.take_text(static_cast<std::uint64_t>(name_length));
  tensor.dtype = readable_type(type, "tensor " + in_quotes(tensor.name));
  tensor.check(path());
  tensor.bytes = in.take(tensor.byte_count());
  add(std::move(tensor));
}

DType RwkvCppBin::readable_type(std::int32_t number, const std::string& where) const {
  const auto* const type = std::find_if(std::begin(kDataTypes), std::end(kDataTypes),
                                        [&](const DataType& t) { return t.number == number; });
  if (type == std::end(kDataTypes)) {
    throw Error(Code::kFormat, fmt::format("{}: {} has an unknown data type", path(), where),
                {.expected = fmt::format("0 to {}", std::size(kDataTypes) - 1),
                 .found = std::to_string(number)});
  }
  if (!type->dtype) {
    throw Error(Code::kUnsupported,
                fmt::format("{}: {} has an unsupported data type", path(), where),
                {.expected = "FP32, FP16, Q4_0 to Q8_0 or Q2_K to Q6_K",
                 .found = std::string(type->name),
                 .hint = "quantize the FP16 file anew with a current rwkv.cpp"});
  }
  if (is_block(*type->dtype) && version_ < kFirstWithBlocks) {
    throw Error(Code::kUnsupported,
                fmt::format("{}: {} is quantized as {} in the way of before file version {}",
                            path(), where, type->name, kFirstWithBlocks),
                {.expected = fmt::format("file version {}", kFirstWithBlocks),
                 .found = std::to_string(version_),
                 .hint = "quantize the FP16 file anew with a current rwkv.cpp"});
  }
  return *type->dtype;
}

}  // namespace

std::unique_ptr<Reader> open_rwkvcpp_bin(MappedFile file) {
  return std::make_unique<RwkvCppBin>(std::move(file));
}

std::optional<std::int32_t> rwkvcpp_number(DType dtype) {
  const auto* const found = std::find_if(std::begin(kDataTypes), std::end(kDataTypes),
                                         [&](const DataType& t) { return t.dtype == dtype; });
  return found == std::end(kDataTypes) ? std::nullopt : std::optional(found->number);
}

}  // namespace prwkv
