/// Writing a model into a file of another format, naming or element type: a plan first, then a stream.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint.h"
#include "models/hf_files.h"
#include "models/loader.h"
#include "models/model_card.h"
#include "models/model_tokenizer.h"

namespace prwkv {

class Writer;

enum class WeightFormat { kSafetensors, kPth, kGguf, kRwkvCpp };
/// "safetensors", "PyTorch", "GGUF", "rwkv.cpp"
std::string_view name_of(WeightFormat format);
/// By the extension, in upper or lower case: .safetensors, .pth, .pt, .gguf, .bin; empty for all others.
std::optional<WeightFormat> weight_format_of(std::string_view path);

/// Of safetensors and PyTorch files. GGUF and rwkv.cpp have names of their own.
enum class ExportNames { kBlinkdl, kHuggingFace };

struct ExportOptions {
  WeightFormat format = WeightFormat::kSafetensors;
  ExportNames names = ExportNames::kBlinkdl;
  /// Empty: each matrix keeps its type. What a format wants in f32 (GGUF and rwkv.cpp: vectors and
  /// low-rank parts) is f32 in any case, what a block type does not fit gets quant::fitting's, and
  /// rwkv.cpp's files have embedding and head in no block type.
  std::optional<DType> dtype;
  /// The same for each parameter by itself; above `dtype` where it gives a type. GGUF's low-rank pairs too, but not
  /// their stacks.
  std::function<std::optional<DType>(const Param&)> dtype_of{};
  /// Values that take the place of the file's, by BlinkDL name and in BlinkDL's layout; the bytes must
  /// outlive the plan.
  std::map<std::string, Source, std::less<>> replaced{};
  /// Parameters whose values change on the way, in BlinkDL's layout: `values` are elements from number `first` on. Called from
  /// several threads.
  std::function<bool(const Param&)> adjusts{};
  std::function<void(const Param&, std::int64_t first, std::span<float> values)> adjust{};
  /// The file is the model.safetensors of a Hugging Face folder; hf_files() makes its other files.
  bool in_hf_folder = false;
};

/// Called with the bytes done, of all; false stops.
using ExportProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// A file to be written: every name, shape and type of it is known, no value has been read.
class Export {
 public:
  /// `file` must outlive the plan. Throws Error{kUnsupported} for what the format cannot hold, norms
  /// with another eps than it can state among it, and
  /// Error{kFormat} for a file that is incomplete or no RWKV.
  Export(const Checkpoint& file, const ExportOptions& options);
  ~Export();

  [[nodiscard]] const Detected& model() const { return model_; }
  /// What stands beside the weights in a Hugging Face folder.
  [[nodiscard]] std::vector<HfFile> hf_files() const;
  [[nodiscard]] const std::vector<TensorSpec>& tensors() const { return specs_; }
  /// What tensors()[i] is to the model, and where its values come from.
  [[nodiscard]] const NamedTensor& named(std::size_t i) const { return named_[i]; }
  /// Of all tensors.
  [[nodiscard]] std::uint64_t bytes() const;
  /// The type that most elements have.
  [[nodiscard]] DType main_dtype() const;
  /// Matrices that have another type than the block type that was asked for, by the type they have: what it
  /// does not fit (quant::fitting), and rwkv.cpp's embedding and head.
  [[nodiscard]] const std::map<DType, std::int64_t>& stand_ins() const { return stand_ins_; }
  /// BlinkDL names of what the source has and the new file has no place for.
  [[nodiscard]] const std::vector<std::string>& left_out() const { return left_out_; }
  /// What else the source says and the new file has no place for, in words.
  [[nodiscard]] const std::vector<std::string>& not_carried() const { return not_carried_; }

  /// Streams the values. Memory: some megabytes, and pages of the source that are given back as soon
  /// as they are done. Throws Error{kFile}; Error{kUnsupported} naming a tensor with values that its
  /// new type cannot hold; Error{kCancelled}. Whatever stood at `path` before stays in each case.
  void write(const std::string& path, const ExportProgress& progress = {}) const;

 private:
  [[nodiscard]] const Source& source_of(const Param& param) const;
  [[nodiscard]] DType type_of(const NamedTensor& tensor);  ///< and counts stand-ins
  [[nodiscard]] DType fitting_block(const NamedTensor& tensor, DType wanted, DType kept) const;
  [[nodiscard]] DType kept_type_of(const NamedTensor& tensor) const;
  void expect_storable(std::string_view what, DType dtype) const;
  void add_unlisted(Model& model);
  void check_eps();
  void note_what_is_lost();
  [[nodiscard]] HfFacts hf_facts() const;
  [[nodiscard]] std::unique_ptr<Writer> open(const std::string& path) const;

  const Checkpoint& file_;
  ExportOptions options_;
  Detected model_;
  ModelCard card_;
  std::optional<VocabularyFile> vocabulary_;
  NormEps eps_;
  std::int64_t rescale_ = 0;  ///< rescale_every_n_layers
  std::vector<NamedTensor> named_;
  std::vector<TensorSpec> specs_;  ///< one for each of these
  std::map<DType, std::int64_t> stand_ins_;
  std::vector<std::string> left_out_, not_carried_;
};

}  // namespace prwkv
