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

/// config.json and generation_config.json as transformers (RWKV-4) and flash-linear-attention (6, 7) read
/// them, tokenizer_config.json, and the vocabulary if the size of the embedding tells which it is.
std::vector<HfFile> hf_files(std::string_view generation, const Dims& dims, DType dtype,
                             const ModelCard& card);

}  // namespace prwkv
