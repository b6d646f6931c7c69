/// Makes a vocabulary for the greedy tokenizer of world_trie.h out of texts.
///
///     VocabTrainer trainer({.size = 4096});
///     for (const std::string& text : texts) trainer.add(text);
///     write_vocabulary("vocab.txt", trainer.train());
///
/// Texts are cut into words that no token will reach across, and only the different words are kept.
/// Merging the most frequent neighbours, as byte-pair encoding does, gives twice as many candidates
/// as there is room for. Then the candidate that costs the fewest tokens is taken out, one after the
/// other, where the cost is what greedy longest match needs more without it. That matters because
/// greedy matching does not follow the merges: English prose takes 2 % fewer tokens than with as many
/// first merges at 4096 ids, 3 to 5 % at 512.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/unicode.h"

namespace prwkv {

/// The 256 bytes, and id 0.
inline constexpr int kMinVocabSize = 257;
/// Training data keep an id in 16 bits.
inline constexpr int kMaxVocabSize = 65536;
inline constexpr std::size_t kMaxTrainedTokenBytes = 128;

struct VocabOptions {
  int size = 4096;  ///< ids, with id 0, the end of a text
  std::size_t max_token_bytes = 16;
  std::uint64_t min_count = 2;  ///< what is rarer in the texts becomes no token
  int max_digits = 1;           ///< of a token; 1: numbers are spelt out
  /// Of all different words together. When there are more, the rarest ones are forgotten. Memory is
  /// some 50 bytes for each of these.
  std::size_t max_word_bytes = std::size_t{16} << 20;
};

struct VocabProgress {
  std::string_view stage;  ///< "merge": candidates found; "prune": candidates taken out
  std::size_t done = 0, total = 0;
  std::uint64_t corpus_tokens = 0;  ///< "prune": what the texts take now
};
/// Returning false cancels.
using VocabCallback = std::function<bool(const VocabProgress&)>;

/// How texts are cut into words and what a token may be.
///
/// A word is white space and then a run of letters, of digits, of anything else that is no white
/// space, or of bytes that are not UTF-8. Marks belong to the character before them; an apostrophe
/// between letters is a letter. A token is white space, or a part of a run; one space may stand in
/// front of a run that is not of digits. No token begins or ends with the apostrophe of a word:
/// "'s" would also be found in "'so". So no token reaches from one word into the next, and the
/// tokens of a text are those of its words.
class VocabWords {
 public:
  enum class Kind : std::uint8_t { kOther, kLetter, kNumber, kSpace, kMark, kIllFormed };

  /// Bytes of the first word of `text`, which must not be empty. Runs end after kMaxRunBytes at the
  /// latest, so that no text makes words of any length.
  [[nodiscard]] std::size_t first_length(std::string_view text) const noexcept;
  /// The parts of a word that tokens may be taken from; each may be empty.
  struct Parts {
    std::string_view space, run;
  };
  [[nodiscard]] Parts parts_of(std::string_view word) const noexcept;
  /// What is made of more than one character of a part, and may be a piece on the way to a token, or
  /// a token.
  [[nodiscard]] bool may_be_merged(std::string_view piece, const VocabOptions& o) const noexcept;
  [[nodiscard]] bool may_be_token(std::string_view piece) const noexcept;

  static constexpr std::size_t kMaxRunBytes = 128;

 private:
  struct Step {
    Kind kind;
    std::size_t length;
  };
  [[nodiscard]] Step step_at(std::string_view text, std::size_t i) const noexcept;
  [[nodiscard]] bool continues(Kind run, std::string_view text, std::size_t i) const noexcept;
  [[nodiscard]] std::size_t space_length(std::string_view text) const noexcept;

  UnicodeTable unicode_;
};

class VocabTrainer {
 public:
  /// Throws Error{kInvalidArgument} for options out of range.
  explicit VocabTrainer(const VocabOptions& options);

  /// Counts the words of a text; any bytes are welcome. Long texts may come in parts: the result is
  /// the same if each begins with white space behind something else.
  void add(std::string_view text);
  [[nodiscard]] std::size_t different_words() const { return counts_.size(); }

  /// The size − 1 tokens in the order of their ids from 1: by length, then by bytes, the 256 single
  /// bytes first. All others are well-formed UTF-8. The same words give the same tokens, in whatever
  /// order they came, unless some had to be forgotten. Throws Error{kInvalidArgument} if the texts have too few different words for
  /// that many tokens, Error{kCancelled}.
  [[nodiscard]] std::vector<std::string> train(const VocabCallback& progress = {}) const;

 private:
  void forget_rare_words();

  // Finds a std::string_view without making a std::string of it.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };

  VocabOptions options_;
  VocabWords words_;
  std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>> counts_;
  std::size_t word_bytes_ = 0;
};

/// All of that for texts that are in memory.
std::vector<std::string> train_vocabulary(std::span<const std::string_view> texts,
                                          const VocabOptions& options,
                                          const VocabCallback& progress = {});

/// The lines of a vocabulary file: id from 1, the token as Python prints it, its length in bytes.
std::string vocabulary_text(std::span<const std::string> tokens);
/// Throws Error{kFile}; then the file is what it was before.
void write_vocabulary(const std::string& path, std::span<const std::string> tokens);

}  // namespace prwkv
