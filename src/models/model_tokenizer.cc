#include "models/model_tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/quote.h"
#include "models/gguf_metadata.h"
#include "tokenizer/bpe.h"
#include "tokenizer/embedded.h"
#include "tokenizer/world_trie.h"

namespace prwkv {
namespace {

namespace fs = std::filesystem;

constexpr const char *kWorldFile = "rwkv_vocab_v20230424.txt", *kTrieFile = "rwkv_vocab.txt",
                     *kBpeFile = "tokenizer.json", *kInFile = "in the file";

bool have_equal_tokens(const Tokenizer& a, const Tokenizer& b) {
  const int n = std::max(a.vocab_size(), b.vocab_size());
  for (std::int32_t id = 0; id < n; ++id) {
    if (a.token_bytes(id) != b.token_bytes(id)) return false;
  }
  return true;
}

/// The embedded vocabulary in place of an equal one, so that its name tells what it is.
std::shared_ptr<const Tokenizer> recognized(std::shared_ptr<const Tokenizer> read) {
  auto world = world_tokenizer();
  return have_equal_tokens(*world, *read) ? world : read;
}

/// What GGUF states of its tokens.
struct GgufTokens {
  std::vector<std::string_view> texts;
  std::vector<std::int64_t> types;  ///< one for each
};

GgufTokens gguf_tokens(const Checkpoint& file) {
  const FileValue* stored = file.reader().value("tokenizer.ggml.tokens");
  const FileValue* stored_types = file.reader().value("tokenizer.ggml.token_type");
  auto texts = stored == nullptr ? std::nullopt : stored->texts();
  if (!texts || texts->empty()) {
    throw Error(Code::kFormat, file.path() + ": its tokenizer has no tokens",
                {.expected = "tokenizer.ggml.tokens, a list of texts",
                 .found = stored == nullptr ? "no such key" : stored->str(),
                 .hint = "name the vocabulary: --vocab world"});
  }
  GgufTokens tokens{std::move(*texts), {}};
  if (stored_types == nullptr) {
    tokens.types.assign(tokens.texts.size(), kNormal);
    return tokens;
  }
  auto types = stored_types->integers();
  if (!types || types->size() != tokens.texts.size()) {
    throw Error(
        Code::kFormat, file.path() + ": its tokens and their types do not match",
        {.expected = fmt::format("tokenizer.ggml.token_type, {} numbers", tokens.texts.size()),
         .found = stored_types->str(),
         .hint = "name the vocabulary: --vocab world"});
  }
  tokens.types = std::move(*types);
  return tokens;
}

std::shared_ptr<const Tokenizer> trie_in_file(const Checkpoint& file) {
  // Nearly always the one that is meant. It comes first, so that what is only compared lies behind it on the
  // heap and goes back to the system.
  auto world = world_tokenizer();
  GgufTokens tokens = gguf_tokens(file);
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    if (tokens.types[id] != kNormal && tokens.types[id] != kUserDefined) tokens.texts[id] = {};
  }
  if (has_tokens(*world, tokens.texts, file.path())) return world;
  return make_world_trie(tokens.texts, file.path(), kInFile);
}

/// A tokenizer.json that says what GGUF's tokens and merges say.
std::string bpe_in_file(const Checkpoint& file) {
  const Reader& reader = file.reader();
  // How text is cut into words; other names stand for other rules.
  const FileValue* words = reader.value("tokenizer.ggml.pre");
  if (words != nullptr && words->str() != "gpt-2" && words->str() != "default") {
    throw Error(Code::kUnsupported, file.path() + ": its tokenizer cuts words in an unknown way",
                {.expected = "tokenizer.ggml.pre = 'gpt-2'",
                 .found = in_quotes(words->str()),
                 .hint = "name the vocabulary: --vocab neox or a file"});
  }
  const FileValue* stored = reader.value("tokenizer.ggml.merges");
  const auto merges = stored == nullptr ? std::nullopt : stored->texts();
  if (!merges) {
    throw Error(Code::kFormat, file.path() + ": its tokenizer has no merges",
                {.expected = "tokenizer.ggml.merges, a list of texts",
                 .found = stored == nullptr ? "no such key" : stored->str(),
                 .hint = "name the vocabulary: --vocab neox"});
  }
  const GgufTokens tokens = gguf_tokens(file);
  Json vocab = Json::object(), added = Json::array();
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    const std::string text(tokens.texts[id]);
    const bool is_control = tokens.types[id] == kControl;
    if (is_control || tokens.types[id] == kUserDefined) {
      added.push_back({{"id", id},
                       {"content", text},
                       {"special", is_control},
                       {"normalized", false},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false}});
    } else if (tokens.types[id] == kNormal && !vocab.emplace(text, id).second) {
      throw Error(Code::kFormat, fmt::format("{}: token {} appears a second time", file.path(), id),
                  {.expected = "every token once",
                   .found = in_double_quotes(text),
                   .hint = "name the vocabulary: --vocab neox"});
    }
  }
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  const Json json = {
      {"version", "1.0"},
      {"added_tokens", std::move(added)},
      {"normalizer", nullptr},
      {"pre_tokenizer", bytes},
      {"post_processor", nullptr},
      {"decoder", bytes},
      {"model", {{"type", "BPE"}, {"vocab", std::move(vocab)}, {"merges", *merges}}}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

Json merges_in(const std::string& tokenizer_json, std::string_view where) {
  return parse_json(tokenizer_json, where).at("model").at("merges");
}

/// A vocabulary that was found, and the file that holds it, if it came from one.
struct Found {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string path, bpe;
};

/// As recognized(), for GPT-NeoX and what `json` says.
Found recognized_bpe(std::shared_ptr<const Tokenizer> read, std::string json) {
  auto neox = neox_tokenizer();
  if (have_equal_tokens(*neox, *read) &&
      merges_in(embedded_neox_json(), "the GPT-NeoX vocabulary") == merges_in(json, read->name()))
    return {std::move(neox), "", ""};
  return {std::move(read), "", std::move(json)};
}

Found in_file(const Checkpoint& file) {
  const FileValue* kind = file.reader().value("tokenizer.ggml.model");
  if (kind == nullptr || kind->str() == "none" || kind->str() == "no_vocab") return {};
  if (kind->str() == "rwkv") return {trie_in_file(file), "", ""};
  if (kind->str() == "gpt2") {
    std::string json = bpe_in_file(file);
    auto tokenizer = make_bpe(json, file.path(), kInFile);
    return recognized_bpe(std::move(tokenizer), std::move(json));
  }
  throw Error(Code::kUnsupported, file.path() + ": its tokenizer is of a kind unknown here",
              {.expected = "tokenizer.ggml.model = 'rwkv' or 'gpt2'",
               .found = in_quotes(kind->str()),
               .hint = "name the vocabulary: --vocab world, neox or a file"});
}

/// The published name first, then other vocabularies of World's kind by their names.
std::vector<std::string> vocabularies_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("rwkv_vocab") && name.ends_with(".txt")) names.push_back(name);
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a != kWorldFile, a) < std::pair(b != kWorldFile, b);
  });
  names.emplace_back(kBpeFile);
  return names;
}

Found beside(const Checkpoint& file, std::int64_t rows) {
  const auto folder = fs::path(file.path()).parent_path();
  for (const std::string& name : vocabularies_in(folder)) {
    std::error_code ignored;
    const std::string path = (folder / name).string();
    if (!fs::is_regular_file(path, ignored)) continue;
    auto tokenizer = load_tokenizer(path);
    if (!may_belong(*tokenizer, rows)) continue;
    if (name == kBpeFile)
      return recognized_bpe(std::move(tokenizer), std::string(MappedFile(path).text()));
    return {recognized(std::move(tokenizer)), path, ""};
  }
  return {};
}

Found find_vocabulary(const Checkpoint& file, std::int64_t rows) {
  Found found = in_file(file);
  if (found.tokenizer == nullptr) found = beside(file, rows);
  if (found.tokenizer == nullptr) found.tokenizer = Tokenizer::default_for(rows);
  return found;
}

/// Lines as the World format has them, all tokens written as bytes.
std::string trie_text(const Tokenizer& tokenizer) {
  std::string text;
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view token = tokenizer.token_bytes(id);
    if (token.empty()) continue;
    const bool has_single = token.find('\'') != token.npos,
               has_double = token.find('"') != token.npos;
    const char quote = has_single && !has_double ? '"' : '\'';
    text += fmt::format("{} b{}{}{} {}\n", id, quote, gguf_escaped(token), quote, token.size());
  }
  return text;
}

}  // namespace

void VocabularyFile::write_to(const std::string& folder) const {
  AtomicFile file((fs::path(folder) / file_name).string());
  file.write(content);
  file.commit();
}

// Embeddings have some rows more than there are tokens. A vocabulary of far less is another model's: GPT-NeoX's has three
// quarters of World's size.
bool may_belong(const Tokenizer& tokenizer, std::int64_t rows) {
  constexpr std::int64_t kPadding = 512, kShare = 8;
  return tokenizer.vocab_size() <= rows &&
         rows - tokenizer.vocab_size() < std::max(kPadding, rows / kShare);
}

std::shared_ptr<const Tokenizer> tokenizer_of(const Checkpoint& file, std::int64_t embedding_rows) {
  return find_vocabulary(file, embedding_rows).tokenizer;
}

std::optional<VocabularyFile> vocabulary_file_of(const Checkpoint& file,
                                                 std::int64_t embedding_rows) {
  Found found = find_vocabulary(file, embedding_rows);
  if (found.tokenizer == nullptr) return std::nullopt;
  const std::string name(found.tokenizer->name());
  if (name == "bytes") return std::nullopt;
  if (name == "world") return VocabularyFile{name, kWorldFile, embedded_world_vocab()};
  if (name == "neox") return VocabularyFile{name, kBpeFile, embedded_neox_json()};
  if (!found.bpe.empty()) return VocabularyFile{name, kBpeFile, std::move(found.bpe)};
  if (found.path.empty()) return VocabularyFile{name, kTrieFile, trie_text(*found.tokenizer)};
  return VocabularyFile{name, fs::path(found.path).filename().string(),
                        std::string(MappedFile(found.path).text())};
}

}  // namespace prwkv
