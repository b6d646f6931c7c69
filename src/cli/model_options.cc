#include "cli/model_options.h"

#include <array>
#include <charconv>
#include <cmath>

#include "cli/text.h"
#include "models/random.h"
#include "runtime/default_model.h"

namespace prwkv::cli {

EngineOptions ModelOptions::engine_options() const {
  EngineOptions o;
  o.backend.name = backend;
  o.backend.threads = threads;
  o.backend.pinning = pin ? Pinning::kCores : Pinning::kNone;
  o.backend.sparsity = sparsity_of(sparsity);
  o.backend.packing = no_repack ? Packing::kNever : Packing::kOnce;
  o.load.groupnorm_eps = groupnorm_eps;
  o.load.lora = lora;
  o.load.lora_alpha = lora_alpha;
  o.load.lora_init = lora_init;
  o.init_state = init_state;
  o.tokenizer = vocab;
  const std::optional<DType> type = dtype.empty() ? std::nullopt : dtype_from_name(dtype);
  if (backend == "ref") {
    // Its weights stay as they are; the arithmetic is what can be chosen.
    o.backend.dtype = type.value_or(DType::kF64);
    if (o.backend.dtype != DType::kF64 && o.backend.dtype != DType::kF32) {
      throw Error(Code::kInvalidArgument, "--dtype: the backend 'ref' cannot compute in " + dtype,
                  {.expected = "f64 or f32"});
    }
    return o;
  }
  if (type == DType::kF64) {
    throw Error(Code::kInvalidArgument, "--dtype: f64 is for the backend 'ref'",
                {.expected = "f32, f16, bf16 or a block type", .hint = "add --backend ref"});
  }
  o.load.dtype = type;
  return o;
}

void ModelOptions::expect_model() const {
  if (model.empty()) default_model_path();
}

std::shared_ptr<Engine> ModelOptions::open() const { return Engine::open(model, engine_options()); }

namespace {

struct SparsityName {
  const char* name;
  Sparsity value;
};
constexpr std::array<SparsityName, 3> kSparsityNames = {
    {{"skip", Sparsity::kSkip}, {"keep", Sparsity::kKeep}, {"none", Sparsity::kNone}}};

}  // namespace

std::vector<std::string> sparsity_names() {
  std::vector<std::string> names;
  names.reserve(kSparsityNames.size());
  for (const SparsityName& s : kSparsityNames) names.emplace_back(s.name);
  return names;
}

Sparsity sparsity_of(const std::string& name) {
  for (const SparsityName& s : kSparsityNames) {
    if (name == s.name) return s.value;
  }
  fail(Code::kInvalidArgument, "--sparsity: there is no '{}'", name);
}

CLI::Option* add_zeros_option(CLI::App& command, double& zeros) {
  return command
      .add_option("--zeros", zeros,
                  "About which share of the channel mix's squared ReLUs is zero, as training makes "
                  "them")
      ->check(CLI::Range(kZerosByChance, 0.99))
      ->capture_default_str()
      ->type_name("SHARE");
}

std::vector<std::string> matrix_type_names() {
  std::vector<std::string> names;
  for (const DTypeInfo& t : dtypes()) {
    if (is_block(t.dtype) || (is_float(t.dtype) && t.dtype != DType::kF64))
      names.emplace_back(t.name);
  }
  return names;
}

void add_model_options(CLI::App& command, ModelOptions& o, WithVocab with_vocab) {
  command
      .add_option("MODEL", o.model,
                  "Weight file of any RWKV generation (.pth, .safetensors, .gguf, .bin), or a "
                  "folder (default: the model that "
                  "comes with prwkv)")
      ->type_name("FILE");
  const std::string group = "Model";
  command.add_option("--backend", o.backend, "cpu: threads and SIMD; ref: the slow specification")
      ->check(CLI::IsMember({"cpu", "ref"}))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  std::vector<std::string> types = matrix_type_names();
  types.emplace_back("f64");
  command
      .add_option("--dtype", o.dtype,
                  "cpu: convert the matrices while loading (default: as stored), block types by "
                  "rounding to nearest; ref: compute in f64 (default) or f32")
      ->check(CLI::IsMember(types))
      ->type_name("TYPE")
      ->group(group);
  command
      .add_option("--threads", o.threads, "Threads of the backend cpu; 0: one for each usable core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  command.add_flag("--pin", o.pin, "Threads of the backend cpu stay on one core each")
      ->group(group);
  command
      .add_option("--sparsity", o.sparsity,
                  "cpu: weights that meet a zero of a squared ReLU are not read (skip, the same "
                  "results), read all the same (keep), or laid out like all others (none)")
      ->check(CLI::IsMember(sparsity_names()))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  command
      .add_flag("--no-repack", o.no_repack,
                "cpu: f32, f16 and bf16 matrices stay in the mapped file: less memory of its own, "
                "quicker to load, slower to run")
      ->group(group);
  command
      .add_option("--groupnorm-eps", o.groupnorm_eps,
                  "eps of ln_x in RWKV 5, 6 and 7 (default 64e-5; some tools used 1e-5 for 5.x)")
      ->check(positive_number())
      ->type_name("EPS")
      ->group(group);
  CLI::Option* adapters =
      command
          .add_option(
              "--lora", o.lora,
              "Adapters (LoRA) to run the model with, of RWKV-PEFT or 'prwkv train'; on any "
              "type of weights")
          ->type_name("FILE")
          ->group(group);
  command
      .add_option("--lora-alpha", o.lora_alpha,
                  "alpha of their training (default: what the file says; RWKV-PEFT's do not)")
      ->needs(adapters)
      ->check(CLI::Number)
      ->type_name("A")
      ->group(group);
  command
      .add_option("--lora-init", o.lora_init,
                  "Where their training began, if they are PiSSA's: init_pissa.pth")
      ->needs(adapters)
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--init-state", o.init_state,
                  "Tuned state (time_state tensors) that every sequence begins with")
      ->type_name("FILE")
      ->group(group);
  if (with_vocab == WithVocab::kYes) {
    command.add_option("--vocab", o.vocab, std::string(kVocabHelp) + "; default: the model's")
        ->type_name("VOCAB")
        ->group(group);
  }
}

CLI::Validator positive_number() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        double value = 0;
        const auto [p, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool whole = error == std::errc{} && p == text.data() + text.size();
        if (whole && value > 0 && std::isfinite(value)) return {};
        return fmt::format("expected a positive number, found {}", one_line(text));
      },
      "");
}

CLI::Validator seed_number() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        std::uint64_t value = 0;
        const auto [p, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc{} && p == text.data() + text.size()) return {};
        return fmt::format("expected a whole number from 0 to 2^64 - 1, found {}", one_line(text));
      },
      "");
}

std::optional<std::string> PromptOptions::read() const {
  if (!file.empty()) return read_text(file);
  if (text && *text == "-") return read_text("-");
  return text;
}

std::array<CLI::Option*, 2> add_prompt_options(CLI::App& command, PromptOptions& o,
                                               const std::string& what) {
  CLI::Option* text = command.add_option_function<std::string>(
      "-p,--prompt", [&o](const std::string& given) { o.text = given; },
      what + "; '-' reads standard input");
  CLI::Option* file =
      command.add_option("--prompt-file", o.file, what + ", from a file")->type_name("FILE");
  file->excludes(text);
  return {text, file};
}

}  // namespace prwkv::cli
