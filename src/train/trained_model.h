/// A model of which something is trained: all of it, adapters beside it, or the state it begins with.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "models/export.h"
#include "models/loader.h"
#include "train/back_propagation.h"
#include "train/optimizer.h"

namespace prwkv {

enum class Method {
  kFull,   ///< the parameters themselves
  kLora,   ///< low-rank adapters of matrices, which stay as they are, in any type
  kState,  ///< the initial state of RWKV-5, 6 and 7
};

/// "full", "lora", "state"
[[nodiscard]] std::string_view name_of(Method method);

/// Parts of a model, as --parts names them.
///
///     emb, head    the embedding; the matrix that makes logits
///     ln           all norms
///     att, ffn     matrices of time mix and channel mix, low-rank pairs among them
///     time         their vectors: shifts, decays, bonuses, …
[[nodiscard]] std::string_view part_of(const Param& param);
[[nodiscard]] const std::vector<std::string_view>& part_names();

struct Selection {
  Method method = Method::kFull;
  /// Blocks that take part, of all that have one; empty: all.
  std::set<int> layers{};
  /// With kFull: what is trained; empty: all. With kLora: of att, ffn and head the matrices get adapters, the others are trained
  /// as a whole; empty: att and ffn.
  std::set<std::string, std::less<>> parts{};
  std::int64_t lora_rank = 16;
  double lora_alpha = 32;
  std::uint64_t seed = 0;  ///< of new adapters
};

class TrainedModel {
 public:
  /// Loads a model for a backend with Packing::kEachCall. With kLora, options.lora may name adapters to go on with, and their
  /// rank counts; with kState, `init_state` a state. Throws what load_model throws, and
  /// Error{kInvalidArgument} for a selection of nothing.
  TrainedModel(const std::string& path, Backend& backend, const Selection& selection,
               LoadOptions options = {}, const std::string& init_state = {});

  [[nodiscard]] const Model& model() const { return *model_.model; }
  [[nodiscard]] const Checkpoint& file() const { return *model_.file; }
  [[nodiscard]] const Fingerprint& fingerprint() const { return model_.fingerprint; }
  /// Tells the file that training began with from others: XXH3 of names, and of the first values of each tensor.
  [[nodiscard]] std::uint64_t start_hash() const;
  /// The same of the adapters or the state that it goes on with; 0: of none.
  [[nodiscard]] std::uint64_t given_hash() const { return given_hash_; }
  [[nodiscard]] Backend& backend() const { return backend_; }
  [[nodiscard]] const Selection& selection() const { return selection_; }
  [[nodiscard]] std::span<const Trained> parameters() const { return trained_; }
  /// Empty unless the state is trained.
  [[nodiscard]] const InitialState& initial_state() const { return initial_; }

  /// Elements of all parameters, and of those that are trained.
  [[nodiscard]] std::int64_t elements() const { return elements_; }
  [[nodiscard]] std::int64_t trained_elements() const;
  /// Bytes of all weights in memory, adapters and states included; weights that stay in a mapped file too.
  [[nodiscard]] std::size_t weight_bytes() const;
  /// Multiplications and additions of matrix products in a token's way there and back: 2 an element forward, 2 for the gradient
  /// of the input, 2 for that of the matrix if it is trained. The head counts, the embedding does not, nor do recurrences and
  /// what is computed twice.
  [[nodiscard]] double flops_per_token() const { return flops_; }

  /// Writes what was trained: a model in the layout of the one it came from (full), adapters, or a state. `dtype`: of the
  /// matrices of a model; empty: as they were, where that is a float type, else f32.
  void save(const std::string& path, std::optional<DType> dtype = {}) const;

 private:
  void add_adapters(const Selection& selection, const std::set<std::string>& matrices);
  void add_states(const std::string& init_state);
  [[nodiscard]] Tensor make(const Shape& shape);
  void save_model(const std::string& path, std::optional<DType> dtype) const;
  void save_parts(const std::string& path) const;

  Backend& backend_;
  Selection selection_;
  LoadedModel model_;
  std::vector<Param> whole_;  // parameters that are trained themselves, in front of trained_
  std::vector<Trained> trained_;
  std::vector<Trained> kept_;  // states of layers that do not take part: they are written again
  InitialState initial_;
  std::int64_t elements_ = 0;
  double flops_ = 0;
  std::uint64_t given_hash_ = 0;
};

}  // namespace prwkv
