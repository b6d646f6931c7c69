/// The metadata that llama.cpp asks of an RWKV in GGUF: sizes, vocabulary, and the model's card.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/writer.h"
#include "models/model.h"
#include "models/model_card.h"

namespace prwkv {

struct GgufFacts {
  std::string_view generation;              ///< "6" or "7"
  const Dims& dims;                         ///< of the model
  DType dtype = DType::kF32;                ///< of most of its weights
  std::int64_t rescale_every_n_layers = 0;  ///< RWKV-6; 0: weights are as they are
  double layer_norm_eps = 1e-5;
  const ModelCard& card;
  /// A GGUF file whose vocabulary is taken over as it is; nullptr, or one without: the vocabulary
  /// that belongs to the size of the embedding, and none for other sizes.
  const Reader* vocabulary = nullptr;
};

/// llama.cpp's `tokenizer.ggml.token_type`: those that stand for text are normal or user-defined.
enum GgufToken : std::int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

/// "rwkv7"; empty for generations that llama.cpp does not know.
std::string gguf_architecture(std::string_view generation);

std::vector<GgufEntry> gguf_metadata(const GgufFacts& facts);

/// A token as GGUF has it: what Python prints between the quotes of a bytes object.
std::string gguf_escaped(std::string_view token);

}  // namespace prwkv
