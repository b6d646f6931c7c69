/// Which tokenizer goes with a weight file.
#pragma once

#include <memory>

#include "models/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace prwkv {

/// The vocabulary inside the file (GGUF); else rwkv_vocab_v20230424.txt or tokenizer.json in its folder
/// if as many tokens as the model has embedding rows are in it, give or take padding; else the usual one
/// of models with so many rows, null if there is none. A vocabulary that equals World is "world".
/// Throws Error{kFile | kFormat | kUnsupported} for one that cannot be used.
std::shared_ptr<const Tokenizer> tokenizer_of(const Checkpoint& file, std::int64_t embedding_rows);

}  // namespace prwkv
