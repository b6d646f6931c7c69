#include "tokenizer/bpe.h"

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/quote.h"
#include "tokenizer/byte_trie.h"
#include "tokenizer/gpt2_words.h"
#include "tokenizer/merges.h"
#include "tokenizer/token_bytes.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace prwkv {
namespace {

/// Cuts text at the added tokens, the leftmost and there the longest first.
class Splitter {
 public:
  Splitter() = default;
  Splitter(const std::vector<ByteTrie::Entry>& tokens, std::string_view where)
      : trie_(tokens, where) {
    for (const ByteTrie::Entry& token : tokens) {
      is_first_[static_cast<unsigned char>(token.bytes[0])] = true;
    }
  }

  /// Appends the ids of the tokens found and calls between(part), which appends too, for the text
  /// between them.
  template <class F>
  void split(std::string_view text, std::vector<std::int32_t>& ids, const F& between) const {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size();) {
      ByteTrie::Match match;
      if (is_first_[static_cast<unsigned char>(text[i])]) match = trie_.longest(text.substr(i));
      if (match.id < 0) {
        ++i;
        continue;
      }
      if (begin < i) between(text.substr(begin, i - begin));
      ids.push_back(match.id);
      begin = i += match.length;
    }
    if (begin < text.size()) between(text.substr(begin));
  }

 private:
  std::array<bool, 256> is_first_{};
  ByteTrie trie_;
};

/// What a tokenizer.json comes to. Complete, it has both optional parts.
struct BpeData {
  std::string name;
  TokenBytes bytes;
  std::optional<UnicodeTable> unicode;
  std::optional<Merges> merges;
  bool to_nfc = false;
  // [parse_special]: tokens that are found in the text as it is, and after normalization.
  std::array<Splitter, 2> raw, normalized;
};

class Bpe final : public Tokenizer {
 public:
  explicit Bpe(BpeData data) : data_(std::move(data)) {}
  Bpe(const Bpe&) = delete;  // words_ refers to data_
  Bpe& operator=(const Bpe&) = delete;

  std::string_view name() const override { return data_.name; }
  int vocab_size() const override { return data_.bytes.size(); }
  std::string_view token_bytes(std::int32_t id) const override { return data_.bytes[id]; }
  bool is_special(std::int32_t id) const override { return data_.bytes[id].empty(); }

  std::vector<std::int32_t> encode(std::string_view text, bool parse_special) const override {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size() / 3 + 8);
    std::string repaired, composed;
    const auto words = [&](std::string_view part) {
      while (!part.empty()) {
        const std::size_t length = words_.first_length(part);
        data_.merges->encode(part.substr(0, length), ids);
        part.remove_prefix(length);
      }
    };
    const auto normalize = [&](std::string_view part) {
      if (data_.to_nfc) part = data_.unicode->nfc(part, composed);
      data_.normalized[parse_special].split(part, ids, words);
    };
    data_.raw[parse_special].split(well_formed(text, repaired), ids, normalize);
    return ids;
  }

 private:
  BpeData data_;
  Gpt2Words words_{*data_.unicode};
};

/// The code points U+0000 to U+0143 with which vocabularies write bytes: printable ones stand for
/// themselves, the other 68 bytes are U+0100 and following, in their order.
class ByteAlphabet {
 public:
  ByteAlphabet() {
    bytes_.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
      const char32_t c = printable ? static_cast<char32_t>(byte) : next++;
      bytes_[c] = byte;
      append_utf8(characters_[static_cast<std::size_t>(byte)], c);
    }
  }
  /// The character that stands for a byte, in UTF-8.
  [[nodiscard]] const std::string& operator[](std::size_t byte) const { return characters_[byte]; }
  /// The bytes that `text` stands for; nothing if it has other characters.
  [[nodiscard]] std::optional<std::string> bytes_of(std::string_view text) const {
    std::string bytes;
    while (!text.empty()) {
      const Utf8Step step = next_utf8(text);
      if (step.kind != Utf8Step::kWellFormed || step.code_point >= bytes_.size() ||
          bytes_[step.code_point] < 0) {
        return std::nullopt;
      }
      bytes += static_cast<char>(bytes_[step.code_point]);
      text.remove_prefix(step.length);
    }
    return bytes;
  }

 private:
  std::array<int, 0x144> bytes_;
  std::array<std::string, 256> characters_;
};

std::string shown(const Json& value) {
  if (value.is_object()) return fmt::format("an object of {} members", value.size());
  if (value.is_array()) return fmt::format("a list of {} items", value.size());
  return value.is_string() ? in_double_quotes(value.get_ref<const std::string&>()) : value.dump();
}

/// Reads a tokenizer.json from top to bottom; every member that is looked at is checked first.
class BpeLoader {
 public:
  explicit BpeLoader(const std::string& where) : where_(where) {}

  BpeData load(std::string_view json) {
    if (json.size() > kMaxTokenizerJsonBytes) {
      fail(Code::kFormat, "{}: {} bytes are too much for a tokenizer.json (limit {})", where_,
           json.size(), kMaxTokenizerJsonBytes);
    }
    const Json root = parse_json(json, where_);
    if (!root.is_object()) damaged("the file", "an object", root);
    if (find(root, "model") == nullptr) {
      throw Error(Code::kFormat, where_ + ": this JSON is not a tokenizer",
                  {.expected = "a tokenizer.json with a \"model\"",
                   .found = shown(root),
                   .hint = "is it another file of the model, a config.json perhaps?"});
    }
    component(root, "model", {"BPE"});
    refuse_if_set(root, {"truncation", "padding"}, "");
    const std::string normalizer = component(root, "normalizer", {"", "NFC"});
    data_.to_nfc = normalizer == "NFC";
    component(root, "post_processor", {"", "ByteLevel"});
    component(root, "decoder", {"", "ByteLevel"});
    component(root, "pre_tokenizer", {"ByteLevel"});
    const Json& pre_tokenizer = root["pre_tokenizer"];
    require_bool(pre_tokenizer, "pre_tokenizer.", "add_prefix_space", true, false);
    require_bool(pre_tokenizer, "pre_tokenizer.", "use_regex", true, true);
    read_model(root["model"]);
    data_.unicode.emplace();  // takes a moment, so damaged files are refused before
    if (const Json* added = find(root, "added_tokens")) read_added_tokens(*added);
    if (!unreadable_.empty()) {
      const auto& [text, id] = *unreadable_.begin();
      contradiction(fmt::format("token {} is not written in the byte alphabet", id),
                    "characters that stand for bytes, or an added token", in_double_quotes(text));
    }
    return std::move(data_);
  }

 private:
  [[noreturn]] void damaged(std::string_view what, std::string expected, const Json& found) const {
    throw Error(Code::kFormat, fmt::format("{}: {} has the wrong form", where_, what),
                {.expected = std::move(expected), .found = shown(found)});
  }
  [[noreturn]] void unsupported(std::string_view what, std::string expected,
                                std::string found) const {
    throw Error(Code::kUnsupported, fmt::format("{}: {} is not supported", where_, what),
                {.expected = std::move(expected),
                 .found = std::move(found),
                 .hint = "supported is byte-level BPE as in GPT-NeoX-20B"});
  }
  [[noreturn]] void contradiction(std::string what, std::string expected, std::string found) const {
    throw Error(Code::kFormat, fmt::format("{}: {}", where_, what),
                {.expected = std::move(expected), .found = std::move(found)});
  }

  /// A member that is there and not null, else nullptr.
  static const Json* find(const Json& object, const char* key) {
    const auto member = object.find(key);
    return member == object.end() || member->is_null() ? nullptr : &*member;
  }

  void refuse_if_set(const Json& object, std::initializer_list<const char*> keys,
                     std::string_view path) const {
    for (const char* key : keys) {
      const Json* value = find(object, key);
      const auto* text = value == nullptr ? nullptr : value->get_ptr<const std::string*>();
      if (value == nullptr || (text != nullptr && text->empty())) continue;
      unsupported(fmt::format("{}{}", path, key), "null", shown(*value));
    }
  }

  void require_bool(const Json& object, std::string_view path, const char* key, bool by_default,
                    bool required) const {
    const Json* value = find(object, key);
    if (value != nullptr && !value->is_boolean()) {
      damaged(fmt::format("{}{}", path, key), "true or false", *value);
    }
    if ((value == nullptr ? by_default : value->get<bool>()) == required) return;
    unsupported(
        fmt::format("{}{} = {}", path, key, !required), required ? "true" : "false",
        value == nullptr ? fmt::format("nothing, which means {}", by_default) : value->dump());
  }

  /// The "type" of a component, which must be one of `types`; "" stands for null.
  std::string component(const Json& root, const char* key,
                        std::initializer_list<std::string_view> types) const {
    std::string type, expected;
    if (const Json* value = find(root, key)) {
      if (!value->is_object()) damaged(key, "an object", *value);
      const Json* name = find(*value, "type");
      if (name == nullptr || !name->is_string()) {
        damaged(fmt::format("{}.type", key), "a name", name == nullptr ? Json() : *name);
      }
      type = name->get<std::string>();
    }
    for (const std::string_view allowed : types) {
      if (type == allowed) return type;
      expected +=
          fmt::format("{}{}", expected.empty() ? "" : " or ", allowed.empty() ? "null" : allowed);
    }
    unsupported(fmt::format("{} {}", key, type.empty() ? "null" : in_double_quotes(type)), expected,
                type.empty() ? "null" : in_double_quotes(type));
  }

  /// `what` gives the value's place, if it turns out to be needed.
  template <class What>
  std::int32_t id_of(const Json& value, const What& what) const {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() <= std::uint64_t{kMaxTokenId}) {
      return value.get<std::int32_t>();
    }
    damaged(what(), fmt::format("an id from 0 to {}", kMaxTokenId), value);
  }

  void read_model(const Json& model) {
    refuse_if_set(model, {"continuing_subword_prefix", "end_of_word_suffix"}, "model.");
    // Every byte of UTF-8 has a token, so unk_token and fuse_unk never matter.
    require_bool(model, "model.", "byte_fallback", false, false);
    require_bool(model, "model.", "ignore_merges", false, false);
    if (const Json* dropout = find(model, "dropout"); dropout != nullptr && *dropout != 0.0) {
      unsupported("model.dropout", "null", shown(*dropout));
    }
    const Json* vocab = find(model, "vocab");
    const Json* merges = find(model, "merges");
    if (vocab == nullptr || !vocab->is_object()) {
      damaged("model.vocab", "an object of tokens and ids", vocab == nullptr ? Json() : *vocab);
    }
    if (merges == nullptr || !merges->is_array()) {
      damaged("model.merges", "a list of pairs", merges == nullptr ? Json() : *merges);
    }
    read_vocab(*vocab);
    read_merges(*merges);
  }

  void read_vocab(const Json& vocab) {
    std::vector<ByteTrie::Entry> entries;
    entries.reserve(vocab.size());
    for (const auto& member : vocab.get_ref<const Json::object_t&>()) {
      const std::string& text = member.first;
      const std::int32_t id = id_of(
          member.second, [&] { return fmt::format("model.vocab[{}]", in_double_quotes(text)); });
      if (text.empty()) contradiction("model.vocab has an empty token", "text", "\"\"");
      take_id(id, text);
      entries.push_back({text, id});
      // Added tokens may be written as they are, outside the alphabet; these get their bytes later.
      if (const std::optional<std::string> bytes = alphabet_.bytes_of(text)) {
        data_.bytes.set(id, *bytes);
      } else {
        unreadable_.emplace(text, id);
      }
    }
    ids_ = ByteTrie(entries, where_);
  }

  /// -1 if the vocabulary does not have it.
  std::int32_t find_token(std::string_view text) const {
    const ByteTrie::Match match = ids_.longest(text);
    return match.length == text.size() ? match.id : -1;
  }

  void take_id(std::int32_t id, std::string_view text) {
    data_.bytes.grow_to(id + 1);
    taken_.resize(static_cast<std::size_t>(data_.bytes.size()));
    if (taken_[static_cast<std::size_t>(id)]) {
      contradiction(fmt::format("id {} appears a second time", id), "every id once",
                    fmt::format("the second token is {}", in_double_quotes(text)));
    }
    taken_[static_cast<std::size_t>(id)] = true;
  }

  template <class What>
  std::int32_t token_of(std::string_view text, const What& what) const {
    const std::int32_t id = find_token(text);
    if (id >= 0) return id;
    contradiction(fmt::format("{} is not in model.vocab", what()), "a token of the vocabulary",
                  in_double_quotes(text));
  }

  void read_merges(const Json& merges) {
    if (merges.size() > Merges::kMaxMerges) {
      contradiction("model.merges is too long", fmt::format("at most {}", Merges::kMaxMerges),
                    shown(merges));
    }
    std::array<std::int32_t, 256> byte_ids{};
    for (std::size_t byte = 0; byte < 256; ++byte) {
      // Well-formed UTF-8 never has these, and GPT-NeoX has no tokens for them.
      if (byte == 0xc0 || byte == 0xc1 || byte > 0xf4) continue;
      byte_ids[byte] =
          token_of(alphabet_[byte], [&] { return fmt::format("the single byte 0x{:02x}", byte); });
    }
    data_.merges.emplace(merges.size(), byte_ids);
    std::size_t index = 0;
    std::string left, right;
    for (const Json& merge : merges) {
      const auto place = [&] { return fmt::format("model.merges[{}]", index); };
      if (!split_merge(merge, left, right)) damaged(place(), R"("A B" or ["A", "B"])", merge);
      const auto part = [&] { return "a part or the result of " + place(); };
      const std::int32_t left_id = token_of(left, part), right_id = token_of(right, part);
      left += right;
      if (!data_.merges->add(left_id, right_id, token_of(left, part))) {
        contradiction(place() + " appears a second time", "every pair once", shown(merge));
      }
      ++index;
    }
  }

  static bool split_merge(const Json& merge, std::string& left, std::string& right) {
    if (merge.is_array()) {
      if (merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) return false;
      left = merge[0].get_ref<const std::string&>();
      right = merge[1].get_ref<const std::string&>();
    } else {
      if (!merge.is_string()) return false;
      const std::string& both = merge.get_ref<const std::string&>();
      const std::size_t space = both.find(' ');
      if (space == std::string::npos || space != both.rfind(' ')) return false;
      left = both.substr(0, space);
      right = both.substr(space + 1);
    }
    return !left.empty() && !right.empty();
  }

  void read_added_tokens(const Json& tokens) {
    if (!tokens.is_array()) damaged("added_tokens", "a list of tokens", tokens);
    std::array<std::vector<std::pair<std::string, std::int32_t>>, 2> raw, normalized;
    std::unordered_map<std::string, std::int32_t> contents;
    std::size_t index = 0;
    for (const Json& token : tokens) {
      const std::string path = fmt::format("added_tokens[{}]", index++);
      if (!token.is_object()) damaged(path, "an object", token);
      const Json* text = find(token, "content");
      const Json* number = find(token, "id");
      if (text == nullptr || !text->is_string()) {
        damaged(path + ".content", "text", text == nullptr ? Json() : *text);
      }
      const std::string& content = text->get_ref<const std::string&>();
      if (content.empty() || content.size() > kMaxAddedTokenBytes) {
        damaged(path + ".content", fmt::format("1 to {} bytes", kMaxAddedTokenBytes), *text);
      }
      const std::int32_t id =
          id_of(number == nullptr ? Json() : *number, [&] { return path + ".id"; });
      for (const char* key : {"single_word", "lstrip", "rstrip"}) {
        require_bool(token, path + ".", key, false, false);
      }
      const bool special = flag(token, path, "special");
      const bool to_normalize = flag(token, path, "normalized");
      if (!contents.emplace(content, id).second) {
        contradiction(path + " appears a second time", "every added token once",
                      in_double_quotes(content));
      }
      if (const std::int32_t known = find_token(content); known < 0) {
        take_id(id, content);
      } else if (known != id) {
        contradiction(path + " contradicts model.vocab",
                      fmt::format("id {} for {}", known, in_double_quotes(content)),
                      std::to_string(id));
      }
      unreadable_.erase(content);
      data_.bytes.set(id, special ? "" : content);
      std::string composed;
      const bool compose = to_normalize && data_.to_nfc;
      const std::string searched(compose ? data_.unicode->nfc(content, composed) : content);
      auto& lists = to_normalize ? normalized : raw;
      lists[1].emplace_back(searched, id);
      if (!special) lists[0].emplace_back(searched, id);
    }
    for (std::size_t parse_special = 0; parse_special < 2; ++parse_special) {
      data_.raw[parse_special] = splitter(raw[parse_special]);
      data_.normalized[parse_special] = splitter(normalized[parse_special]);
    }
  }

  bool flag(const Json& token, const std::string& path, const char* key) const {
    const Json* value = find(token, key);
    if (value != nullptr && value->is_boolean()) return value->get<bool>();
    damaged(fmt::format("{}.{}", path, key), "true or false", value == nullptr ? Json() : *value);
  }

  Splitter splitter(const std::vector<std::pair<std::string, std::int32_t>>& tokens) const {
    std::vector<ByteTrie::Entry> entries;
    entries.reserve(tokens.size());
    for (const auto& [text, id] : tokens) entries.push_back({text, id});
    return {entries, where_};
  }

  const std::string& where_;
  BpeData data_;
  ByteAlphabet alphabet_;
  ByteTrie ids_;                                              // of model.vocab, by their text
  std::unordered_map<std::string, std::int32_t> unreadable_;  // tokens that wait for an added token
  std::vector<bool> taken_;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_bpe(std::string_view json, const std::string& where,
                                          std::string name) {
  BpeData data = BpeLoader(where).load(json);
  data.name = std::move(name);
  return std::make_shared<Bpe>(std::move(data));
}

}  // namespace prwkv
