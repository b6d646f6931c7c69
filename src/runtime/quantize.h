/// A model in block types: which tensor gets which, and a file of it.
///
///     Quantization q(checkpoint, WeightFormat::kGguf, {.type = DType::kQ4_0});
///     q.calibrate(tokens);          // optional
///     q.write("model.gguf");
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/export.h"
#include "models/loader.h"
#include "runtime/calibration.h"

namespace prwkv {

/// Errors do not cost the same everywhere: what the first layer and the embedding get wrong passes
/// through the whole model, and what the last layer and the head get wrong nothing averages out.
struct QuantizePolicy {
  DType type = DType::kQ8_0;  ///< of all matrices that nothing below is said about
  /// Empty: as protected_types() has it for `type`.
  std::optional<DType> head{}, embedding{}, first_layer{}, last_layer{};
  /// Of low-rank pairs, in GGUF files; rwkv.cpp's have them in f32.
  DType low_rank = kLowRankBlocks;
  /// Patterns of BlinkDL names, `*` standing for any characters, with the types of such matrices; the first
  /// that fits wins, above everything else.
  std::vector<std::pair<std::string, DType>> tensors{};
};

/// The defaults of the policy: types of embedding and head, and of the first and last layer.
struct ProtectedTypes {
  DType type, ends, borders;
};
[[nodiscard]] ProtectedTypes protected_types(DType type);
/// The types that a model can be quantized to.
[[nodiscard]] std::vector<DType> quantized_types();

/// A tensor of the new file.
struct QuantizedTensor {
  std::string name;  ///< BlinkDL's; of a stack of tensors, the first
  Param param;
  DType from, to;
  std::int64_t elements = 0;
  std::uint64_t bytes = 0;
  /// Why it has this type: "all others", "head", "vector", …
  std::string reason;
  /// "calibrated", "nearest" or "as it is".
  std::string rounding;
  quant::CalibratedCost cost;  ///< of those that are calibrated
};

class Quantization {
 public:
  /// `file` must outlive this. Throws what Export throws; Error{kInvalidArgument} for a pattern that
  /// fits no matrix.
  Quantization(const Checkpoint& file, WeightFormat format, QuantizePolicy policy);

  /// In the order of the file.
  [[nodiscard]] const std::vector<QuantizedTensor>& tensors() const { return tensors_; }
  [[nodiscard]] const Export& plan() const { return *export_; }
  /// BlinkDL names and types of the matrices that change into blocks, low-rank pairs among them: what a model takes that is to be
  /// rounded to nearest in the same way (LoadOptions::dtypes).
  [[nodiscard]] std::map<std::string, DType, std::less<>> matrix_types() const;

  /// Rounds all these as calibration.h says. `file` must be the one at its path.
  void calibrate(std::span<const std::int32_t> tokens, const CalibrationOptions& options = {},
                 const CalibrationProgress& progress = {});
  [[nodiscard]] bool is_calibrated() const { return !matrices_.empty(); }
  /// Streams the file; see Export::write.
  void write(const std::string& path, const ExportProgress& progress = {}) const;

 private:
  struct Choice {
    DType type;
    std::string_view reason;
  };
  [[nodiscard]] Choice choice_of(const Param& p) const;
  void make_plan();
  void list_tensors();
  void expect_patterns_fit() const;

  const Checkpoint& file_;
  WeightFormat format_;
  QuantizePolicy policy_;
  std::map<std::string, QuantizedMatrix> matrices_;
  std::unique_ptr<Export> export_;
  std::vector<QuantizedTensor> tensors_;
};

}  // namespace prwkv
