/// The metadata that llama.cpp asks of an RWKV in GGUF: sizes, vocabulary, and the model's card.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/writer.h"
#include "models/model.h"
#include "models/model_card.h"
#include "models/model_config.h"
#include "models/model_tokenizer.h"

namespace prwkv {

struct GgufFacts {
  std::string_view generation;              ///< "6" or "7"
  const Dims& dims;                         ///< of the model
  DType dtype = DType::kF32;                ///< of most of its weights
  std::int64_t rescale_every_n_layers = 0;  ///< RWKV-6; 0: weights are as they are
  NormEps eps;
  const ModelCard& card;
  const VocabularyFile* vocabulary = nullptr;  ///< null: there is none
  /// The file that the weights come from: if it is GGUF, all that it says and the new file does not say
  /// of itself is taken over as it is, the vocabulary too.
  const Reader& source;
};

/// llama.cpp's `tokenizer.ggml.token_type`: those that stand for text are normal or user-defined.
enum GgufToken : std::int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

/// "rwkv7"; empty for generations that llama.cpp does not know.
std::string gguf_architecture(std::string_view generation);

/// What llama.cpp's converter states for RWKV, which has no limit.
inline constexpr std::uint32_t kUsualContextLength = 1048576;

/// Whether GGUF has a place for this key of a card: lower case, digits, and "._-".
[[nodiscard]] bool is_gguf_key(std::string_view key);

std::vector<GgufEntry> gguf_metadata(const GgufFacts& facts);

/// A token as GGUF has it: what Python prints between the quotes of a bytes object.
std::string gguf_escaped(std::string_view token);

}  // namespace prwkv
