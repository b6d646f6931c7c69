/// The two vocabulary files that are built into the library.
#pragma once

#include <string>

namespace prwkv {

/// rwkv_vocab_v20230424.txt with LF, and GPT-NeoX's 20B_tokenizer.json. They are stored compressed
/// (see cmake/Vocabularies.cmake for where they come from); each call decompresses anew, in a few
/// milliseconds.
std::string embedded_world_vocab();
std::string embedded_neox_json();

}  // namespace prwkv
