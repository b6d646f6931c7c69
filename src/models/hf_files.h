/// The small files that stand beside the weights in a Hugging Face folder: sizes, vocabulary, chat
/// template.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/model.h"
#include "models/model_card.h"
#include "models/model_config.h"
#include "models/model_tokenizer.h"

namespace prwkv {

struct HfFile {
  std::string name, content;
};

/// What hf_files() makes: config.json and generation_config.json as transformers (RWKV-4) and flash-linear-attention (6, 7) read
/// them, tokenizer_config.json, and the vocabulary.
struct HfFacts {
  std::string_view generation;
  const Dims& dims;
  DType dtype = DType::kF32;  ///< of most weights
  NormEps eps;
  const ModelCard& card;
  const VocabularyFile* vocabulary = nullptr;  ///< null: there is none
};
std::vector<HfFile> hf_files(const HfFacts& facts);

/// The eps of ln_x that flash-linear-attention computes a 6 or 7 with, whatever config.json says:
/// norm_eps for each channel of a head in 7.
[[nodiscard]] double fla_group_norm_eps(const HfFacts& facts);

}  // namespace prwkv
