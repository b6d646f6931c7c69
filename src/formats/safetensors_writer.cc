#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "formats/untrusted.h"
#include "formats/writer.h"

namespace prwkv {
namespace {

constexpr std::size_t kAlignment = 8;  // of the first tensor, as the format recommends

std::string json_text(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Checks the declarations, adds up their bytes and puts the header together.
std::string build_header(const std::string& path, const std::vector<TensorSpec>& tensors,
                         const std::map<std::string, std::string>& metadata, std::uint64_t& total) {
  std::string header = "{";
  const auto begin_entry = [&header](const std::string& name) {
    header += header.size() > 1 ? "," : "";
    header += json_text(name) + ":";
  };
  if (!metadata.empty()) {
    begin_entry("__metadata__");
    std::string_view separator = "{";
    for (const auto& [key, value] : metadata) {
      header.append(separator).append(json_text(key)).append(":").append(json_text(value));
      separator = ",";
    }
    header += "}";
  }
  std::set<std::string_view> names{"__metadata__"};
  std::int64_t end = 0;
  for (const TensorSpec& t : tensors) {
    t.check(path);
    if (!names.insert(t.name).second)
      fail(Code::kInvalidArgument, "{}: tensor name '{}' is taken", path, t.name);
    const std::int64_t begin = end;
    if (!checked_add(begin, static_cast<std::int64_t>(t.byte_count()), end))
      fail(Code::kInvalidArgument, "{}: the tensors are larger than any file can be", path);
    begin_entry(t.name);
    header += fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                          info(t.dtype).label, Json(t.shape).dump(), begin, end);
  }
  header += "}";
  // The length in front of the header has 8 bytes itself.
  header.resize((header.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  if (header.size() > kMaxHeaderBytes || tensors.size() > kMaxTensors)
    fail(Code::kInvalidArgument, "{}: too many tensors or too much metadata", path);
  total = static_cast<std::uint64_t>(end);
  return header;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::string path, std::vector<TensorSpec> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : path_(std::move(path)), tensors_(std::move(tensors)), file_(path_) {
  const std::string header = build_header(path_, tensors_, metadata, declared_);
  const std::uint64_t length = header.size();
  file_.write(std::as_bytes(std::span(&length, 1)));
  file_.write(header);
}

void SafetensorsWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() > declared_ - written_) {
    throw Error(Code::kInvalidArgument, path_ + ": more bytes than the declared tensors have",
                {.expected = fmt::format("{} bytes", declared_),
                 .found = fmt::format("{} bytes", written_ + bytes.size())});
  }
  file_.write(bytes);
  written_ += bytes.size();
}

void SafetensorsWriter::finish() {
  if (written_ != declared_) {
    std::uint64_t end = 0;
    const auto unfinished =
        std::find_if(tensors_.begin(), tensors_.end(),
                     [&](const TensorSpec& t) { return (end += t.byte_count()) > written_; });
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: tensor '{}' was not written to its end", path_, unfinished->name),
                {.expected = fmt::format("{} bytes of all tensors", declared_),
                 .found = fmt::format("{} bytes", written_)});
  }
  file_.commit();
}

}  // namespace prwkv
