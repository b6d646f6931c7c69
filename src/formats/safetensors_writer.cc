#include "base/error.h"
#include "base/json.h"
#include "formats/byte_builder.h"
#include "formats/writer.h"

namespace prwkv {
namespace {

constexpr std::size_t kAlignment = 8;  // of the first tensor, as the format recommends
constexpr std::string_view kMetadata = "__metadata__";

std::string json_text(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string build_header(const std::vector<TensorSpec>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  const auto begin_entry = [&header](std::string_view name) {
    header += header.size() > 1 ? "," : "";
    header += json_text(name) + ":";
  };
  if (!metadata.empty()) {
    begin_entry(kMetadata);
    std::string_view separator = "{";
    for (const auto& [key, value] : metadata) {
      header.append(separator).append(json_text(key)).append(":").append(json_text(value));
      separator = ",";
    }
    header += "}";
  }
  std::uint64_t end = 0;
  for (const TensorSpec& t : tensors) {
    const std::uint64_t begin = end;
    end += t.byte_count();
    begin_entry(t.name);
    header += fmt::format(R"({{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})",
                          info(t.dtype).label, Json(t.shape).dump(), begin, end);
  }
  header += "}";
  // The length in front of the header has 8 bytes itself.
  header.append(padding_to(kAlignment, header.size()), ' ');
  return header;
}

}  // namespace

std::string safetensors_header(const std::vector<TensorSpec>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  const std::string header = build_header(tensors, metadata);
  return ByteBuilder().put<std::uint64_t>(header.size()).bytes() + header;
}

SafetensorsWriter::SafetensorsWriter(std::string path, std::vector<TensorSpec> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : Writer(std::move(path), std::move(tensors)) {
  expect_types(&stores, "safetensors");
  for (const TensorSpec& t : Writer::tensors()) {
    if (t.name == kMetadata)
      fail(Code::kInvalidArgument, "{}: tensor name '{}' is taken", Writer::path(), t.name);
  }
  const std::string header = safetensors_header(Writer::tensors(), metadata);
  if (header.size() > kMaxHeaderBytes + sizeof(std::uint64_t))
    fail(Code::kInvalidArgument, "{}: too many tensors or too much metadata", Writer::path());
  put(header);
}

}  // namespace prwkv
