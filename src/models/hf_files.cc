#include "models/hf_files.h"

#include <cmath>

#include "base/json.h"

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

double head_size_divisor(double group_norm_eps) {
  const double exact = std::sqrt(group_norm_eps / 1e-5), rounded = std::round(exact * 1e6) / 1e6;
  // The root of decimals may be 7.999999999999999.
  return std::abs(exact - rounded) < 1e-12 * exact ? rounded : exact;
}

/// The text of the special token 0 of a tokenizer.json.
std::string end_of_text(const Json& json) {
  for (const Json& token : json.value("added_tokens", Json::array())) {
    if (token.at("id") == 0 && token.at("special") == true) return token.at("content");
  }
  return "";
}

HfFile json_file(std::string name, const OrderedJson& json) {
  return {std::move(name), json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n"};
}

}  // namespace

double fla_group_norm_eps(const HfFacts& f) {
  if (f.generation != "7") return kBlinkdlEps.group_norm;
  return static_cast<double>(f.dims.N) * f.eps.layer_norm;
}

std::vector<HfFile> hf_files(const HfFacts& f) {
  OrderedJson config = config_json(f.generation, f.dims);
  config[f.generation < "6" ? "layer_norm_epsilon" : "norm_eps"] = f.eps.layer_norm;
  // BlinkDL's trainer divides what goes into ln_x by 8. The ports of 5 have a key for it; others are
  // given it where they would compute something else.
  if (f.generation >= "5" && (f.generation < "6" || f.eps.group_norm != fla_group_norm_eps(f)))
    config["head_size_divisor"] = head_size_divisor(f.eps.group_norm);
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
  if (f.vocabulary != nullptr) {
    files.push_back({f.vocabulary->file_name, f.vocabulary->content});
    if (f.vocabulary->is_bpe()) {
      const std::string end = end_of_text(parse_json(f.vocabulary->content, "tokenizer.json"));
      for (const char* key : {"bos_token", "eos_token", "unk_token"}) {
        if (!end.empty()) tokenizer[key] = end;
      }
      tokenizer["tokenizer_class"] = "GPTNeoXTokenizerFast";
    }
  }
  const auto chat = f.card.find(kChatTemplate);
  OrderedJson templates = OrderedJson::array();
  for (const auto& [key, text] : f.card) {
    if (key.starts_with(kNamedTemplate))
      templates.push_back({{"name", key.substr(kNamedTemplate.size())}, {"template", text}});
  }
  if (chat != f.card.end()) {
    if (templates.empty())
      tokenizer[kChatTemplate] = chat->second;
    else
      templates.push_back({{"name", "default"}, {"template", chat->second}});
  }
  if (!templates.empty()) tokenizer[kChatTemplate] = templates;
  if (!tokenizer.empty()) files.push_back(json_file("tokenizer_config.json", tokenizer));
  return files;
}

}  // namespace prwkv
