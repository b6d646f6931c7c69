#include "models/model_card.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "base/json.h"
#include "models/description.h"
#include "models/model_config.h"

namespace prwkv {
namespace {

constexpr std::string_view kGeneral = "general.", kGgufTemplate = "tokenizer.chat_template";

/// Facts about a file, which another file has to state for itself.
constexpr std::array<std::string_view, 8> kAboutTheFile = {
    "alignment",   "architecture", "file_type",  "format", "quantization_version",
    kLayerNormKey, kLnOutKey,      kGroupNormKey};

bool is_about_the_file(std::string_view key) {
  return std::find(kAboutTheFile.begin(), kAboutTheFile.end(), key) != kAboutTheFile.end();
}

void add(ModelCard& card, std::string_view key, std::string_view value) {
  if (!is_about_the_file(key)) card.emplace(key, value);
}

void add_gguf(ModelCard& card, const Reader& file) {
  for (const NamedValue& v : file.values()) {
    if (v.value.type() == ValueType::kArray) continue;
    if (v.key == kGgufTemplate) add(card, kChatTemplate, v.value.str());
    if (v.key.starts_with(kGeneral)) add(card, v.key.substr(kGeneral.size()), v.value.str());
  }
}

// transformers has the template as one text, or as a list of {"name", "template"}.
void add_tokenizer_config(ModelCard& card, const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(folder / "config.json", ignored)) return;
  constexpr std::size_t kMostBytes = std::size_t{16} << 20;  // it may list all added tokens
  const Json config = description(path, kMostBytes);
  if (!config.is_object()) return;
  Json value = config.value(kChatTemplate, Json());
  if (value.is_array()) {
    for (const Json& named : value) {
      if (!named.is_object() || named.value("name", Json()) != "default") continue;
      value = Json(named.value("template", Json()));
      break;
    }
  }
  if (value.is_string()) add(card, kChatTemplate, value.get_ref<const std::string&>());
}

}  // namespace

ModelCard model_card(const Reader& file) {
  ModelCard card;
  if (file.format() == "gguf") add_gguf(card, file);
  if (file.format() == "safetensors") {
    for (const auto& [key, value] : file.metadata()) add(card, key, value);
  }
  try {
    add_tokenizer_config(card, std::filesystem::path(file.path()).parent_path());
  } catch (const Error&) {
    if (file.format() != "gguf") throw;  // it has a card of its own
  }
  return card;
}

}  // namespace prwkv
