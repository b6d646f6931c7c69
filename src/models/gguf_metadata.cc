#include "models/gguf_metadata.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

#include "base/json.h"
#include "formats/untrusted.h"
#include "tokenizer/world_trie.h"

namespace prwkv {
namespace {

/// `general.file_type`: what the file mostly consists of. For K-quants the number of the variant that
/// has one type throughout.
constexpr std::array<std::pair<DType, std::uint32_t>, 15> kFileTypes = {{
    {DType::kF32, 0},
    {DType::kF16, 1},
    {DType::kQ4_0, 2},
    {DType::kQ4_1, 3},
    {DType::kQ8_0, 7},
    {DType::kQ5_0, 8},
    {DType::kQ5_1, 9},
    {DType::kQ2_K, 10},
    {DType::kQ3_K, 11},
    {DType::kQ4_K, 14},
    {DType::kQ5_K, 16},
    {DType::kQ6_K, 18},
    {DType::kIQ4_NL, 25},
    {DType::kIQ4_XS, 30},
    {DType::kBF16, 32},
}};
constexpr std::uint32_t kQuantizationVersion = 2;

constexpr std::string_view kEndOfTurn = "\n\n";            // in World's kind of vocabulary
constexpr std::string_view kWorldTemplate = "rwkv-world";  // a name that llama.cpp knows

std::uint32_t u32(std::int64_t n) { return static_cast<std::uint32_t>(n); }

class Builder {
 public:
  explicit Builder(const GgufFacts& facts)
      : f_(facts), architecture_(gguf_architecture(facts.generation)) {}

  std::vector<GgufEntry> build() {
    general();
    sizes();
    vocabulary();
    take_over();
    return std::move(entries_);
  }

 private:
  void add(std::string key, GgufContent value) {
    entries_.push_back({std::move(key), std::move(value)});
  }
  void size(std::string_view key, std::int64_t n) {
    add(fmt::format("{}.{}", architecture_, key), u32(n));
  }

  void general() {
    add("general.architecture", architecture_);
    add("general.type", std::string("model"));
    for (const auto& [key, value] : f_.card) {
      const std::string general = "general." + key;
      if (key == kChatTemplate || key == "type" || !is_gguf_key(key)) continue;
      if (f_.source.value(general) != nullptr || key.starts_with(kChatTemplate)) continue;
      std::uint32_t number = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
      // "base_model.count" and its kin, which readers ask for as numbers.
      if (key.ends_with("count") && parsed.ec == std::errc() &&
          parsed.ptr == value.data() + value.size())
        add(general, number);
      else
        add(general, value);
    }
    for (const auto& [dtype, number] : kFileTypes) {
      if (dtype == f_.dtype) add("general.file_type", number);
    }
    if (is_block(f_.dtype)) add("general.quantization_version", kQuantizationVersion);
  }

  void sizes() {
    const Dims& d = f_.dims;
    if (f_.source.value(architecture_ + ".context_length") == nullptr)
      size("context_length", kUsualContextLength);
    size("vocab_size", d.V);  // without a vocabulary nothing else says it
    size("embedding_length", d.C);
    size("block_count", d.L);
    size("feed_forward_length", d.F);
    size("attention.head_count", 0);  // asked for, not used
    add(architecture_ + ".attention.layer_norm_epsilon", static_cast<float>(f_.eps.layer_norm));
    if (f_.eps.group_norm != kBlinkdlEps.group_norm) {
      add(architecture_ + ".attention.group_norm_epsilon", static_cast<float>(f_.eps.group_norm));
    }
    size("wkv.head_size", d.N);
    if (f_.generation == "6") {
      size("rescale_every_n_layers", f_.rescale_every_n_layers);
      size("time_mix_extra_dim", d.ranks.at("mix"));
      size("time_decay_extra_dim", d.ranks.at("decay"));
    } else {
      size("attention.decay_lora_rank", d.ranks.at("w"));
      size("attention.iclr_lora_rank", d.ranks.at("a"));
      // A single block has no such pair: llama.cpp is given the one that stands in for it.
      const auto v = d.ranks.find("v");
      size("attention.value_residual_mix_lora_rank",
           v != d.ranks.end() ? v->second : d.ranks.at("a"));
      size("attention.gate_lora_rank", d.ranks.at("g"));
    }
  }

  void vocabulary() {
    if (f_.source.value("tokenizer.ggml.model") != nullptr) return;  // taken over as it is
    if (f_.vocabulary == nullptr) {
      add("tokenizer.ggml.model", std::string("no_vocab"));
    } else if (f_.vocabulary->is_bpe()) {
      bpe(parse_json(f_.vocabulary->content, f_.vocabulary->file_name));
    } else {
      trie(*make_world_trie(f_.vocabulary->content, f_.vocabulary->file_name, ""));
    }
    chat_templates();
  }

  void trie(const Tokenizer& tokenizer) {
    std::optional<std::uint32_t> end_of_turn;
    tokens("rwkv", [&](std::int32_t id, std::string& text, std::int32_t& type) {
      const std::string_view token = tokenizer.token_bytes(id);
      if (!token.empty())
        text = gguf_escaped(token), type = kNormal;
      else if (id == tokenizer.end_of_text())
        text = "<s>", type = kControl;
      if (token == kEndOfTurn) end_of_turn = u32(id);
    });
    if (end_of_turn) add("tokenizer.ggml.eot_token_id", *end_of_turn);
  }

  // tokenizer.json has its tokens in the alphabet that GGUF wants.
  void bpe(const Json& json) {
    std::vector<std::pair<std::string, std::int32_t>> known(static_cast<std::size_t>(f_.dims.V));
    const auto know = [&](std::size_t id, const std::string& text, std::int32_t type) {
      if (id < known.size()) known[id] = {text, type};
    };
    for (const auto& [text, id] : json.at("model").at("vocab").items())
      know(id.get<std::size_t>(), text, kNormal);
    for (const Json& t : json.value("added_tokens", Json::array())) {
      know(t.at("id").get<std::size_t>(), t.at("content").get<std::string>(),
           t.at("special").get<bool>() ? kControl : kUserDefined);
    }
    add("tokenizer.ggml.pre", std::string("gpt-2"));
    tokens("gpt2", [&](std::int32_t id, std::string& text, std::int32_t& type) {
      if (const auto& token = known[static_cast<std::size_t>(id)]; token.second != 0)
        std::tie(text, type) = token;
    });
    std::vector<std::string> merges;
    for (const Json& m : json.at("model").at("merges"))
      merges.push_back(m.is_string() ? m.get<std::string>()
                                     : m[0].get<std::string>() + " " + m[1].get<std::string>());
    add("tokenizer.ggml.merges", std::move(merges));
  }

  /// One token a row of the embedding; `describe` leaves those alone that it does not know.
  template <class F>
  void tokens(std::string_view model, const F& describe) {
    std::vector<std::string> texts;
    std::vector<std::int32_t> types;
    for (std::int32_t id = 0; id < f_.dims.V; ++id) {
      texts.push_back(fmt::format("[PAD{}]", id));
      types.push_back(kUnused);
      describe(id, texts.back(), types.back());
    }
    add("tokenizer.ggml.model", std::string(model));
    add("tokenizer.ggml.tokens", std::move(texts));
    add("tokenizer.ggml.token_type", std::move(types));
    for (const char* key : {"bos", "eos"})
      add(fmt::format("tokenizer.ggml.{}_token_id", key), std::uint32_t{0});
  }

  // Values go from file to file as they are, whatever their types, and in their order: a file that needs no
  // change comes out the same.
  void take_over() {
    std::vector<GgufEntry> all;
    for (const NamedValue& v : f_.source.values()) {
      const auto ours = std::find_if(entries_.begin(), entries_.end(),
                                     [&](const GgufEntry& e) { return e.key == v.key; });
      if (ours != entries_.end()) {
        all.push_back(std::move(*ours));
        entries_.erase(ours);
        continue;
      }
      // About the file, or about blocks that the new one is without.
      if (v.key.starts_with("split.") || v.key == "general.alignment" ||
          v.key == "general.file_type" || v.key == "general.quantization_version")
        continue;
      all.push_back(
          {std::string(v.key), GgufRaw{v.value.type(), std::string(as_text(v.value.bytes()))}});
    }
    std::move(entries_.begin(), entries_.end(), std::back_inserter(all));
    entries_ = std::move(all);
  }

  void chat_templates() {
    const auto known = f_.card.find(kChatTemplate);
    const bool is_world = f_.vocabulary != nullptr && f_.vocabulary->name == "world";
    const std::string_view text = known != f_.card.end() ? std::string_view(known->second)
                                  : is_world             ? kWorldTemplate
                                                         : "";
    if (!text.empty()) add("tokenizer.chat_template", std::string(text));
    std::vector<std::string> names;
    for (const auto& [key, other] : f_.card) {
      if (!key.starts_with(kNamedTemplate)) continue;
      names.push_back(key.substr(kNamedTemplate.size()));
      add("tokenizer." + key, other);
    }
    if (!names.empty()) add("tokenizer.chat_templates", std::move(names));
  }

  const GgufFacts& f_;
  std::string architecture_;
  std::vector<GgufEntry> entries_;
};

}  // namespace

std::string gguf_architecture(std::string_view generation) {
  return generation == "6" || generation == "7" ? "rwkv" + std::string(generation) : "";
}

bool is_gguf_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

std::vector<GgufEntry> gguf_metadata(const GgufFacts& facts) { return Builder(facts).build(); }

std::string gguf_escaped(std::string_view token) {
  // Python quotes with " where that saves it from escaping '.
  const bool plain_quote = token.find('"') == token.npos;
  std::string out;
  for (const char c : token) {
    switch (c) {
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\\': out += "\\\\"; break;
      case '\'': out += plain_quote ? "'" : "\\'"; break;
      default:
        if (c >= 0x20 && c < 0x7f)
          out += c;
        else
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace prwkv
