#include "train/dataset.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace prwkv {
namespace {

constexpr std::int64_t kMaxContext = std::int64_t{1} << 24;

/// Tokens with their marks as inputs and targets.
Sample sample_of(const std::vector<std::int32_t>& ids, const std::vector<std::uint8_t>& counted) {
  Sample sample{{ids.begin(), ids.end() - 1}, {ids.begin() + 1, ids.end()}};
  for (std::size_t i = 0; i < sample.targets.size(); ++i) {
    if (counted[i + 1] == 0) sample.targets[i] = -1;
  }
  return sample;
}

void check_options(const DataOptions& o) {
  if (o.context < 1 || o.context > kMaxContext)
    fail(Code::kInvalidArgument, "the context must be 1 to {} tokens, not {}", kMaxContext,
         o.context);
  if (!(o.validation >= 0 && o.validation < 1)) {
    fail(Code::kInvalidArgument, "the share for validation must be at least 0 and below 1, not {}",
         o.validation);
  }
  if (o.validation > 0 && !o.validation_files.empty()) {
    fail(Code::kInvalidArgument,
         "validation has files of its own, and also a share of the training data");
  }
  if (o.order == SampleOrder::kBlinkdl && o.sampling == Sampling::kDocuments)
    fail(Code::kInvalidArgument, "BlinkDL's order is one of windows, not of documents");
}

CorpusOptions corpus_options(const DataOptions& o, const std::vector<std::string>& files) {
  return {.files = files,
          .cache = o.cache,
          .chat_template = o.chat_template,
          .vocabulary = o.vocabulary};
}

Sampling resolved(const DataOptions& o, const Corpus& corpus) {
  if (o.sampling != Sampling::kAuto) return o.sampling;
  if (o.order == SampleOrder::kBlinkdl) return Sampling::kWindows;
  return corpus.counted() < corpus.tokens() ? Sampling::kDocuments : Sampling::kWindows;
}

}  // namespace

// ---- samples

SampleSource::SampleSource(std::string_view name, Corpus corpus, Sampling sampling,
                           std::int64_t context)
    : corpus_(std::move(corpus)), sampling_(sampling), context_(context) {
  if (sampling_ == Sampling::kDocuments) {
    find_documents();
    if (count_ > 0) return;
    throw Error(Code::kInvalidArgument, fmt::format("nothing in {} can be learned", name),
                {.expected = "a document with a token that counts in the loss",
                 .found = fmt::format("{} without one in {} tokens", skipped_, context_ + 1),
                 .hint = "conversations need answers; a longer context reaches further"});
  }
  count_ = (corpus_.tokens() - 1) / context_;
  inputs_ = count_ * context_;
  if (count_ > 0) return;
  throw Error(Code::kInvalidArgument, fmt::format("{} are shorter than one sample", name),
              {.expected = fmt::format("at least {} tokens", context_ + 1),
               .found = std::to_string(corpus_.tokens()),
               .hint = "use a smaller context, or more data"});
}

std::int64_t SampleSource::taken(std::int64_t tokens) const {
  return std::min(tokens, context_ + 1);
}

void SampleSource::find_documents() {
  const std::int64_t documents = corpus_.documents();
  for (std::int64_t i = 0; i < documents; ++i) {
    const TokenRange range = corpus_.document(i);
    // The first token is an input only.
    const bool usable = corpus_.any_counted({range.first + 1, taken(range.count) - 1});
    if (usable && range.count > context_ + 1) ++truncated_;
    if (!usable && skipped_++ == 0) {
      for (std::int64_t before = 0; before < i; ++before) usable_.push_back(before);
    }
    if (usable && skipped_ > 0) usable_.push_back(i);
    if (usable) inputs_ += taken(range.count) - 1;
  }
  count_ = documents - skipped_;
}

Sample SampleSource::at(std::int64_t i) const {
  if (sampling_ == Sampling::kWindows) return window(i * context_, {});
  const TokenRange range =
      corpus_.document(usable_.empty() ? i : usable_[static_cast<std::size_t>(i)]);
  const auto n = static_cast<std::size_t>(taken(range.count));
  std::vector<std::int32_t> ids(n);
  std::vector<std::uint8_t> counted(n);
  corpus_.read(range.first, ids, counted);
  return sample_of(ids, counted);
}

Sample SampleSource::window(std::int64_t position, const Holdout& holdout) const {
  const auto n = static_cast<std::size_t>(context_ + 1);
  std::vector<std::int32_t> ids(n);
  std::vector<std::uint8_t> counted(n);
  const std::int64_t length = corpus_.tokens() - holdout.held() * context_;
  std::int64_t end = -1;  // of what was read, in the corpus
  for (std::size_t at = 0; at < n;) {
    const std::int64_t p = (position + static_cast<std::int64_t>(at)) % length;
    const std::int64_t in_block = p % context_;
    const std::int64_t begin = holdout.kept_at(p / context_) * context_ + in_block;
    const auto part = static_cast<std::size_t>(
        std::min({static_cast<std::int64_t>(n - at), context_ - in_block, length - p}));
    corpus_.read(begin, std::span(ids).subspan(at, part), std::span(counted).subspan(at, part));
    if (begin != end) counted[at] = 0;
    end = begin + static_cast<std::int64_t>(part);
    at += part;
  }
  return sample_of(ids, counted);
}

// ---- the data set

Dataset Dataset::open(const DataOptions& options, const Tokenizer& tokenizer, ThreadPool& pool,
                      const OnDataProgress& progress) {
  check_options(options);
  Corpus corpus = Corpus::open(corpus_options(options, options.files), tokenizer, pool, progress);
  const Sampling sampling = resolved(options, corpus);
  Dataset data(options, SampleSource("the data", std::move(corpus), sampling, options.context));
  if (!options.validation_files.empty()) {
    data.validation_ = std::make_unique<const SampleSource>(
        "the data for validation",
        Corpus::open(corpus_options(options, options.validation_files), tokenizer, pool, progress),
        sampling, options.context);
  }
  return data;
}

Dataset::Dataset(const DataOptions& options, SampleSource training)
    : options_(options), training_(std::move(training)) {
  const Corpus& corpus = training_.corpus();
  summary_ = {.tokens = corpus.tokens(),
              .documents = corpus.documents(),
              .counted = corpus.counted(),
              .tokenized_bytes = corpus.tokenized_bytes(),
              .skipped = training_.skipped(),
              .truncated = training_.truncated()};

  const std::int64_t count = training_.count();
  if (options.validation > 0) {
    const double share = std::round(options.validation * static_cast<double>(count));
    holdout_ = {count, std::max<std::int64_t>(static_cast<std::int64_t>(share), 1)};
  } else {
    holdout_ = {count, 0};
  }
  if (holdout_.kept() < 1) {
    throw Error(Code::kInvalidArgument, "validation leaves nothing to train with",
                {.expected = "at least one sample",
                 .found = fmt::format("{} of {} held out", holdout_.held(), count),
                 .hint = "use a smaller share, a smaller context, or more data"});
  }
  samples_per_epoch_ = holdout_.kept();
  if (options.order != SampleOrder::kBlinkdl) return;
  const std::int64_t length = corpus.tokens() - holdout_.held() * options.context;
  samples_per_epoch_ = magic_prime(length, options.context);
  if (samples_per_epoch_ > 0) return;
  throw Error(Code::kInvalidArgument, "the data are too short for BlinkDL's order",
              {.expected = fmt::format("at least {} tokens", 4 * options.context),
               .found = std::to_string(length),
               .hint = "use another order, a smaller context, or more data"});
}

Sample Dataset::sample(std::uint64_t number) const {
  const std::int64_t n = samples_per_epoch_, context = options_.context;
  const std::uint64_t epoch = number / static_cast<std::uint64_t>(n);
  auto i = static_cast<std::int64_t>(number % static_cast<std::uint64_t>(n));
  std::int64_t shift = 0;
  switch (options_.order) {
    case SampleOrder::kShuffled: {
      const std::uint64_t key = mix64(options_.seed ^ mix64(epoch));
      i = Permutation(n, key)(i);
      if (epoch > 0)
        shift = static_cast<std::int64_t>(mix64(~key) % static_cast<std::uint64_t>(context));
      break;
    }
    case SampleOrder::kSequential: break;
    case SampleOrder::kBlinkdl: i = magic_place(n, number); break;
  }
  if (sampling() == Sampling::kDocuments) return training_.at(holdout_.kept_at(i));
  return training_.window(i * context + shift, holdout_);
}

std::int64_t Dataset::validation_samples() const {
  return validation_ ? validation_->count() : holdout_.held();
}

Sample Dataset::validation_sample(std::int64_t number) const {
  if (number < 0 || number >= validation_samples()) {
    fail(Code::kInvalidArgument, "there is no validation sample {}, only {}", number,
         validation_samples());
  }
  return validation_ ? validation_->at(number) : training_.at(holdout_.held_out(number));
}

std::uint64_t Dataset::fingerprint() const {
  const std::uint64_t facts[] = {training_.corpus().hash(),
                                 static_cast<std::uint64_t>(sampling()),
                                 static_cast<std::uint64_t>(options_.order),
                                 static_cast<std::uint64_t>(options_.context),
                                 static_cast<std::uint64_t>(holdout_.held()),
                                 options_.order == SampleOrder::kShuffled ? options_.seed : 0};
  return hash64(std::as_bytes(std::span(facts)));
}

}  // namespace prwkv
