/// Text files and token data as one long row of token ids with documents and a loss mask. Text is
/// tokenized once, where a folder for a cache is given.
///
/// A cache entry is NAME.bin and NAME.idx (formats/binidx.h), NAME.mask if not every token counts (a
/// bit for each token, lowest first, 1: counts), and NAME.json, which says what it was made from:
/// paths, sizes and XXH3 of the texts, name, size and XXH3 of the vocabulary, and the chat template.
/// It is used if all of that is as it is now and the tokens have the checksum they had; else it is
/// made anew. NAME is the first file's, with a hash of paths, vocabulary and template.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/thread_pool.h"
#include "formats/binidx.h"
#include "tokenizer/tokenizer.h"

namespace prwkv {

/// How far the opening of data has come.
struct DataProgress {
  std::string_view action;           ///< "checking" or "tokenizing"
  std::int64_t done = 0, total = 0;  ///< bytes
};
/// Called between pieces of work, on the caller's thread. False stops, with Error{kCancelled}.
using OnDataProgress = std::function<bool(const DataProgress&)>;

struct CorpusOptions {
  std::vector<std::string> files{};  ///< texts, JSON Lines (train/records.h), binidx pairs
  std::string cache{};               ///< a folder, made if need be; empty: tokens stay in memory
  std::string chat_template = "world";
  std::int64_t vocabulary = 0;  ///< ids are below this; 0: the tokenizer's size
};

/// Tokens with documents and mask, in a file or in memory.
struct TokenStore {
  Binidx data;
  std::optional<MappedFile> mask;  ///< none: all tokens count
  std::uint64_t hash = 0;          ///< XXH3 of tokens, index and mask
};

class Corpus {
 public:
  /// Opens, and tokenizes what is not in the cache, in parallel and in bounded memory; tokens and hash
  /// do not depend on the number of threads. Texts between two pairs, or all if there is none, are one
  /// store. Throws Error: kInvalidArgument for options, kFile, and kFormat or kUnsupported for bad
  /// data, naming file and line; kMismatch for a pair with ids that the vocabulary does not have;
  /// kCancelled.
  ///
  /// Pairs and cached tokens are read once for hash and check: files of up to 4 GiB as a whole, of
  /// larger ones 2 to 4 GiB in blocks spread over the file. Ids are checked again by read().
  static Corpus open(const CorpusOptions& options, const Tokenizer& tokenizer, ThreadPool& pool,
                     const OnDataProgress& progress);

  [[nodiscard]] std::int64_t tokens() const { return first_tokens_.back(); }
  [[nodiscard]] std::int64_t documents() const { return first_documents_.back(); }
  /// Tokens that count.
  [[nodiscard]] std::int64_t counted() const { return counted_; }
  /// Bytes of text that were tokenized, not found in the cache.
  [[nodiscard]] std::int64_t tokenized_bytes() const { return tokenized_bytes_; }
  [[nodiscard]] TokenRange document(std::int64_t number) const;
  /// Copies tokens from number `first` on, and to `counted` 1 for each that counts, else 0. Both have
  /// the same size. Throws Error{kMismatch} for an id that the vocabulary does not have.
  void read(std::int64_t first, std::span<std::int32_t> ids, std::span<std::uint8_t> counted) const;
  /// Whether one of these tokens counts.
  [[nodiscard]] bool any_counted(TokenRange range) const;
  /// XXH3 of tokens, documents and masks; not of names and places.
  [[nodiscard]] std::uint64_t hash() const;

 private:
  void add(TokenStore store);

  std::vector<TokenStore> stores_;
  std::vector<std::int64_t> first_tokens_{0}, first_documents_{0};  // of each store, and all
  std::int64_t vocabulary_ = 0, counted_ = 0, tokenized_bytes_ = 0;
};

}  // namespace prwkv
