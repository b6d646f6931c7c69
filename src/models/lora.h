/// Low-rank adapters (LoRA): W becomes W + alpha / rank · B A. Files as RWKV-PEFT and `prwkv train` write them.
///
///     blocks.0.att.key.lora_A   (rank, in)     of blocks.0.att.key.weight
///     blocks.0.att.key.lora_B   (out, rank)
///     blocks.0.ln1.weight       (C)            a whole parameter that was trained too: it replaces the model's
///
/// PiSSA (Meng et al. 2024) trains pairs that were taken out of W: W - B0 A0 + B A, without alpha. Its files look the same, and a
/// second one, init_pissa.pth, has B0 and A0 as .init_lora_B and .init_lora_A. Both pairs together are one of twice the rank, (B, -B0)
/// and (A; A0).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/reader.h"
#include "models/model.h"
#include "models/source.h"

namespace prwkv {

/// Adapters by the name of their matrix. Addresses do not change.
using Adapters = std::map<std::string, std::unique_ptr<Adapter>, std::less<>>;

/// "blocks.0.att.key.weight" -> "blocks.0.att.key.lora_A"
[[nodiscard]] std::string lora_name(std::string_view matrix, char which);
/// What our own files say of alpha, in their metadata.
inline constexpr const char* kLoraAlphaKey = "lora_alpha";

class LoraFile {
 public:
  /// `alpha` is that of the training, absent with PiSSA; our own safetensors files say it themselves. Throws Error{kFile | kFormat}, with
  /// kInvalidArgument for an alpha that nobody says, and kUnsupported for other kinds of adapters.
  /// `init`: PiSSA's file of initial pairs; empty for LoRA.
  LoraFile(const std::string& path, std::optional<double> alpha, const std::string& init = {});

  /// The pair of a matrix, checked against its shape; absent if it has none.
  struct Pair {
    std::int64_t rank;         ///< of these; twice the file's with PiSSA
    std::vector<double> a, b;  ///< (rank, in), (out, rank)
    float scale;               ///< alpha / the file's rank; 1 with PiSSA
  };
  [[nodiscard]] std::optional<Pair> pair_of(const Param& matrix);
  /// What replaces a parameter of a model of these sizes; absent for most.
  [[nodiscard]] std::optional<Source> whole(const Param& param, const Dims& dims);
  /// Whether whole() gave something for a parameter of this name.
  [[nodiscard]] bool replaces(std::string_view name) const { return replaced_.contains(name); }
  /// Throws Error{kMismatch} if the file has a tensor that nobody asked for: it belongs to another model.
  void expect_all_used() const;
  [[nodiscard]] const std::string& path() const { return reader_->path(); }
  [[nodiscard]] const Reader& reader() const { return *reader_; }
  [[nodiscard]] double alpha() const { return alpha_; }

 private:
  /// PiSSA's initial pairs.
  explicit LoraFile(const std::string& path);
  [[nodiscard]] std::optional<Pair> pair_of(const Param& p, std::string_view prefix);
  const StoredTensor* take(std::string_view name);
  std::vector<double> values(std::string_view name);

  std::unique_ptr<Reader> reader_;
  double alpha_ = 0;
  std::set<std::string, std::less<>> unused_, replaced_;
  std::unique_ptr<LoraFile> init_;  // PiSSA's
};

}  // namespace prwkv
