/// Training data as numbered samples: what a trainer asks for, in which order, and what is held out for
/// validation. A sample is a pure function of data, options and its number, so a run that was
/// interrupted goes on with nothing but the number.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "tokenizer/tokenizer.h"
#include "train/corpus.h"
#include "train/sample_order.h"

namespace prwkv {

/// What a sample is.
enum class Sampling {
  kAuto,       ///< documents if some tokens do not count in the loss (conversations), else windows
  kWindows,    ///< a slice of the stream of all tokens, across documents
  kDocuments,  ///< one document from its start, cut off where the context ends
};

enum class SampleOrder {
  kShuffled,    ///< each epoch has each sample once, in an order of its own
  kSequential,  ///< each epoch goes through the data from front to back
  kBlinkdl,     ///< that of BlinkDL's trainers (magic_place); windows only
};

struct DataOptions {
  std::vector<std::string> files{};  ///< see CorpusOptions, also for the next two lines
  std::string cache{}, chat_template = "world";
  std::int64_t vocabulary = 0;
  /// Share of the samples that is held out, 0 <= share < 1; at least one if it is not 0. Or files of
  /// their own; not both.
  double validation = 0;
  std::vector<std::string> validation_files{};
  std::int64_t context = 512;  ///< inputs of a sample, at most; it needs one token more
  Sampling sampling = Sampling::kAuto;
  SampleOrder order = SampleOrder::kShuffled;
  std::uint64_t seed = 0;  ///< of kShuffled
};

/// Inputs and, in the same place, what should follow each; a target of −1 does not count in the loss.
/// Both have the same size, from 1 to the context; of a window, it is the context.
struct Sample {
  std::vector<std::int32_t> inputs, targets;
  friend bool operator==(const Sample&, const Sample&) = default;
};

/// What the data are, to show.
struct DataSummary {
  std::int64_t tokens = 0, documents = 0;  ///< of the training files, held out ones included
  std::int64_t counted = 0;                ///< tokens that count in the loss
  std::int64_t tokenized_bytes = 0;        ///< of text that was not found in the cache
  /// With kDocuments: those left out because nothing in them counts before the context ends, and
  /// those that the context cuts off.
  std::int64_t skipped = 0, truncated = 0;
};

/// A corpus cut into samples, without an order.
class SampleSource {
 public:
  /// Throws Error{kInvalidArgument} if there is not a single one; `name` is for its message.
  SampleSource(std::string_view name, Corpus corpus, Sampling sampling, std::int64_t context);

  [[nodiscard]] const Corpus& corpus() const { return corpus_; }
  [[nodiscard]] double tokens_per_sample() const {
    return static_cast<double>(inputs_) / static_cast<double>(count_);
  }
  [[nodiscard]] Sampling sampling() const { return sampling_; }
  /// Whole windows, or documents with something that counts.
  [[nodiscard]] std::int64_t count() const { return count_; }
  /// Window i begins at token i · context; document i is the i-th that is not skipped.
  [[nodiscard]] Sample at(std::int64_t i) const;
  /// The window that begins at `position` of the stream without the windows that are held out; behind
  /// its end the stream begins again. The first token behind a place where two ends were joined does
  /// not count.
  [[nodiscard]] Sample window(std::int64_t position, const Holdout& holdout) const;
  /// Documents: see DataSummary.
  [[nodiscard]] std::int64_t skipped() const { return skipped_; }
  [[nodiscard]] std::int64_t truncated() const { return truncated_; }

 private:
  void find_documents();
  [[nodiscard]] std::int64_t taken(std::int64_t tokens) const;

  Corpus corpus_;
  Sampling sampling_;
  std::int64_t context_, count_ = 0, skipped_ = 0, truncated_ = 0;
  std::int64_t inputs_ = 0;           // of all samples
  std::vector<std::int64_t> usable_;  // documents; empty if that is all of them
};

/// Immutable; samples may be asked for by several threads at once.
///
/// What is held out are samples: windows, or documents. They are spread evenly over the data by a rule
/// that does not depend on the seed (Holdout). No token that is a target in validation is one in
/// training, but the neighbours of a window may belong to the same document: where that matters, name
/// files of their own.
///
/// kShuffled begins the windows of each epoch but the first at another token, so that what is cut in one
/// epoch is whole in another; the last window of such an epoch may go on at the beginning of the data.
class Dataset {
 public:
  /// Opens and, where need be, tokenizes the files; see Corpus::open for what it checks and throws.
  /// Error{kInvalidArgument} also for options out of range and data of less than one sample.
  static Dataset open(const DataOptions& options, const Tokenizer& tokenizer, ThreadPool& pool,
                      const OnDataProgress& progress = {});

  [[nodiscard]] const DataSummary& summary() const { return summary_; }
  [[nodiscard]] std::int64_t tokens() const { return summary_.tokens; }
  [[nodiscard]] std::int64_t documents() const { return summary_.documents; }
  /// kWindows or kDocuments.
  [[nodiscard]] Sampling sampling() const { return training_.sampling(); }

  /// Of a training sample, on average: whole contexts, or documents as far as the context goes.
  [[nodiscard]] double tokens_per_sample() const { return training_.tokens_per_sample(); }
  /// With kBlinkdl the magic prime.
  [[nodiscard]] std::int64_t samples_per_epoch() const { return samples_per_epoch_; }
  /// Sample `number` of all epochs. Throws Error{kMismatch} naming file and position for an id that the
  /// vocabulary does not have.
  [[nodiscard]] Sample sample(std::uint64_t number) const;

  [[nodiscard]] std::int64_t validation_samples() const;
  [[nodiscard]] Sample validation_sample(std::int64_t number) const;

  /// XXH3 of tokens, documents and masks, and of the options that decide which sample a number is.
  /// Equal fingerprints mean equal samples; names, cache and threads have no part in it.
  [[nodiscard]] std::uint64_t fingerprint() const;

 private:
  Dataset(const DataOptions& options, SampleSource training);

  DataOptions options_;
  SampleSource training_;
  std::unique_ptr<const SampleSource> validation_;  // of files of their own
  Holdout holdout_;
  DataSummary summary_;
  std::int64_t samples_per_epoch_ = 0;
};

}  // namespace prwkv
