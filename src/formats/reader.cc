#include "formats/reader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "formats/pth.h"
#include "formats/rwkvcpp_bin.h"
#include "formats/safetensors.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view magic;
  std::size_t at;                               ///< where in the file the magic stands
  std::unique_ptr<Reader> (*open)(MappedFile);  ///< nullptr: known, but refused, because
  std::string_view is{}, hint{};                ///< it is this, and the user can do that
};

constexpr std::string_view kNotAModel =
    "a web page or an error message was saved in place of the model: download it again";

// The first row that fits wins. Safetensors begins with a length, which may look like any magic of
// up to three bytes, so those come after it.
constexpr Format kFormats[] = {
    {"PK\3\4"sv, 0, &open_pth},
    {"fmgg"sv, 0, &open_rwkvcpp_bin},
    {"GGUF"sv, 0, nullptr, "a GGUF file",
     "GGUF comes with a later version; use the .pth, .safetensors or rwkv.cpp .bin of this model"},
    {"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv, 0, nullptr,
     "a PyTorch file in the format from before version 1.6",
     "load it with PyTorch and torch.save the state dict again"},
    {"version https://git-lfs.github.com/"sv, 0, nullptr,
     "a Git LFS pointer, not the model that it points to",
     "fetch the model itself: git lfs pull, or download it from the model's page"},
    {"<!DOCTYPE"sv, 0, nullptr, "a web page, not a model", kNotAModel},
    {"<!doctype"sv, 0, nullptr, "a web page, not a model", kNotAModel},
    {"<html"sv, 0, nullptr, "a web page, not a model", kNotAModel},
    {"<?xml"sv, 0, nullptr, "an XML text, not a model", kNotAModel},
    {"{"sv, 8, &open_safetensors},
    {"PK\5\6"sv, 0, nullptr, "an empty zip archive", "fetch the file again"},
    {"{"sv, 0, nullptr, "a JSON text, not a model",
     "give the weight file that stands beside it (.safetensors or .pth)"},
    {"\x80"sv, 0, nullptr, "a bare Python pickle, not a model",
     "pickles can hold anything; torch.save a state dict instead"},
    {"\x1f\x8b"sv, 0, nullptr, "a gzip archive", "unpack it first"},
};

bool fits(const Format& format, std::string_view text) {
  return text.size() > format.at && text.substr(format.at).starts_with(format.magic);
}

// DeepSpeed and Hugging Face users think of the folder as the model.
[[noreturn]] void refuse_folder(const std::string& path) {
  constexpr int kMaxEntries = 1000;
  bool deepspeed = false, safetensors = false;
  std::error_code ignored;
  int seen = 0;
  for (std::filesystem::directory_iterator i(path, ignored), end; i != end && ++seen < kMaxEntries;
       i.increment(ignored)) {
    const std::string name = i->path().filename().string();
    deepspeed = deepspeed || name == "zero_to_fp32.py" || name.starts_with("zero_pp_rank_") ||
                name.starts_with("mp_rank_") || name.starts_with("global_step");
    safetensors = safetensors || name.ends_with(".safetensors");
  }
  if (deepspeed) {
    throw Error(Code::kUnsupported, path + ": is a DeepSpeed checkpoint folder",
                {.expected = "one weight file",
                 .hint = "merge its shards first: python zero_to_fp32.py FOLDER rwkv.pth"});
  }
  throw Error(Code::kFile, path + ": is a folder",
              {.expected = "one weight file",
               .hint = safetensors ? "give the .safetensors file in it"
                                   : "give the file in it that holds the weights"});
}

}  // namespace

std::int64_t TensorSpec::numel() const {
  std::int64_t n = 1;
  for (const std::int64_t size : shape) n *= size;
  return n;
}

std::uint64_t TensorSpec::byte_count() const { return row_bytes(dtype, numel()); }

std::string TensorSpec::shape_str() const { return fmt::format("({})", fmt::join(shape, ", ")); }

void TensorSpec::check(const std::string& file) const {
  if (name.empty()) fail(Code::kFormat, "{}: a tensor has no name", file);
  if (name.size() > kMaxNameBytes || !is_printable_ascii(name)) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor name {} is not usable", file, in_quotes(name)),
                {.expected = fmt::format("at most {} printable ASCII characters", kMaxNameBytes)});
  }
  if (shape.size() > kMaxStoredRank) {
    throw Error(Code::kFormat, fmt::format("{}: tensor '{}' has too many dimensions", file, name),
                {.expected = fmt::format("at most {}", kMaxStoredRank),
                 .found = std::to_string(shape.size())});
  }
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t size) { return size < 0; })) {
    throw Error(Code::kFormat, fmt::format("{}: tensor '{}' has a negative size", file, name),
                {.found = shape_str()});
  }
  // Zero sizes are left out of the product, so that no other size can hide behind one.
  std::int64_t bytes = static_cast<std::int64_t>(info(dtype).block_bytes);
  for (const std::int64_t size : shape) {
    if (!checked_multiply(bytes, std::max<std::int64_t>(size, 1), bytes)) {
      throw Error(Code::kFormat,
                  fmt::format("{}: tensor '{}' is larger than any file can be", file, name),
                  {.found = shape_str()});
    }
  }
}

const StoredTensor* Reader::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

void Reader::add(StoredTensor tensor) {
  tensor.check(path());
  if (tensors_.size() == kMaxTensors)
    fail(Code::kFormat, "{}: more than {} tensors", path(), kMaxTensors);
  if (tensor.bytes.size() != tensor.byte_count()) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor '{}' has the wrong number of bytes", path(), tensor.name),
                {.expected = fmt::format("{} for {} {}", tensor.byte_count(), name_of(tensor.dtype),
                                         tensor.shape_str()),
                 .found = std::to_string(tensor.bytes.size())});
  }
  if (!index_.emplace(tensor.name, tensors_.size()).second)
    fail(Code::kFormat, "{}: tensor '{}' appears twice", path(), tensor.name);
  tensors_.push_back(std::move(tensor));
}

std::unique_ptr<Reader> open_weights(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) refuse_folder(path);
  return open_weights(MappedFile(path));
}

std::unique_ptr<Reader> open_weights(MappedFile file) {
  const std::string_view text = as_text(file.bytes());
  if (text.empty()) {
    throw Error(Code::kFormat, file.path() + ": is empty",
                {.hint = "an interrupted download? Fetch it again"});
  }
  for (const Format& format : kFormats) {
    if (!fits(format, text)) continue;
    if (format.open != nullptr) {
      auto reader = format.open(std::move(file));
      if (reader->tensors().empty())
        fail(Code::kFormat, "{}: holds no tensors", reader->file().path());
      return reader;
    }
    throw Error(Code::kUnsupported, fmt::format("{}: is {}", file.path(), format.is),
                {.hint = std::string(format.hint)});
  }
  throw Error(Code::kFormat, file.path() + ": is no weight file of a known format",
              {.expected = "safetensors, a PyTorch .pth (zip) or an rwkv.cpp .bin",
               .found = "it begins with " + in_quotes(text.substr(0, 16)),
               .hint = "is this the model file, and is it complete?"});
}

}  // namespace prwkv
