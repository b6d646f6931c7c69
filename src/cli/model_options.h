/// MODEL and how it is run: the options that every command with a model has.
#pragma once

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace prwkv::cli {

struct ModelOptions {
  std::string model, backend = "cpu", dtype, vocab;
  int threads = 0;
  bool pin = false, no_repack = false;
  std::string sparsity = "skip";
  std::optional<double> groupnorm_eps;
  std::string lora, lora_init, init_state;
  std::optional<double> lora_alpha;

  /// What the library is asked for. Throws Error{kInvalidArgument} for options that contradict.
  [[nodiscard]] EngineOptions engine_options() const;
  /// Throws Error{kFile} if no model was named and there is no default model.
  void expect_model() const;
  [[nodiscard]] std::shared_ptr<Engine> open() const;
};

/// Names of Sparsity, and back.
std::vector<std::string> sparsity_names();
[[nodiscard]] Sparsity sparsity_of(const std::string& name);

/// The types that matrices can be kept in: f32, f16, bf16 and the block types, q4_0 to iq4_xs.
std::vector<std::string> matrix_type_names();

enum class WithVocab { kNo, kYes };
/// Adds the positional MODEL and the options.
void add_model_options(CLI::App& command, ModelOptions& o, WithVocab with_vocab = WithVocab::kYes);

/// The text to start from. An empty text is a text.
struct PromptOptions {
  std::optional<std::string> text;
  std::string file;
  /// Empty if none was given. Throws Error{kFile}.
  [[nodiscard]] std::optional<std::string> read() const;
};
/// Adds --prompt and --prompt-file.
std::array<CLI::Option*, 2> add_prompt_options(CLI::App& command, PromptOptions& o,
                                               const std::string& what);

/// Adds --zeros, for random weights.
CLI::Option* add_zeros_option(CLI::App& command, double& zeros);

/// Checks of values that CLI11 has none for: a finite number above 0; 64 bits without a sign.
CLI::Validator positive_number();
CLI::Validator seed_number();

constexpr const char* kVocabHelp =
    "Vocabulary: world, neox, bytes, or a file (rwkv_vocab text or tokenizer.json)";

}  // namespace prwkv::cli
