/// The small files that stand beside the weights in a Hugging Face folder: sizes, vocabulary, chat
/// template.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/model.h"
#include "models/model_card.h"

namespace prwkv {

struct HfFile {
  std::string name, content;
};

/// What hf_files() makes: config.json and generation_config.json as transformers (RWKV-4) and flash-linear-attention (6, 7) read
/// them, tokenizer_config.json, and the vocabulary if the size of the embedding tells which it is.
struct HfFacts {
  std::string_view generation;
  const Dims& dims;
  DType dtype = DType::kF32;  ///< of most weights
  double layer_norm_eps = 1e-5;
  const ModelCard& card;
};
std::vector<HfFile> hf_files(const HfFacts& facts);

}  // namespace prwkv
