/// Adapters folded into the weights of a model: W + alpha / rank · B A, as a file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/export.h"
#include "models/lora.h"

namespace prwkv {

struct MergeTarget {
  WeightFormat format = WeightFormat::kSafetensors;
  /// Of matrices; empty: as they are in the model, where that is a float type, else f16.
  std::optional<DType> dtype;
};

class Merge {
 public:
  /// Both files must outlive this. Throws what Export throws, and Error{kMismatch} for adapters of another model.
  Merge(const Checkpoint& file, LoraFile& lora, const MergeTarget& target);

  /// Matrices with adapters, and parameters that the adapters' file replaces as a whole.
  [[nodiscard]] std::int64_t matrices() const { return static_cast<std::int64_t>(pairs_.size()); }
  [[nodiscard]] std::int64_t replaced() const { return replaced_; }
  [[nodiscard]] std::uint64_t bytes() const { return plan_->bytes(); }
  /// Streams: some rows of a matrix are in memory at a time, and its A.
  void write(const std::string& path, const ExportProgress& progress = {}) const {
    plan_->write(path, progress);
  }

 private:
  /// A and B in double.
  struct Pair {
    std::int64_t in = 0, rank = 0;
    double scale = 1;
    std::vector<double> a, b;
  };
  void add(const Param& p, std::int64_t first, std::span<float> values) const;

  std::map<std::string, Pair, std::less<>> pairs_;
  std::int64_t replaced_ = 0;
  std::unique_ptr<Export> plan_;
};

}  // namespace prwkv
