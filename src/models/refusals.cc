#include "models/refusals.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/quote.h"

namespace prwkv {
namespace {

struct Known {
  std::string_view tensor;  ///< any block's number stands as '#'; '*' at the end: any rest
  std::string_view what, hint;
};

constexpr std::string_view kElsewhere =
    "prwkv runs RWKV 4 to 7; transformers or llama.cpp run other models";
constexpr std::string_view kHybrid =
    "its attention is RWKV's, the rest Qwen's: llama.cpp runs it, this version does not";
constexpr std::string_view kResearch = "it is not a language model of a released generation";

// The first row that fits is the message, so hybrids come before what they are made of.
constexpr Known kKnown[] = {
    {"model.layers.#.self_attn.time_maa_*", "QRWKV6 (rwkv6qwen2)", kHybrid},
    {"model.layers.#.self_attn.time_mixer.*", "ARWKV-7 (arwkv7)", kHybrid},
    {"model.layers.#.self_attn.w_lora.*", "ARWKV-7 (arwkv7)", kHybrid},
    {"model.layers.#.self_attn.r_k", "ARWKV-7 (arwkv7)", kHybrid},
    {"model.layers.#.self_attn.*", "a transformer, not an RWKV model", kElsewhere},
    {"transformer.h.#.*", "a transformer, not an RWKV model", kElsewhere},
    {"gpt_neox.layers.#.*", "a transformer, not an RWKV model", kElsewhere},
    {"model.decoder.layers.#.*", "a transformer, not an RWKV model", kElsewhere},
    {"encoder.layer.#.*", "a transformer, not an RWKV model", kElsewhere},
    {"bert.encoder.layer.#.*", "a transformer, not an RWKV model", kElsewhere},
    {"backbone.layers.#.mixer.*", "a Mamba model, not an RWKV model", kElsewhere},
    {"blocks.#.rosa.*", "a ROSA language model (RWKV-8 research)", kResearch},
    {"rosa1.*", "a ROSA demonstration (RWKV-8 research)", kResearch},
    {"rwkv1.*", "a ROSA demonstration (RWKV-8 research)", kResearch},
};

// Files that go with a model; only if there is no embedding.
constexpr Known kParts[] = {
    {"blocks.#.att.time_state", "a tuned state, not a model",
     "give the model that it was tuned for, and this file with --init-state"},
    {"base_model.model.*", "a LoRA adapter, not a model",
     "give the model that it was trained on, and this file with --lora"},
};
constexpr std::string_view kAdapterParts[] = {".lora_A", ".lora_B", ".lora_A.weight", ".bone"};

/// Names of a file with the block's number as '#'.
class Names {
 public:
  explicit Names(const Reader& reader) {
    for (const StoredTensor& t : reader.tensors()) names_.insert(numbered(unwrapped(t.name)).name);
  }

  /// A name that fits, as it stands in the set; empty if there is none.
  [[nodiscard]] std::string_view match(std::string_view pattern) const {
    const bool open = pattern.ends_with('*');
    if (open) pattern.remove_suffix(1);
    const auto found = names_.lower_bound(pattern);
    if (found == names_.end()) return {};
    return open ? (found->starts_with(pattern) ? *found : std::string_view{})
                : (*found == pattern ? *found : std::string_view{});
  }
  [[nodiscard]] const std::set<std::string, std::less<>>& all() const { return names_; }

 private:
  std::set<std::string, std::less<>> names_;
};

[[noreturn]] void refuse(const Checkpoint& file, std::string_view what, std::string_view found,
                         std::string_view hint) {
  throw Error(Code::kUnsupported, fmt::format("{}: this is {}", file.path(), what),
              {.found = std::string(found), .hint = std::string(hint)});
}

/// GGUF says in one word what it holds.
void refuse_architecture(const Checkpoint& file) {
  const FileValue* value = file.reader().value("general.architecture");
  if (value == nullptr) return;
  const std::string architecture = value->str();
  if (architecture == "rwkv6" || architecture == "rwkv7") return;
  const std::string found = "general.architecture = " + in_quotes(architecture);
  if (architecture == "rwkv6qwen2") refuse(file, "QRWKV6 (rwkv6qwen2)", found, kHybrid);
  if (architecture == "arwkv7") refuse(file, "ARWKV-7 (arwkv7)", found, kHybrid);
  refuse(file, "no RWKV model", found, kElsewhere);
}

}  // namespace

void refuse_known(const Checkpoint& file) {
  refuse_architecture(file);
  const Names names(file.reader());
  const auto refuse_if = [&](const Known& known) {
    const std::string_view found = names.match(known.tensor);
    if (!found.empty()) refuse(file, known.what, in_quotes(found), known.hint);
  };
  for (const Known& known : kKnown) refuse_if(known);
  if (file.has("emb.weight")) return;
  for (const Known& known : kParts) refuse_if(known);
  for (const std::string& name : names.all()) {
    const auto ends = [&](std::string_view part) { return name.ends_with(part); };
    if (std::any_of(std::begin(kAdapterParts), std::end(kAdapterParts), ends))
      refuse(file, "a LoRA adapter, not a model", in_quotes(name), kParts[1].hint);
  }
}

void refuse_unknown(const Checkpoint& file) {
  const auto& tensors = file.reader().tensors();
  throw Error(
      Code::kUnsupported, file.path() + ": this holds no RWKV model that can be run",
      {.expected =
           "tensors named as in BlinkDL's checkpoints (emb.weight, blocks.0.att.…), or as in "
           "GGUF, rwkv.cpp or Hugging Face files of RWKV",
       .found = tensors.empty() ? "no tensors" : in_quotes(tensors[0].name) + " and others",
       .hint = "prwkv inspect lists what is in it"});
}

}  // namespace prwkv
