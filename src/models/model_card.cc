#include "models/model_card.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "base/json.h"
#include "base/mapped_file.h"
#include "models/description.h"
#include "models/model_config.h"

namespace prwkv {
namespace {

constexpr std::string_view kGeneral = "general.", kTokenizer = "tokenizer.",
                           kGgufTemplate = "tokenizer.chat_template",
                           kGgufNamedTemplate = "tokenizer.chat_template.";

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
    if (v.key == kGgufTemplate || v.key.starts_with(kGgufNamedTemplate))
      add(card, v.key.substr(kTokenizer.size()), v.value.str());
    if (v.key.starts_with(kGeneral)) add(card, v.key.substr(kGeneral.size()), v.value.str());
  }
}

/// A file of texts beside the model; empty if there is none.
std::string text_in(const std::filesystem::path& path) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return "";
  const MappedFile file(path.string());
  return file.text().size() <= kMostBytes ? std::string(file.text()) : "";
}

// transformers has the template in a file of its own, as one text, or as a list of {"name",
// "template"}.
void add_templates(ModelCard& card, const std::filesystem::path& folder) {
  if (const std::string text = text_in(folder / "chat_template.jinja"); !text.empty())
    add(card, kChatTemplate, text);
  constexpr std::size_t kMostBytes = std::size_t{16} << 20;  // it may list all added tokens
  const Json config = description(folder / "tokenizer_config.json", kMostBytes);
  if (!config.is_object()) return;
  const Json value = config.value(kChatTemplate, Json());
  if (value.is_string()) add(card, kChatTemplate, value.get_ref<const std::string&>());
  if (!value.is_array()) return;
  for (const Json& named : value) {
    if (!named.is_object()) continue;
    const Json name = named.value("name", Json()), text = named.value("template", Json());
    if (!name.is_string() || !text.is_string()) continue;
    const auto& key = name.get_ref<const std::string&>();
    add(card, key == "default" ? kChatTemplate : std::string(kNamedTemplate) + key,
        text.get_ref<const std::string&>());
  }
}

// The front matter of a model's README.md is YAML; the facts that matter are lines "key: text" of it.
void add_readme(ModelCard& card, const std::filesystem::path& folder) {
  const std::string text = text_in(folder / "README.md");
  std::string_view rest = text;
  const auto take_line = [&] {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  };
  if (take_line() != "---") return;
  while (!rest.empty()) {
    const std::string_view line = take_line();
    if (line == "---") return;
    for (const std::string_view key : {"license", "license_name", "license_link", "author"}) {
      if (!line.starts_with(key) || !line.substr(key.size()).starts_with(": ")) continue;
      std::string_view value = line.substr(key.size() + 2);
      const bool is_quoted = value.size() >= 2 && value.front() == value.back() &&
                             (value.front() == '"' || value.front() == '\'');
      if (is_quoted) value = value.substr(1, value.size() - 2);
      if (!value.empty()) add(card, key, value);
    }
  }
}

void add_folder(ModelCard& card, const std::filesystem::path& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(folder / "config.json", ignored)) return;
  add_templates(card, folder);
  add_readme(card, folder);
}

}  // namespace

ModelCard model_card(const Reader& file) {
  ModelCard card;
  if (file.format() == "gguf") add_gguf(card, file);
  if (file.format() == "safetensors") {
    for (const auto& [key, value] : file.metadata()) add(card, key, value);
  }
  try {
    add_folder(card, std::filesystem::path(file.path()).parent_path());
  } catch (const Error&) {
    if (file.format() != "gguf") throw;  // it has a card of its own
  }
  return card;
}

}  // namespace prwkv
