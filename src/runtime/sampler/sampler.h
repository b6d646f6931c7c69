/// From logits to a token: a chain of processors that narrow and reshape the candidates, then one
/// draw.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace prwkv {

struct Candidate {
  std::int32_t id;
  float logit;
};

/// The tokens still possible. Processors remove candidates or change their logits; they keep the
/// set non-empty.
struct Candidates {
  std::vector<Candidate> list;
  bool sorted = false;  ///< by logit, highest first, lower id first among equals
  /// Sorts at least the first `n` places (all if n is larger); cheap if already sorted.
  void sort(std::size_t n);
};

/// One step of the chain; each in a file of its own with its formula and source. Copies carry their
/// own memory.
class Processor {
 public:
  virtual ~Processor() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  virtual void apply(Candidates& candidates) = 0;
  /// A token was chosen (penalties and mirostat learn from it).
  virtual void accept(std::int32_t) {}
  virtual void reset() {}
  [[nodiscard]] virtual std::unique_ptr<Processor> clone() const = 0;
  /// What must be remembered so that a resumed session goes on as if never stopped; null if
  /// nothing.
  [[nodiscard]] virtual Json memory() const { return nullptr; }
  virtual void restore(const Json&) {}
};

std::unique_ptr<Processor> make_top_p(double p);  // keep the head of the distribution
std::unique_ptr<Processor> make_top_k(int k);     // keep the k most likely
std::unique_ptr<Processor> make_temperature(double temperature);  // z ← z / T

/// Uniform numbers in [0, 1) from a counter: the whole state is two integers, the same on every
/// machine and compiler (the distributions of <random> are not). SplitMix64, Steele et al. 2014.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0) : seed_(seed) {}
  double uniform();
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::uint64_t drawn() const { return drawn_; }
  void restore(std::uint64_t seed, std::uint64_t drawn) { seed_ = seed, drawn_ = drawn; }

 private:
  std::uint64_t seed_, drawn_ = 0;
};

struct SamplingOptions {
  double temperature = 1.0;  ///< 0: always the most likely token, the lowest id among equals
  double top_p = 0.85;       ///< in [0, 1]; 1: off
  int top_k = 0;             ///< 0: off
  std::uint64_t seed = 0;
};

/// A chain and its random numbers. BlinkDL's order: the distribution is cut first and its
/// temperature changed afterwards, so that top_p means a share of what the model said.
class Sampler {
 public:
  /// Throws Error{kInvalidArgument} for values out of range.
  explicit Sampler(const SamplingOptions& options = {});
  Sampler(const Sampler& other);
  Sampler& operator=(const Sampler& other);
  Sampler(Sampler&&) noexcept = default;
  Sampler& operator=(Sampler&&) noexcept = default;

  /// Chooses one token. −∞ is a token that cannot be. Throws Error{kInvalidArgument} if a logit is
  /// NaN or +∞, or none is finite.
  std::int32_t sample(std::span<const float> logits);
  /// "top_p > top_k > temperature", or "greedy"
  [[nodiscard]] std::string description() const;
  [[nodiscard]] const SamplingOptions& options() const { return options_; }
  /// Everything a session file needs: the options, what the chain remembers, the place in the
  /// random sequence.
  [[nodiscard]] Json memory() const;
  /// Becomes the sampler that `memory` describes. Throws Error{kFormat}, unchanged, for anything
  /// else.
  void restore(const Json& memory);
  /// Goes on with the random numbers where `other` stands, whatever the options of the two.
  void continue_random(const Sampler& other) { random_ = other.random_; }

 private:
  SamplingOptions options_;
  std::vector<std::unique_ptr<Processor>> chain_;
  Random random_;
  // Scratch of one call, kept so that sampling does not allocate.
  Candidates candidates_;
  std::vector<float> weights_;
};

}  // namespace prwkv
