#include "formats/safetensors.h"

#include <algorithm>
#include <limits>

#include "base/json.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

constexpr const char* kHeaderForm = "one JSON object in UTF-8, behind it nothing but spaces";
constexpr const char* kEntry =
    R"("NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]})";
constexpr const char* kMetadataForm = R"("__metadata__": {"KEY": "TEXT", ...})";

// Reads the header as a stream of events. Building the whole JSON tree first would let a hostile
// header take many times its own size of memory, and would lose the order of the tensors.
class HeaderParser final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderParser(const std::string& path) : path_(path) {}

  std::vector<PlacedTensor> tensors;
  std::map<std::string, std::string> metadata;

  bool start_object(std::size_t) override {
    switch (at_) {
      case At::kHeader: at_ = At::kName; return true;
      case At::kTensor: at_ = At::kField; return true;
      case At::kMetadata: at_ = At::kMetadataKey; return true;
      default: unexpected("an object");
    }
  }
  bool key(string_t& key) override {
    if (at_ == At::kMetadataKey) {
      metadata_key_ = key;
      at_ = At::kMetadataValue;
    } else if (at_ == At::kField) {
      start_field(key);
    } else if (key == "__metadata__") {
      if (has_metadata_) {
        throw Error(Code::kFormat, path_ + ": the header has __metadata__ twice",
                    {.expected = "each key once",
                     .found = fmt::format("another one behind {} tensors", tensors.size())});
      }
      has_metadata_ = true;
      at_ = At::kMetadata;
    } else {
      entry_ = {};
      entry_.name = key;
      has_dtype_ = has_shape_ = has_offsets_ = false;
      at_ = At::kTensor;
    }
    return true;
  }
  bool end_object() override {
    if (at_ == At::kField) finish_tensor();
    at_ = at_ == At::kName ? At::kEnd : At::kName;
    return true;
  }
  bool start_array(std::size_t) override {
    switch (at_) {
      case At::kShape: at_ = At::kShapeSize; return true;
      case At::kOffsets: at_ = At::kOffset; return true;
      default: unexpected("a list");
    }
  }
  bool end_array() override {
    if (at_ == At::kOffset && offset_count_ != 2) {
      throw Error(Code::kFormat,
                  fmt::format("{}: header of tensor {}: data_offsets needs two numbers", path_,
                              in_quotes(entry_.name)),
                  {.expected = kEntry, .found = std::to_string(offset_count_)});
    }
    at_ = At::kField;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (at_ == At::kShapeSize) {
      if (entry_.shape.size() == kMaxStoredRank) unexpected("a ninth dimension");
      if (value > std::numeric_limits<std::int64_t>::max()) unexpected("a huge number");
      entry_.shape.push_back(static_cast<std::int64_t>(value));
    } else if (at_ == At::kOffset) {
      if (offset_count_ == 2) unexpected("a third offset");
      (offset_count_++ == 0 ? entry_.begin : entry_.end) = value;
    } else {
      unexpected("a number");
    }
    return true;
  }
  bool string(string_t& value) override {
    if (at_ == At::kMetadataValue) {
      if (metadata.size() == kMaxMetadata)
        too_many(path_, "entries in __metadata__", kMaxMetadata, metadata_key_);
      if (const auto [twin, is_new] = metadata.emplace(metadata_key_, value); !is_new) {
        throw Error(Code::kFormat,
                    fmt::format("{}: the header's __metadata__ has {} twice", path_,
                                in_quotes(metadata_key_)),
                    {.expected = "each key once",
                     .found = fmt::format("{} and {}", in_quotes(twin->second), in_quotes(value))});
      }
      at_ = At::kMetadataKey;
    } else if (at_ == At::kDType) {
      set_dtype(value);
      at_ = At::kField;
    } else {
      unexpected("a text");
    }
    return true;
  }
  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a truth value"); }
  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { unexpected("a fraction"); }
  bool binary(binary_t&) override { unexpected("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    throw Error(Code::kFormat, path_ + ": the header is not valid JSON",
                {.expected = kHeaderForm,
                 .found = fmt::format("an error at byte {} of the header", position)});
  }

 private:
  enum class At {
    kHeader,
    kName,
    kTensor,
    kField,
    kDType,
    kShape,
    kShapeSize,
    kOffsets,
    kOffset,
    kMetadata,
    kMetadataKey,
    kMetadataValue,
    kEnd,
  };

  void start_field(const std::string& field) {
    bool* seen = nullptr;
    if (field == "dtype") seen = &has_dtype_, at_ = At::kDType;
    if (field == "shape") seen = &has_shape_, at_ = At::kShape;
    if (field == "data_offsets") seen = &has_offsets_, at_ = At::kOffsets, offset_count_ = 0;
    if (seen == nullptr || *seen) {
      throw Error(Code::kFormat,
                  fmt::format("{}: header of tensor {}: {} field", path_, in_quotes(entry_.name),
                              seen == nullptr ? "unknown" : "repeated"),
                  {.expected = kEntry, .found = in_quotes(field)});
    }
    *seen = true;
  }

  void set_dtype(const std::string& label) {
    const auto dtype = dtype_from_name(label);
    if (!dtype || is_block(*dtype) || info(*dtype).label != label) {
      throw Error(
          Code::kUnsupported,
          fmt::format("{}: tensor {} has an unsupported type", path_, in_quotes(entry_.name)),
          {.expected = "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL",
           .found = in_quotes(label),
           .hint = "models are stored as BF16, F16 or F32"});
    }
    entry_.dtype = *dtype;
  }

  void finish_tensor() {
    if (!has_dtype_ || !has_shape_ || !has_offsets_) {
      const char* const missing = !has_dtype_ ? "dtype" : (!has_shape_ ? "shape" : "data_offsets");
      throw Error(
          Code::kFormat,
          fmt::format("{}: header of tensor {}: missing field", path_, in_quotes(entry_.name)),
          {.expected = kEntry, .found = fmt::format("no {}", in_quotes(missing))});
    }
    if (tensors.size() == kMaxTensors) too_many(path_, "tensors", kMaxTensors, entry_.name);
    tensors.push_back(std::move(entry_));
  }

  [[noreturn]] void unexpected(const char* what) const {
    const bool in_tensor = at_ >= At::kTensor && at_ <= At::kOffset;
    throw Error(
        Code::kFormat, fmt::format("{}: the header has {} in the wrong place", path_, what),
        {.expected = in_tensor ? kEntry : kMetadataForm,
         .found = in_tensor ? "in the entry of " + in_quotes(entry_.name) : "in __metadata__"});
  }

  const std::string& path_;
  At at_ = At::kHeader;
  PlacedTensor entry_;
  std::string metadata_key_;
  int offset_count_ = 0;
  bool has_metadata_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

class Safetensors final : public Reader {
 public:
  explicit Safetensors(MappedFile mapped) : Reader(std::move(mapped)) {
    ByteCursor in(file().bytes(), path(), "the header");
    const auto length = in.read<std::uint64_t>();
    if (length > kMaxHeaderBytes) {
      throw Error(Code::kFormat, path() + ": the header is impossibly long",
                  {.expected = fmt::format("at most {} bytes", kMaxHeaderBytes),
                   .found = std::to_string(length),
                   .hint = "is this a safetensors file?"});
    }
    const std::string_view text = in.take_text(length);
    // The JSON library takes a NUL for the end of the text; nothing may hide behind it.
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
      throw Error(Code::kFormat, path() + ": the header is not valid JSON",
                  {.expected = kHeaderForm,
                   .found = fmt::format("a NUL at byte {} of the header", nul + 1)});
    }
    HeaderParser header(path());
    Json::sax_parse(text, &header);
    metadata_ = std::move(header.metadata);
    // A valid file has its tensors end to end.
    add_placed(std::move(header.tensors), in.take(in.left()), 1);
  }
  [[nodiscard]] std::string_view format() const override { return "safetensors"; }
};

}  // namespace

std::unique_ptr<Reader> open_safetensors(MappedFile file) {
  return std::make_unique<Safetensors>(std::move(file));
}

}  // namespace prwkv
