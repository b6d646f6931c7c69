/// Which vocabulary goes with a weight file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "models/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace prwkv {

/// The vocabulary inside the file (GGUF: World's kind or byte-level BPE); else rwkv_vocab*.txt or
/// tokenizer.json in its folder if as many tokens as the model has embedding rows are in it, give or
/// take padding; else the usual one of models with so many rows, null if there is none. A vocabulary
/// that equals World or GPT-NeoX has their name, "world" or "neox". Throws Error{kFile | kFormat |
/// kUnsupported} for one that cannot be used.
std::shared_ptr<const Tokenizer> tokenizer_of(const Checkpoint& file, std::int64_t embedding_rows);

/// Whether a vocabulary may be that of a model with so many embedding rows: all of its tokens and some padding.
bool may_belong(const Tokenizer& tokenizer, std::int64_t embedding_rows);

/// A vocabulary in the form in which it stands beside weights.
struct VocabularyFile {
  /// Of the tokenizer: "world" and "neox" are the usual ones of their sizes, which no file has to state.
  std::string name;
  std::string file_name;  ///< "rwkv_vocab_v20230424.txt", "rwkv_vocab.txt", "tokenizer.json"
  std::string content;
  [[nodiscard]] bool is_bpe() const { return file_name == "tokenizer.json"; }
  /// Into a folder, where tokenizer_of() finds it. Throws Error{kFile}.
  void write_to(const std::string& folder) const;
};

/// The same vocabulary for a writer. Empty where tokenizer_of() gives null or plain bytes.
std::optional<VocabularyFile> vocabulary_file_of(const Checkpoint& file,
                                                 std::int64_t embedding_rows);

}  // namespace prwkv
