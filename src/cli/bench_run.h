/// One model in one type on so many threads, measured phase by phase, and what each phase has to do
/// at the very least.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "runtime/engine.h"

namespace prwkv::cli {

/// What to open.
struct BenchCase {
  std::string model;    ///< a weight file, or the shape of a random model
  bool random = false;  ///< which of the two
  std::string dtype;    ///< empty: as stored; f16 for a random model
  int threads = 0;      ///< 0: one for each usable core
  std::uint64_t seed = 0;
  bool pin = false;
  std::string sparsity = "skip";
  double zeros = 0.5;  ///< of a random model: see ModelShape::zeros

  /// "rwkv7:0.4b in q8_0"
  [[nodiscard]] std::string name() const;
  /// Memory that the weights need, near enough to say what fits beside what.
  [[nodiscard]] std::size_t planned_bytes() const;
};

/// How much of it is measured.
struct BenchSizes {
  std::vector<int> prompt_tokens = {512};
  std::vector<int> batch;  ///< numbers of sequences that are generated together
  int gen_tokens = 32;
  bool ragged = false;  ///< sequences of unequal length
};

/// Operations of matrices, by the arithmetic that multiplies them.
struct Operations {
  double fma = 0;   ///< f32 and f16 weights
  double bf16 = 0;  ///< bf16 weights
  double int8 = 0;  ///< block types
  [[nodiscard]] double total() const { return fma + bf16 + int8; }
  /// At the peaks of the machine. bf16 counts as f32 where the processor does not multiply it.
  [[nodiscard]] double least_seconds(const MachineLimits& limits) const;
  Operations operator+(const Operations& o) const {
    return {fma + o.fma, bf16 + o.bf16, int8 + o.int8};
  }
  Operations operator*(double x) const { return {fma * x, bf16 * x, int8 * x}; }
};

/// What the model asks for, whoever computes it.
struct ModelCost {
  double weight_bytes = 0;    ///< all matrices but the embedding, and the vectors
  double sequence_bytes = 0;  ///< of a sequence: a row of the embedding, the state read and written
  Operations body, head;      ///< of one token

  [[nodiscard]] double token_bytes() const { return weight_bytes + sequence_bytes; }
  [[nodiscard]] double step_bytes(int sequences) const {
    return weight_bytes + sequence_bytes * sequences;
  }
  /// Of a token of a prompt, whose last token alone goes through the head.
  [[nodiscard]] Operations prompt(int tokens) const { return body + head * (1.0 / tokens); }
  [[nodiscard]] Operations batch() const { return body + head; }
};

/// Seconds of the first tokens in a process, as the tables of the first RWKV programs have them.
struct FirstTokens {
  static constexpr int kCount = 25;
  double seconds = 0;  ///< of the first kCount tokens
  double warmup = 0;   ///< the first one beyond a usual one
};

class BenchRun {
 public:
  /// Opens the model and generates the first tokens, then runs every phase once, uncounted: pages
  /// and caches warm up, and all memory that a run needs has been touched. Throws Error.
  BenchRun(const BenchCase& what, const BenchSizes& sizes);

  // Each adds a sample to `rates`, and returns it: tokens/s.
  double generation();
  double prompt(int tokens);
  double batch(int sequences);
  struct Rates {
    std::vector<double> generation;
    std::map<int, std::vector<double>> prompt, batch;  ///< by tokens, by sequences
  } rates;

  [[nodiscard]] const BenchCase& what() const { return what_; }
  [[nodiscard]] const BenchSizes& sizes() const { return sizes_; }
  [[nodiscard]] const ModelInfo& info() const { return engine_->info(); }
  [[nodiscard]] CpuBackend& backend() const;
  [[nodiscard]] const ModelCost& cost() const { return cost_; }
  [[nodiscard]] double load_seconds() const { return load_seconds_; }
  [[nodiscard]] const FirstTokens& first_tokens() const { return first_; }
  /// The most that was resident because of this model.
  [[nodiscard]] std::size_t peak_resident_bytes() const { return peak_; }
  /// Tokens that a batch generates in all.
  [[nodiscard]] int batch_tokens(int sequences) const;
  /// Of the last logits after generation: two runs of one build must agree.
  [[nodiscard]] std::uint64_t logits_hash() const { return hash_; }
  /// Bytes of weights that a generated token need not read, on average: they meet zeros.
  [[nodiscard]] double skipped_bytes() const { return skipped_bytes_; }
  [[nodiscard]] double batch_skipped_bytes(int sequences) const {
    return batch_skipped_bytes_.at(sequences);
  }

 private:
  [[nodiscard]] std::vector<std::int32_t> tokens(int count) const;
  [[nodiscard]] int length(int sequence) const;
  [[nodiscard]] double skipped_since(const CpuBackend::Skipping& before) const;
  double time_generation();
  double time_prompt(int tokens);
  double time_batch(int sequences);

  BenchCase what_;
  BenchSizes sizes_;
  double load_seconds_ = 0;
  FirstTokens first_;
  std::size_t peak_ = 0;
  std::uint64_t hash_ = 0;
  double skipped_bytes_ = 0;
  std::map<int, double> batch_skipped_bytes_;  // by sequences
  std::shared_ptr<Engine> engine_;
  std::vector<Session> sessions_;
  ModelCost cost_;
};

}  // namespace prwkv::cli
