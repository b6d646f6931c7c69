#include <limits>

#include "base/error.h"
#include "formats/byte_builder.h"
#include "formats/rwkvcpp_bin.h"
#include "formats/writer.h"

namespace prwkv {
namespace {

constexpr std::int32_t kPlainVersion = 100, kBlockVersion = 101;

std::int32_t expect_i32(const std::string& path, std::string_view what, std::int64_t n) {
  if (n < 1 || n > std::numeric_limits<std::int32_t>::max())
    fail(Code::kInvalidArgument, "{}: {} is {}, which an rwkv.cpp file cannot state", path, what,
         n);
  return static_cast<std::int32_t>(n);
}

}  // namespace

bool RwkvCppWriter::stores(DType dtype) { return rwkvcpp_number(dtype).has_value(); }

RwkvCppWriter::RwkvCppWriter(std::string path, std::vector<TensorSpec> tensors,
                             const Header& header)
    : Writer(std::move(path), std::move(tensors)) {
  expect_types(&stores, "rwkv.cpp");
  bool blocks = is_block(header.dtype);
  for (const TensorSpec& t : Writer::tensors()) {
    blocks = blocks || is_block(t.dtype);
    for (const std::int64_t size : t.shape)
      expect_i32(Writer::path(), fmt::format("a size of tensor '{}'", t.name), size);
    if (!t.shape.empty() && t.shape.size() <= kMaxRank) continue;
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: tensor '{}' cannot be stored", Writer::path(), t.name),
                {.expected = fmt::format("1 to {} dimensions", kMaxRank), .found = t.shape_str()});
  }
  put(ByteBuilder()
          .text("fmgg")
          .put<std::int32_t>(blocks ? kBlockVersion : kPlainVersion)
          .put<std::int32_t>(expect_i32(Writer::path(), "n_vocab", header.n_vocab))
          .put<std::int32_t>(expect_i32(Writer::path(), "n_embed", header.n_embed))
          .put<std::int32_t>(expect_i32(Writer::path(), "n_layer", header.n_layer))
          .put<std::int32_t>(rwkvcpp_number(header.dtype).value())
          .bytes());
}

void RwkvCppWriter::begin_tensor(const TensorSpec& t) {
  ByteBuilder record;
  record.put<std::int32_t>(static_cast<std::int32_t>(t.shape.size()))
      .put<std::int32_t>(static_cast<std::int32_t>(t.name.size()))
      .put<std::int32_t>(rwkvcpp_number(t.dtype).value());
  for (std::size_t i = t.shape.size(); i-- > 0;)  // fastest first
    record.put<std::int32_t>(static_cast<std::int32_t>(t.shape[i]));
  put(record.text(t.name).bytes());
}

}  // namespace prwkv
