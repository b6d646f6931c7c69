#include "models/hf_files.h"

#include "base/json.h"
#include "tokenizer/embedded.h"
#include "tokenizer/tokenizer.h"

namespace prwkv {
namespace {

std::string_view torch_name(DType dtype) {
  if (dtype == DType::kF16) return "float16";
  return dtype == DType::kBF16 ? "bfloat16" : "float32";
}

// transformers' RwkvConfig; the ports of 5 share its keys.
OrderedJson config4(const Dims& d) {
  return {{"architectures", {"RwkvForCausalLM"}},
          {"model_type", "rwkv"},
          {"context_length", 1024},
          {"hidden_size", d.C},
          {"num_hidden_layers", d.L},
          {"attention_hidden_size", d.A},
          {"intermediate_size", d.F}};
}

OrderedJson config5(const Dims& d) {
  return {{"architectures", {"Rwkv5ForCausalLM"}},
          {"model_type", "rwkv5"},
          {"hidden_size", d.C},
          {"num_hidden_layers", d.L},
          {"attention_hidden_size", d.A},
          {"intermediate_size", d.F},
          {"num_attention_heads", d.H},
          {"head_size", d.N}};
}

OrderedJson config6(const Dims& d) {
  return {{"architectures", {"RWKV6ForCausalLM"}},
          {"model_type", "rwkv6"},
          {"hidden_size", d.C},
          {"num_hidden_layers", d.L},
          {"intermediate_size", d.F},
          {"hidden_act", "sqrelu"},
          {"num_heads", d.H},
          {"expand_k", 1.0},
          {"expand_v", 1.0},
          {"proj_low_rank_dim", d.ranks.at("mix")},
          {"gate_low_rank_dim", d.ranks.at("decay")},
          {"norm_first", true},
          {"norm_bias", true}};
}

OrderedJson config7(const Dims& d) {
  return {{"architectures", {"RWKV7ForCausalLM"}},
          {"model_type", "rwkv7"},
          {"hidden_size", d.C},
          {"num_hidden_layers", d.L},
          {"intermediate_size", d.F},
          {"hidden_act", "sqrelu"},
          {"head_dim", d.N},
          {"num_heads", d.H},
          {"decay_low_rank_dim", d.ranks.at("w")},
          {"a_low_rank_dim", d.ranks.at("a")},
          {"v_low_rank_dim", d.ranks.contains("v") ? OrderedJson(d.ranks.at("v")) : OrderedJson()},
          {"gate_low_rank_dim", d.ranks.at("g")},
          {"norm_first", true},
          {"norm_bias", true}};
}

OrderedJson config_json(std::string_view generation, const Dims& d) {
  if (generation.starts_with('4')) return config4(d);
  if (generation.starts_with('5')) return config5(d);
  return generation == "6" ? config6(d) : config7(d);
}

HfFile json_file(std::string name, const OrderedJson& json) {
  return {std::move(name), json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n"};
}

}  // namespace

std::vector<HfFile> hf_files(const HfFacts& f) {
  OrderedJson config = config_json(f.generation, f.dims);
  config[f.generation < "6" ? "layer_norm_epsilon" : "norm_eps"] = f.layer_norm_eps;
  config["vocab_size"] = f.dims.V;
  config["bos_token_id"] = config["eos_token_id"] = 0;
  config["tie_word_embeddings"] = false;
  config["use_cache"] = true;
  config["torch_dtype"] = torch_name(f.dtype);
  // Halving activations keeps f16 in range; the epsilon of the norms is not halved with them.
  if (f.generation < "6") config["rescale_every"] = f.dtype == DType::kF16 ? 6 : 0;
  std::vector<HfFile> files = {
      json_file("config.json", config),
      json_file("generation_config.json", {{"bos_token_id", 0}, {"eos_token_id", 0}})};

  OrderedJson tokenizer = OrderedJson::object();
  const std::string_view vocabulary = Tokenizer::default_name(f.dims.V);
  if (vocabulary == "neox") {
    files.push_back({"tokenizer.json", embedded_neox_json()});
    for (const char* key : {"bos_token", "eos_token", "unk_token"})
      tokenizer[key] = "<|endoftext|>";
    tokenizer["tokenizer_class"] = "GPTNeoXTokenizerFast";
  } else if (vocabulary == "world") {
    files.push_back({"rwkv_vocab_v20230424.txt", embedded_world_vocab()});
  }
  const auto chat = f.card.find(kChatTemplate);
  if (chat != f.card.end()) tokenizer[kChatTemplate] = chat->second;
  if (!tokenizer.empty()) files.push_back(json_file("tokenizer_config.json", tokenizer));
  return files;
}

}  // namespace prwkv
