/// What tells one model's weights from another's, in every format and quantization.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "models/checkpoint.h"
#include "models/model.h"

namespace prwkv {

/// Sixteen values of a model's norm vectors, rounded to bf16. Not a hash: a value stored as f32, f16
/// or bf16 comes back as one of two neighbouring bf16 numbers, and no hash can be the same for both
/// (docs/numerics.md, "Fingerprint").
struct Fingerprint {
  static constexpr std::size_t kSamples = 16;
  std::array<std::uint16_t, kSamples> samples{};  ///< bf16 bit patterns

  /// 64 hexadecimal digits, four a sample.
  [[nodiscard]] std::string str() const;
  /// The same back; empty for any other text.
  [[nodiscard]] static std::optional<Fingerprint> parse(std::string_view text);
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// Whether each sample of one is that of the other or next to it.
[[nodiscard]] bool same_weights(const Fingerprint& a, const Fingerprint& b);

/// Of a model whose parameters are bound to `backend`'s memory.
[[nodiscard]] Fingerprint fingerprint_of(Model& model, Backend& backend);
/// Of a file with a model in it. Touches four small vectors, no matrix. Throws Error{kFormat} if one
/// of them is missing.
[[nodiscard]] Fingerprint fingerprint_of(const Checkpoint& file);

}  // namespace prwkv
