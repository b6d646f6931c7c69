#include "tokenizer/tokenizer.h"

#include <fmt/core.h>

#include <array>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/mapped_file.h"
#include "tokenizer/bpe.h"
#include "tokenizer/embedded.h"
#include "tokenizer/utf8.h"
#include "tokenizer/world_trie.h"

namespace prwkv {
namespace {

// The models' embeddings have this many rows; the last six ids have no token.
constexpr int kWorldRows = 65536;

class ByteTokenizer final : public Tokenizer {
 public:
  ByteTokenizer() {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<char>(i);
  }
  std::string_view name() const override { return "bytes"; }
  int vocab_size() const override { return 256; }
  std::vector<std::int32_t> encode(std::string_view text, bool /*parse_special*/) const override {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size());
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  std::string_view token_bytes(std::int32_t id) const override {
    return is_special(id) ? std::string_view{}
                          : std::string_view(&bytes_[static_cast<std::size_t>(id)], 1);
  }
  bool is_special(std::int32_t id) const override { return id < 0 || id >= 256; }

 private:
  std::array<char, 256> bytes_;
};

}  // namespace

std::string_view Tokenizer::default_name(std::int64_t embedding_rows) {
  if (embedding_rows == kWorldRows) return "world";
  if (embedding_rows == 50277 || embedding_rows == 50304) return "neox";
  if (embedding_rows == 256) return "bytes";
  return "";
}

std::shared_ptr<const Tokenizer> Tokenizer::default_for(std::int64_t embedding_rows) {
  const std::string name(default_name(embedding_rows));
  return name.empty() ? nullptr : tokenizer_by_name(name);
}

std::string Tokenizer::decode_bytes(const std::vector<std::int32_t>& ids) const {
  std::string bytes;
  for (const std::int32_t id : ids) bytes += token_bytes(id);
  return bytes;
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids) const {
  std::string text;
  append_well_formed(text, decode_bytes(ids), false);
  return text;
}

std::string StreamDecoder::push(std::string_view bytes) {
  pending_ += bytes;
  std::string text;
  pending_.erase(0, append_well_formed(text, pending_, true));
  return text;
}

std::string StreamDecoder::flush() {
  std::string text;
  append_well_formed(text, pending_, false);
  pending_.clear();
  return text;
}

std::shared_ptr<const Tokenizer> world_tokenizer() {
  return make_world_trie(embedded_world_vocab(), "the embedded World vocabulary", "world",
                         kWorldRows);
}

std::shared_ptr<const Tokenizer> neox_tokenizer() {
  return make_bpe(embedded_neox_json(), "the embedded GPT-NeoX vocabulary", "neox");
}

std::shared_ptr<const Tokenizer> byte_tokenizer() { return std::make_shared<ByteTokenizer>(); }

std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path) {
  const MappedFile file(path);
  const std::string_view text = file.text();
  std::string name = std::filesystem::path(path).filename().string();
  const std::size_t first = text.find_first_not_of("\xef\xbb\xbf \t\r\n");
  if (first == std::string_view::npos) {
    throw Error(Code::kFormat, path + ": the vocabulary file is empty",
                {.expected = "lines ID LITERAL LENGTH, or a tokenizer.json"});
  }
  if (text[first] == '{') return make_bpe(text, path, std::move(name));
  return make_world_trie(text, path, std::move(name));
}

std::shared_ptr<const Tokenizer> tokenizer_by_name(const std::string& name_or_path) {
  if (name_or_path == "world") return world_tokenizer();
  if (name_or_path == "neox") return neox_tokenizer();
  if (name_or_path == "bytes") return byte_tokenizer();
  std::error_code error;
  if (!std::filesystem::exists(name_or_path, error)) {
    throw Error(Code::kFile,
                fmt::format("'{}' is neither a tokenizer's name nor a file", name_or_path),
                {.expected = "world, neox, bytes or the path of a vocabulary file"});
  }
  return load_tokenizer(name_or_path);
}

}  // namespace prwkv
