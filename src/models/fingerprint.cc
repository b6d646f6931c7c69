#include "models/fingerprint.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <vector>

#include "base/error.h"
#include "tensor/half.h"

namespace prwkv {
namespace {

constexpr std::size_t kDigits = 4;  // of a sample

/// The vectors that samples are taken from: every format keeps them unquantized, and training changes
/// them.
std::array<std::string, 4> sampled_vectors(std::int64_t layers) {
  return {"blocks.0.ln0.weight", "blocks.0.ln1.weight",
          fmt::format("blocks.{}.ln2.weight", layers - 1), "ln_out.weight"};
}
constexpr std::size_t kEach = Fingerprint::kSamples / 4;

/// Takes the samples of vector v from the middles of kEach equal parts.
void take_samples(const Source& vector, std::size_t v, Fingerprint& out) {
  SourceReader reader(vector);
  for (std::size_t i = 0; i < kEach; ++i) {
    const auto part = static_cast<std::int64_t>(2 * i + 1);
    float value = 0;
    reader.read(part * vector.numel() / static_cast<std::int64_t>(2 * kEach), std::span(&value, 1));
    out.samples[v * kEach + i] = to_bf16(value).bits;
  }
}

/// The place of a bf16 number among all of them. f16 rounds away what is below 2^−17 in units of its
/// own, so all that is one place.
int place(std::uint16_t bits) {
  constexpr float kTooSmall = 0x1p-17F;
  if (std::abs(to_float(bf16{bits})) < kTooSmall) return 0;
  const int smallest = to_bf16(kTooSmall).bits, magnitude = bits & 0x7fff;
  return (bits & 0x8000) == 0 ? magnitude - smallest + 1 : smallest - 1 - magnitude;
}

}  // namespace

std::string Fingerprint::str() const {
  std::string text;
  for (const std::uint16_t s : samples) text += fmt::format("{:04x}", s);
  return text;
}

std::optional<Fingerprint> Fingerprint::parse(std::string_view text) {
  Fingerprint f;
  if (text.size() != kSamples * kDigits) return std::nullopt;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const char *begin = text.data() + i * kDigits, *end = begin + kDigits;
    const auto [p, error] = std::from_chars(begin, end, f.samples[i], 16);
    if (error != std::errc{} || p != end) return std::nullopt;
  }
  return f;
}

bool same_weights(const Fingerprint& a, const Fingerprint& b) {
  return std::equal(
      a.samples.begin(), a.samples.end(), b.samples.begin(),
      [](std::uint16_t x, std::uint16_t y) { return std::abs(place(x) - place(y)) <= 1; });
}

Fingerprint fingerprint_of(Model& model, Backend& backend) {
  struct Samples final : ParamVisitor {
    Samples(std::int64_t layers, Backend& backend) : names(sampled_vectors(layers)), be(backend) {}
    void visit(const Param& p, Tensor& t) override {
      const auto name = std::find(names.begin(), names.end(), p.name);
      if (name == names.end()) return;
      std::vector<std::byte> bytes(t.bytes());
      be.download(bytes.data(), t);
      take_samples(Source::of(p.name, t.dtype, bytes, std::array{t.numel()}),
                   static_cast<std::size_t>(name - names.begin()), result);
    }
    std::array<std::string, 4> names;
    Backend& be;
    Fingerprint result;
  } samples(model.dims().L, backend);
  model.visit(samples);
  return samples.result;
}

Fingerprint fingerprint_of(const Checkpoint& file) {
  Fingerprint result;
  const auto names = sampled_vectors(file.layers());
  for (std::size_t v = 0; v < names.size(); ++v) {
    const Source* vector = file.find(names[v]);
    if (vector == nullptr || vector->numel() == 0) {
      throw Error(Code::kFormat,
                  fmt::format("{}: tensor '{}' is missing or empty", file.path(), names[v]),
                  {.hint = "is this checkpoint complete?"});
    }
    take_samples(*vector, v, result);
  }
  return result;
}

}  // namespace prwkv
