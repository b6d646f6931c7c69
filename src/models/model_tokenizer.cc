#include "models/model_tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/quote.h"
#include "models/gguf_metadata.h"
#include "tokenizer/world_trie.h"

namespace prwkv {
namespace {

/// Embeddings are padded to a multiple of some number of rows; a vocabulary of less is another model's.
constexpr std::int64_t kMostPadding = 512;
bool fits(const Tokenizer& tokenizer, std::int64_t rows) {
  return tokenizer.vocab_size() <= rows && rows - tokenizer.vocab_size() < kMostPadding;
}

/// The embedded World vocabulary in place of an equal one, so that its name tells what it is.
std::shared_ptr<const Tokenizer> recognized(std::shared_ptr<const Tokenizer> read) {
  auto world = world_tokenizer();
  const int n = std::max(world->vocab_size(), read->vocab_size());
  for (std::int32_t id = 0; id < n; ++id) {
    if (world->token_bytes(id) != read->token_bytes(id)) return read;
  }
  return world;
}

std::shared_ptr<const Tokenizer> in_file(const Checkpoint& file) {
  const Reader& reader = file.reader();
  const FileValue* kind = reader.value("tokenizer.ggml.model");
  if (kind == nullptr || kind->str() == "none" || kind->str() == "no_vocab") return nullptr;
  if (kind->str() != "rwkv") {
    throw Error(Code::kUnsupported, file.path() + ": its tokenizer is of a kind unknown here",
                {.expected = "tokenizer.ggml.model = 'rwkv'",
                 .found = in_quotes(kind->str()),
                 .hint = "name the vocabulary: --vocab world, neox or a file"});
  }
  const FileValue* stored = reader.value("tokenizer.ggml.tokens");
  const FileValue* stored_types = reader.value("tokenizer.ggml.token_type");
  const auto tokens = stored == nullptr ? std::nullopt : stored->texts();
  if (!tokens || tokens->empty()) {
    throw Error(Code::kFormat, file.path() + ": its tokenizer has no tokens",
                {.expected = "tokenizer.ggml.tokens, a list of texts",
                 .found = stored == nullptr ? "no such key" : stored->str(),
                 .hint = "name the vocabulary: --vocab world"});
  }
  std::vector<std::string_view> texts = *tokens;
  if (stored_types != nullptr) {
    const auto types = stored_types->integers();
    if (!types || types->size() != texts.size()) {
      throw Error(Code::kFormat, file.path() + ": its tokens and their types do not match",
                  {.expected = fmt::format("tokenizer.ggml.token_type, {} numbers", texts.size()),
                   .found = stored_types->str()});
    }
    for (std::size_t id = 0; id < texts.size(); ++id) {
      if ((*types)[id] != kNormal && (*types)[id] != kUserDefined) texts[id] = {};
    }
  }
  return recognized(make_world_trie(texts, file.path(), "in the file"));
}

std::shared_ptr<const Tokenizer> beside(const Checkpoint& file, std::int64_t rows) {
  const auto folder = std::filesystem::path(file.path()).parent_path();
  for (const char* name : {"rwkv_vocab_v20230424.txt", "tokenizer.json"}) {
    std::error_code ignored;
    const std::string path = (folder / name).string();
    if (!std::filesystem::is_regular_file(path, ignored)) continue;
    auto tokenizer = load_tokenizer(path);
    if (!fits(*tokenizer, rows)) continue;
    return path.ends_with(".txt") ? recognized(std::move(tokenizer)) : tokenizer;
  }
  return nullptr;
}

}  // namespace

std::shared_ptr<const Tokenizer> tokenizer_of(const Checkpoint& file, std::int64_t embedding_rows) {
  if (auto inside = in_file(file)) return inside;
  if (auto found = beside(file, embedding_rows)) return found;
  return Tokenizer::default_for(embedding_rows);
}

}  // namespace prwkv
