/// What files say about a model in words: licence, author, chat template. No number of it is needed to
/// run the model; it is what conversion must not lose.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "formats/reader.h"

namespace prwkv {

/// "license", "author", "name", "chat_template", …: the keys of safetensors' __metadata__. GGUF has the
/// same ones behind "general.", and the chat template as "tokenizer.chat_template".
using ModelCard = std::map<std::string, std::string>;

inline constexpr const char* kChatTemplate = "chat_template";
/// Begins the key of a template for another purpose: "chat_template.tool_use".
inline constexpr std::string_view kNamedTemplate = "chat_template.";

/// What the file says, and, where it is part of a Hugging Face folder, what tokenizer_config.json,
/// chat_template.jinja and the front matter of README.md say.
/// Facts about the file itself ("format", "architecture", sizes) are not among it. Throws Error{kFile |
/// kFormat} for a broken tokenizer_config.json, but not beside a GGUF file.
ModelCard model_card(const Reader& file);

}  // namespace prwkv
