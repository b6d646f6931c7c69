#include "formats/reader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/pth.h"
#include "formats/rwkvcpp_bin.h"
#include "formats/safetensors.h"
#include "formats/sharded.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view magic;
  std::size_t at;                               ///< where in the file the magic stands
  std::unique_ptr<Reader> (*open)(MappedFile);  ///< nullptr: known, but refused, because
  std::string_view is{}, hint{};                ///< it is this, and the user can do that
  /// Of a file whose path the user gave; what an index names is never an index.
  std::unique_ptr<Reader> (*open_index)(const MappedFile&) = nullptr;
};

constexpr const char* kReadable = "safetensors, GGUF, a PyTorch .pth (zip) or an rwkv.cpp .bin";

// What is left to do where a reader has no better hint: a format is refused for what only damage or
// a faulty program puts there.
constexpr std::string_view kDamaged =
    "the file is damaged, or was written wrongly: fetch it again, or make it anew";

constexpr std::string_view kNotAModel =
    "a web page or an error message was saved in place of the model: download it again";

// The first row that fits wins. Safetensors begins with a length of 64 bits, which may look like any
// magic of up to three bytes, so those come after it. No text is taken for one: a header has less
// than 2⁴⁸ bytes, a text no NUL.
constexpr Format kFormats[] = {
    {"PK\3\4"sv, 0, &open_pth},
    {"fmgg"sv, 0, &open_rwkvcpp_bin},
    {"GGUF"sv, 0, &open_gguf},
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
    {"\0\0{"sv, 6, &open_safetensors},
    {"PK\5\6"sv, 0, nullptr, "an empty zip archive", "fetch the file again"},
    {"{"sv, 0, nullptr, "a JSON text, not a weight file",
     "an index of weight files is opened by its own path, and names no other index", &open_sharded},
    {"\x80"sv, 0, nullptr, "a bare Python pickle, not a model",
     "pickles can hold anything; torch.save a state dict instead"},
    {"\x1f\x8b"sv, 0, nullptr, "a gzip archive", "unpack it first"},
    {"{"sv, 8, &open_safetensors},  // with a damaged length, which its reader refuses
};

template <class F>
std::unique_ptr<Reader> with_hints(const F& open) {
  try {
    auto reader = open();
    if (!reader->tensors().empty()) return reader;
    throw Error(Code::kFormat, reader->path() + ": holds no tensors",
                {.expected = "the weights of a model",
                 .found = fmt::format("{}, {} bytes", reader->format(), reader->file_bytes()),
                 .hint = "a vocabulary alone, or an empty file? Fetch the model itself"});
  } catch (const Error& e) {
    if (e.code() == Code::kFormat) throw e.or_hint(kDamaged);
    throw;
  }
}

/// The row for a file that begins with `text`; nullptr if none fits.
const Format* format_of(std::string_view text) {
  const auto* const format =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) {
        return text.size() > f.at && text.substr(f.at).starts_with(f.magic);
      });
  return format == std::end(kFormats) ? nullptr : format;
}

std::string beginning_of(std::string_view text) {
  return "it begins with " + in_quotes(text.substr(0, 16));
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
  if (const std::string flaw = name_flaw(name, kMaxNameBytes); !flaw.empty()) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor name {} is not usable", file, in_quotes(name)),
                {.expected = fmt::format("1 to {} printable ASCII characters", kMaxNameBytes),
                 .found = flaw});
  }
  if (shape.size() > kMaxStoredRank) {
    throw Error(Code::kFormat, fmt::format("{}: tensor '{}' has too many dimensions", file, name),
                {.expected = fmt::format("at most {}", kMaxStoredRank),
                 .found = std::to_string(shape.size())});
  }
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t size) { return size < 0; })) {
    throw Error(Code::kFormat, fmt::format("{}: tensor '{}' has a negative size", file, name),
                {.expected = "sizes of 0 or more", .found = shape_str()});
  }
  const DTypeInfo& type = info(dtype);
  if (is_block(dtype) && (shape.empty() || !fits(dtype, shape.back()))) {
    throw Error(
        Code::kFormat,
        fmt::format("{}: tensor '{}' has rows that are no whole number of blocks", file, name),
        {.expected = fmt::format("a multiple of {} for {}", type.block_size, type.name),
         .found = shape_str()});
  }
  // Zero sizes are left out of the product, so that no other size can hide behind one.
  auto bytes = static_cast<std::int64_t>(type.block_bytes);
  for (const std::int64_t size : shape) {
    if (!checked_multiply(bytes, std::max<std::int64_t>(size, 1), bytes)) {
      throw Error(Code::kFormat,
                  fmt::format("{}: tensor '{}' is larger than any file can be", file, name),
                  {.expected = "less than 2^63 bytes", .found = shape_str()});
    }
  }
}

const StoredTensor* Reader::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const FileValue* Reader::value(std::string_view key) const {
  const auto found = std::find_if(values_.begin(), values_.end(),
                                  [&](const NamedValue& v) { return v.key == key; });
  return found == values_.end() ? nullptr : &found->value;
}

std::uint64_t Reader::file_bytes() const {
  std::uint64_t bytes = 0;
  for (const MappedFile* file : files_) bytes += file->bytes().size();
  return bytes;
}

// A file leaves alone what is no part of it.
void Reader::will_need(std::span<const std::byte> part) const noexcept {
  for (const MappedFile* file : files_) file->will_need(part);
}
void Reader::read(std::span<const std::byte> part, std::span<std::byte> to) const {
  for (const MappedFile* file : files_) {
    if (file->read(part, to)) return;
  }
  std::copy(part.begin(), part.end(), to.begin());  // the reader's own bytes
}
void Reader::done_with(std::span<const std::byte> part) const noexcept {
  for (const MappedFile* file : files_) file->done_with(part);
}

void Reader::add(StoredTensor tensor) {
  tensor.check(path());
  if (tensors_.size() == kMaxTensors) too_many(path(), "tensors", kMaxTensors, tensor.name);
  if (tensor.bytes.size() != tensor.byte_count()) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor '{}' has the wrong number of bytes", path(), tensor.name),
                {.expected = fmt::format("{} for {} {}", tensor.byte_count(), name_of(tensor.dtype),
                                         tensor.shape_str()),
                 .found = std::to_string(tensor.bytes.size())});
  }
  if (const auto [twin, is_new] = index_.emplace(tensor.name, tensors_.size()); !is_new) {
    throw Error(Code::kFormat, fmt::format("{}: tensor '{}' appears twice", path(), tensor.name),
                {.expected = "each name once",
                 .found = fmt::format("it is the name of tensors {} and {}", twin->second + 1,
                                      tensors_.size() + 1)});
  }
  tensors_.push_back(std::move(tensor));
}

void Reader::add_placed(std::vector<PlacedTensor> tensors, std::span<const std::byte> data,
                        std::uint64_t alignment) {
  const auto aligned = [&](std::uint64_t n) { return (n + alignment - 1) & ~(alignment - 1); };
  std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t end = 0;
  for (const PlacedTensor& t : tensors) {
    if (t.begin != aligned(end) || t.end < t.begin) {
      throw Error(Code::kFormat,
                  fmt::format("{}: tensor {} does not lie where the one before it ends", path(),
                              in_quotes(t.name)),
                  {.expected = fmt::format("that it begins at {}", aligned(end)),
                   .found = fmt::format("bytes {} to {}", t.begin, t.end),
                   .hint = "the file has holes or overlapping tensors: it is damaged"});
    }
    end = t.end;
  }
  if (const bool is_cut = data.size() < end; is_cut || data.size() > aligned(end)) {
    throw Error(
        Code::kFormat,
        fmt::format("{}: {}", path(), is_cut ? "is incomplete" : "goes on after the last tensor"),
        {.expected = fmt::format("{} bytes of tensors", end),
         .found = fmt::format("{} bytes", data.size()),
         .hint = is_cut
                     ? "an interrupted download? Fetch it again"
                     : "something was appended, or the header is another file's: fetch it again"});
  }
  for (PlacedTensor& t : tensors) {
    const auto bytes =
        data.subspan(static_cast<std::size_t>(t.begin), static_cast<std::size_t>(t.end - t.begin));
    add({static_cast<TensorSpec&&>(t), bytes});
  }
}

void Reader::add_shard(std::unique_ptr<Reader> shard) {
  for (const StoredTensor& t : shard->tensors()) add(t);
  files_.insert(files_.end(), shard->files().begin(), shard->files().end());
  metadata_.insert(shard->metadata().begin(), shard->metadata().end());
  shards_.push_back(std::move(shard));
}

std::unique_ptr<Reader> open_weights(const std::string& path) {
  std::error_code ignored;
  MappedFile file(std::filesystem::is_directory(path, ignored) ? weight_file_in(path) : path);
  if (const Format* const f = format_of(file.text()); f != nullptr && f->open_index != nullptr)
    return with_hints([&] { return f->open_index(file); });
  return open_weights(std::move(file));
}

std::unique_ptr<Reader> open_weights(MappedFile file) {
  const std::string_view text = file.text();
  if (text.empty()) {
    throw Error(Code::kFormat, file.path() + ": is empty",
                {.expected = kReadable,
                 .found = "0 bytes",
                 .hint = "an interrupted download? Fetch it again"});
  }
  const Format* const format = format_of(text);
  if (format == nullptr) {
    throw Error(Code::kFormat, file.path() + ": is no weight file of a known format",
                {.expected = kReadable,
                 .found = beginning_of(text),
                 .hint = "is this the model file, and is it complete?"});
  }
  if (format->open != nullptr) return with_hints([&] { return format->open(std::move(file)); });
  throw Error(
      Code::kUnsupported, fmt::format("{}: is {}", file.path(), format->is),
      {.expected = kReadable, .found = beginning_of(text), .hint = std::string(format->hint)});
}

}  // namespace prwkv
