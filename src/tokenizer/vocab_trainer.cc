#include "tokenizer/vocab_trainer.h"

#include <fmt/core.h>
#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <queue>
#include <set>
#include <tuple>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "tokenizer/byte_trie.h"
#include "tokenizer/utf8.h"
#include "tokenizer/world_trie.h"

namespace prwkv {
namespace {

constexpr std::size_t kBytes = 256;
// Candidates for each place. Of 1.5, 2, 3, 4 and 8 all are within 0.1 % of each other, at 512 to 8192
// ids. What was tried beside that: all frequent parts of words as candidates (0.2 % more tokens), and
// exchanging tokens for candidates that had been taken out until nothing helps (0.1 % fewer).
constexpr std::size_t kCandidatesPerToken = 2;
// Of all merged candidates, so that hostile texts cannot make a file that is too large to be read.
constexpr std::size_t kMaxCandidateBytes = kMaxVocabTextBytes / 5;

using CountedText = std::pair<std::string_view, std::uint64_t>;

void report_progress(const VocabCallback& callback, const VocabProgress& progress) {
  if (callback && !callback(progress))
    fail(Code::kCancelled, "stopped while the vocabulary was being made");
}

bool is_apostrophe(std::string_view character) { return character == "'" || character == "\u2019"; }

/// Sorts and adds up the counts of what is there several times.
std::vector<CountedText> summed(std::vector<CountedText> texts) {
  std::sort(texts.begin(), texts.end());
  std::size_t n = 0;
  for (const CountedText& text : texts) {
    if (n > 0 && texts[n - 1].first == text.first)
      texts[n - 1].second += text.second;
    else
      texts[n++] = text;
  }
  texts.resize(n);
  return texts;
}

/// Byte-pair encoding over characters: what neighbours become is a candidate.
class VocabMerger {
 public:
  VocabMerger(const VocabWords& words, const std::vector<CountedText>& counted,
              const VocabOptions& options)
      : words_(words), options_(options) {
    std::vector<CountedText> parts;
    for (const auto& [word, count] : counted) {
      const auto [space, run] = words.parts_of(word);
      if (!space.empty()) parts.emplace_back(space, count);
      if (!run.empty()) parts.emplace_back(run, count);
    }
    for (const auto& [part, count] : summed(std::move(parts))) add_piece(part, count);
    for (std::uint32_t p = 0; p < pieces_.size(); ++p) {
      for_each_pair(p, [&](std::uint64_t pair) {
        pairs_[pair].count += pieces_[p].count;
        pairs_[pair].pieces.push_back(p);
      });
    }
    for (const auto& [pair, places] : pairs_) queue_.push({places.count, pair});
  }

  /// Characters of more than one byte, then at most `most` merges.
  std::vector<std::string> candidates(std::size_t most, const VocabCallback& progress) {
    std::vector<std::string> found;
    for (std::size_t s = 0; s < symbols_.size(); ++s) {
      const std::size_t bytes = symbols_[s].size();
      if (bytes > 1 && bytes <= options_.max_token_bytes && counts_[s] >= options_.min_count)
        found.push_back(symbols_[s]);
    }
    std::size_t merged = 0, bytes = 0;
    while (merged < most && bytes < kMaxCandidateBytes) {
      const std::optional<std::uint64_t> pair = next_pair();
      if (!pair) break;
      std::string text = symbols_[*pair >> 32] + symbols_[static_cast<std::uint32_t>(*pair)];
      const bool is_new = !ids_.contains(text);
      merge(*pair, text);
      if (!is_new || !words_.may_be_token(text)) continue;
      bytes += text.size();
      found.push_back(std::move(text));
      report_progress(progress, {.stage = "merge", .done = ++merged, .total = most});
    }
    return found;
  }

 private:
  struct Piece {
    std::size_t begin, length;  // in tokens_
    std::uint64_t count;
  };
  struct Places {
    std::uint64_t count = 0;
    std::vector<std::uint32_t> pieces;  // some of them may have lost the pair
  };
  struct Queued {
    std::uint64_t count, pair;
    // The most frequent first, then the one that was seen first.
    bool operator<(const Queued& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  std::uint32_t symbol(std::string_view text) {
    const auto [place, is_new] = ids_.emplace(text, static_cast<std::uint32_t>(symbols_.size()));
    if (is_new) symbols_.emplace_back(text), counts_.push_back(0);
    return place->second;
  }

  void add_piece(std::string_view text, std::uint64_t count) {
    pieces_.push_back({tokens_.size(), 0, count});
    while (!text.empty()) {
      const std::size_t length = next_utf8(text).length;
      tokens_.push_back(symbol(text.substr(0, length)));
      counts_[tokens_.back()] += count;
      ++pieces_.back().length;
      text.remove_prefix(length);
    }
  }

  template <class F>
  void for_each_pair(std::uint32_t piece, const F& f) const {
    const std::uint32_t* token = &tokens_[pieces_[piece].begin];
    for (std::size_t i = 0; i + 1 < pieces_[piece].length; ++i)
      f(std::uint64_t{token[i]} << 32 | token[i + 1]);
  }

  /// The most frequent pair that may be merged.
  std::optional<std::uint64_t> next_pair() {
    while (!queue_.empty()) {
      const Queued top = queue_.top();
      queue_.pop();
      const auto places = pairs_.find(top.pair);
      if (places == pairs_.end()) continue;
      if (places->second.count < top.count) queue_.push({places->second.count, top.pair});
      if (places->second.count != top.count) continue;
      if (top.count < options_.min_count) return std::nullopt;
      const std::string text =
          symbols_[top.pair >> 32] + symbols_[static_cast<std::uint32_t>(top.pair)];
      if (words_.may_be_merged(text, options_)) return top.pair;
    }
    return std::nullopt;
  }

  void merge(std::uint64_t pair, std::string_view text) {
    const std::uint32_t merged = symbol(text);
    std::vector<std::uint32_t> where = std::move(pairs_.at(pair).pieces);
    std::sort(where.begin(), where.end());
    where.erase(std::unique(where.begin(), where.end()), where.end());
    std::vector<std::uint64_t> before, grown;
    for (const std::uint32_t p : where) {
      before.clear();
      for_each_pair(p, [&](std::uint64_t old) { before.push_back(old); });
      if (!merge_in_piece(p, pair, merged)) continue;
      for_each_pair(p, [&](std::uint64_t now) {
        Places& places = pairs_[now];
        places.count += pieces_[p].count;
        if (now >> 32 != merged && static_cast<std::uint32_t>(now) != merged) return;
        places.pieces.push_back(p);
        grown.push_back(now);
      });
      // Behind the additions: a pair that is still there is never forgotten with its pieces.
      for (const std::uint64_t old : before) {
        const auto places = pairs_.find(old);
        places->second.count -= pieces_[p].count;
        if (places->second.count == 0) pairs_.erase(places);
      }
    }
    std::sort(grown.begin(), grown.end());
    grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
    for (const std::uint64_t p : grown) {
      if (const auto places = pairs_.find(p); places != pairs_.end())
        queue_.push({places->second.count, p});
    }
  }

  bool merge_in_piece(std::uint32_t piece, std::uint64_t pair, std::uint32_t merged) {
    std::uint32_t* token = &tokens_[pieces_[piece].begin];
    const std::size_t n = pieces_[piece].length;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++kept) {
      const bool fits = i + 1 < n && (std::uint64_t{token[i]} << 32 | token[i + 1]) == pair;
      token[kept] = fits ? merged : token[i];
      i += fits ? 2 : 1;
    }
    pieces_[piece].length = kept;
    return kept != n;
  }

  const VocabWords& words_;
  const VocabOptions& options_;
  std::vector<std::string> symbols_;
  std::vector<std::uint64_t> counts_;  // of the characters
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<std::uint32_t> tokens_;
  std::vector<Piece> pieces_;
  std::unordered_map<std::uint64_t, Places> pairs_;
  std::priority_queue<Queued> queue_;
};

/// Takes the cheapest token out of a vocabulary, again and again.
///
/// `cost_[p]` is the number of tokens that greedy matching needs from position p to the end of the
/// word that p lies in. Where token t stands on the path of a word, it would become its `shorter_`
/// one f, the longest other token that it begins with, since whatever matches there is a beginning of
/// t. So a word needs cost[p + |f|] − cost[p + |t|] more tokens without t. (A word that has t a second
/// time behind p may need one more or less: what was removed is counted anew, so the error does not
/// add up.) These sums can be negative: greedy matching does better without some tokens.
///
/// All sums stay exact while tokens go. The positions at which a token is the longest match form a
/// list; a token that goes leaves its list to its `shorter_` one, and only words in the list change.
class VocabPruner {
 public:
  VocabPruner(std::vector<std::string> tokens, const std::vector<CountedText>& words)
      : tokens_(std::move(tokens)) {
    const std::size_t n = tokens_.size();
    std::vector<ByteTrie::Entry> entries;
    for (std::size_t t = 0; t < n; ++t) entries.push_back({tokens_[t], static_cast<Token>(t)});
    const ByteTrie trie(entries, "the candidates");
    alive_.assign(n, 1);
    shorter_.assign(n, -1);
    longer_.resize(n);
    extra_.assign(n, 0);
    listed_.assign(n, 0);
    first_.assign(n, kNone);
    last_.assign(n, kNone);
    for (std::size_t t = kBytes; t < n; ++t) {
      const std::string_view bytes = tokens_[t];
      shorter_[t] = trie.longest(bytes.substr(0, bytes.size() - 1)).id;
      longer_[at(shorter_[t])].push_back(static_cast<Token>(t));
    }
    for (const auto& [word, count] : words) add_word(word, count, trie);
    for (std::size_t t = kBytes; t < n; ++t) list(static_cast<Token>(t));
  }

  [[nodiscard]] std::size_t size() const { return kBytes + by_cost_.size(); }
  [[nodiscard]] std::uint64_t corpus_tokens() const { return corpus_tokens_; }
  [[nodiscard]] std::vector<std::string> tokens() const {
    std::vector<std::string> left;
    for (std::size_t t = 0; t < tokens_.size(); ++t) {
      if (alive_[t] != 0) left.push_back(tokens_[t]);
    }
    return left;
  }

  /// There must be more than the 256 bytes.
  void remove_cheapest() {
    const Token gone = -by_cost_.begin()->second;
    const Token heir = shorter_[at(gone)];
    by_cost_.erase(by_cost_.begin());
    alive_[at(gone)] = 0;
    // Words in which `gone` is a match anywhere change and are counted anew.
    changed_words_.clear();
    for (Position p = first_[at(gone)]; p != kNone; p = next_[p]) {
      Word& word = words_[word_of_[p]];
      if (word.is_changing) continue;
      word.is_changing = true;
      changed_words_.push_back(word_of_[p]);
    }
    for (const std::uint32_t w : changed_words_) count_word(words_[w], -1);
    // In other words what only falls back on `gone` will fall back on its heir.
    for (const Token t : longer_[at(gone)]) {
      if (alive_[at(t)] == 0) continue;
      for (Position p = first_[at(t)]; p != kNone; p = next_[p]) {
        const Word& word = words_[word_of_[p]];
        if (word.is_changing || !is_on_path(word, p)) continue;
        extra_[at(t)] += word.count * (cost_[p + length(heir)] - cost_[p + length(gone)]);
      }
      shorter_[at(t)] = heir;
      longer_[at(heir)].push_back(t);
      changed_tokens_.push_back(t);
    }
    longer_[at(gone)] = {};
    for (Position p = first_[at(gone)]; p != kNone; p = next_[p]) match_[p] = heir;
    append_list(heir, gone);
    for (const std::uint32_t w : changed_words_) {
      count_costs(words_[w]);
      count_word(words_[w], 1);
      words_[w].is_changing = false;
    }
    relist_changed();
  }

 private:
  using Token = std::int32_t;
  using Position = std::uint32_t;
  static constexpr Position kNone = ~Position{0};
  struct Word {
    Position begin, end;  // at `end` stands a cost of 0
    std::int64_t count;
    bool is_changing;
  };
  static std::size_t at(Token t) { return static_cast<std::size_t>(t); }
  [[nodiscard]] Position length(Token t) const {
    return static_cast<Position>(tokens_[at(t)].size());
  }

  void add_word(std::string_view word, std::uint64_t count, const ByteTrie& trie) {
    const auto begin = static_cast<Position>(match_.size());
    const auto end = begin + static_cast<Position>(word.size());
    words_.push_back({begin, end, static_cast<std::int64_t>(count), false});
    match_.resize(end + 1, 0);
    next_.resize(end + 1, kNone);
    cost_.resize(end + 1, 0);
    word_of_.resize(end + 1, static_cast<std::uint32_t>(words_.size() - 1));
    for (Position p = begin; p < end; ++p) {
      const Token t = match_[p] = trie.longest(word.substr(p - begin)).id;
      (first_[at(t)] == kNone ? first_[at(t)] : next_[last_[at(t)]]) = p;
      last_[at(t)] = p;
    }
    count_costs(words_.back());
    count_word(words_.back(), 1);
  }

  void count_costs(const Word& word) {
    for (Position p = word.end; p-- > word.begin;)
      cost_[p] = static_cast<std::uint16_t>(1 + cost_[p + length(match_[p])]);
  }

  /// Adds (`sign` 1) what this word says about its tokens to the sums, or takes it back (−1).
  void count_word(const Word& word, std::int64_t sign) {
    const std::int64_t count = sign * word.count;
    corpus_tokens_ += static_cast<std::uint64_t>(count * cost_[word.begin]);
    for (Position p = word.begin; p < word.end; p += length(match_[p])) {
      const Token t = match_[p];
      if (at(t) < kBytes || alive_[at(t)] == 0) continue;
      const Position without = p + length(shorter_[at(t)]);
      extra_[at(t)] += count * (cost_[without] - cost_[p + length(t)]);
      changed_tokens_.push_back(t);
    }
  }

  [[nodiscard]] bool is_on_path(const Word& word, Position p) const {
    Position q = word.begin;
    while (q < p) q += length(match_[q]);
    return q == p;
  }

  void append_list(Token to, Token from) {
    if (first_[at(from)] == kNone) return;
    (first_[at(to)] == kNone ? first_[at(to)] : next_[last_[at(to)]]) = first_[at(from)];
    last_[at(to)] = last_[at(from)];
    first_[at(from)] = last_[at(from)] = kNone;
  }

  // Of two that cost the same, the one that was merged later goes first.
  void list(Token t) {
    listed_[at(t)] = extra_[at(t)];
    by_cost_.emplace(listed_[at(t)], -t);
  }
  void relist_changed() {
    for (const Token t : changed_tokens_) {
      if (alive_[at(t)] == 0 || listed_[at(t)] == extra_[at(t)]) continue;
      by_cost_.erase({listed_[at(t)], -t});
      list(t);
    }
    changed_tokens_.clear();
  }

  // By token.
  std::vector<std::string> tokens_;
  std::vector<std::uint8_t> alive_;
  std::vector<Token> shorter_;
  std::vector<std::vector<Token>> longer_;    // whose shorter_ this one is; also some that are gone
  std::vector<std::int64_t> extra_, listed_;  // tokens more without it: now, and in by_cost_
  std::vector<Position> first_, last_;        // of its positions
  std::set<std::pair<std::int64_t, Token>> by_cost_;
  // By position.
  std::vector<Token> match_;
  std::vector<Position> next_;
  std::vector<std::uint16_t> cost_;
  std::vector<std::uint32_t> word_of_;

  std::vector<Word> words_;
  std::uint64_t corpus_tokens_ = 0;
  std::vector<std::uint32_t> changed_words_;
  std::vector<Token> changed_tokens_;
};

template <class T>
void expect_in_range(std::string_view what, T value, T low, T high) {
  if (value >= low && value <= high) return;
  throw Error(Code::kInvalidArgument, fmt::format("{} is out of range", what),
              {.expected = fmt::format("{} to {}", low, high), .found = fmt::format("{}", value)});
}

/// What Python's str.isprintable() says.
bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
  }
}

/// What Python's repr() prints for the text, or for the bytes if it is not UTF-8.
std::string python_literal(std::string_view token) {
  std::string repaired;
  const bool is_text = well_formed(token, repaired).data() == token.data();
  const char quote = token.find('\'') != token.npos && token.find('"') == token.npos ? '"' : '\'';
  std::string out = is_text ? "" : "b";
  out += quote;
  while (!token.empty()) {
    const char c = token[0];
    const auto byte = static_cast<unsigned char>(c);
    constexpr std::string_view kMeanings = "\t\n\r\\", kLetters = "tnr\\";
    std::size_t length = 1;
    if (const std::size_t i = kMeanings.find(c); i != kMeanings.npos) {
      out += {'\\', kLetters[i]};
    } else if (c == quote) {
      out += {'\\', c};
    } else if (byte < 0x80 || !is_text) {
      if (byte >= 0x20 && byte < 0x7f)
        out += c;
      else
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      const Utf8Step step = next_utf8(token);
      const auto code = static_cast<std::uint32_t>(step.code_point);
      length = step.length;
      if (is_printable(step.code_point))
        out += token.substr(0, length);
      else if (code < 0x100)
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", code);
      else if (code < 0x10000)
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
      else
        fmt::format_to(std::back_inserter(out), "\\U{:08x}", code);
    }
    token.remove_prefix(length);
  }
  return out + quote;
}

}  // namespace

VocabWords::Step VocabWords::step_at(std::string_view text, std::size_t i) const noexcept {
  const Utf8Step step = next_utf8(text.substr(i));
  if (step.kind != Utf8Step::kWellFormed) return {Kind::kIllFormed, step.length};
  switch (unicode_.class_of(step.code_point)) {
    case CharClass::kLetter: return {Kind::kLetter, step.length};
    case CharClass::kNumber: return {Kind::kNumber, step.length};
    case CharClass::kSpace: return {Kind::kSpace, step.length};
    case CharClass::kOther: break;
  }
  if (step.length == 1) return {Kind::kOther, 1};
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(step.code_point))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF: return {Kind::kMark, step.length};  // CF: joiners
    default: return {Kind::kOther, step.length};
  }
}

bool VocabWords::continues(Kind run, std::string_view text, std::size_t i) const noexcept {
  const Step step = step_at(text, i);
  if (step.kind == run || step.kind == Kind::kMark) return true;
  const std::size_t behind = i + step.length;
  return run == Kind::kLetter && is_apostrophe(text.substr(i, step.length)) &&
         behind < text.size() && step_at(text, behind).kind == Kind::kLetter;
}

std::size_t VocabWords::space_length(std::string_view text) const noexcept {
  std::size_t i = 0;
  while (i < text.size() && i < kMaxRunBytes) {
    const Step step = step_at(text, i);
    if (step.kind != Kind::kSpace) break;
    i += step.length;
  }
  return i;
}

std::size_t VocabWords::first_length(std::string_view text) const noexcept {
  const std::size_t begin = space_length(text);
  if (begin == text.size()) return begin;
  const Step first = step_at(text, begin);
  if (first.kind == Kind::kSpace) return begin;
  const Kind run = first.kind == Kind::kMark ? Kind::kOther : first.kind;
  std::size_t i = begin + first.length;
  while (i < text.size() && i - begin < kMaxRunBytes && continues(run, text, i))
    i += step_at(text, i).length;
  return i;
}

VocabWords::Parts VocabWords::parts_of(std::string_view word) const noexcept {
  const std::size_t begin = space_length(word);
  if (begin == word.size()) return {.space = word, .run = {}};
  const Kind run = step_at(word, begin).kind;
  if (run == Kind::kIllFormed) return {.space = word.substr(0, begin), .run = {}};
  const bool takes_space = run != Kind::kNumber && begin > 0 && word[begin - 1] == ' ';
  const std::size_t cut = begin - (takes_space ? 1 : 0);
  return {.space = word.substr(0, cut), .run = word.substr(cut)};
}

bool VocabWords::may_be_merged(std::string_view piece, const VocabOptions& o) const noexcept {
  if (piece.size() > o.max_token_bytes) return false;
  int characters = 0;
  bool has_digits = false;
  for (std::size_t i = 0; i < piece.size(); ++characters) {
    const Step step = step_at(piece, i);
    has_digits = has_digits || step.kind == Kind::kNumber;
    i += step.length;
  }
  return !has_digits || characters <= o.max_digits;
}

bool VocabWords::may_be_token(std::string_view piece) const noexcept {
  bool first = false, last = false, has_letters = false;
  for (std::size_t i = 0; i < piece.size();) {
    const Step step = step_at(piece, i);
    last = is_apostrophe(piece.substr(i, step.length));
    first = first || (i == 0 && last);
    has_letters = has_letters || step.kind == Kind::kLetter;
    i += step.length;
  }
  return !has_letters || !(first || last);
}

VocabTrainer::VocabTrainer(const VocabOptions& options) : options_(options) {
  expect_in_range("the size of the vocabulary", options.size, kMinVocabSize, kMaxVocabSize);
  expect_in_range("the length of the longest token", options.max_token_bytes, std::size_t{1},
                  kMaxTrainedTokenBytes);
  expect_in_range("the number of digits in a token", options.max_digits, 1,
                  static_cast<int>(kMaxTrainedTokenBytes));
}

void VocabTrainer::add(std::string_view text) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, words_.first_length(text));
    text.remove_prefix(word.size());
    if (const auto known = counts_.find(word); known != counts_.end()) {
      ++known->second;
      continue;
    }
    counts_.emplace(word, 1);
    word_bytes_ += word.size();
    if (word_bytes_ > options_.max_word_bytes) forget_rare_words();
  }
}

void VocabTrainer::forget_rare_words() {
  for (std::uint64_t rare = 1; word_bytes_ > options_.max_word_bytes / 2; rare *= 2) {
    std::erase_if(counts_, [&](const auto& word) {
      if (word.second > rare) return false;
      word_bytes_ -= word.first.size();
      return true;
    });
  }
}

std::vector<std::string> VocabTrainer::train(const VocabCallback& progress) const {
  const auto most = static_cast<std::size_t>(options_.size) - 1;
  // In any order: candidates are found among sorted parts, and costs are sums.
  const std::vector<CountedText> words(counts_.begin(), counts_.end());
  std::vector<std::string> candidates;
  if (options_.max_token_bytes > 1) {
    candidates = VocabMerger(words_, words, options_)
                     .candidates(kCandidatesPerToken * (most - kBytes), progress);
  }
  if (kBytes + candidates.size() < most) {
    throw Error(Code::kInvalidArgument,
                fmt::format("the texts are too small for a vocabulary of {}", options_.size),
                {.expected = fmt::format("{} tokens beside the 256 bytes", most - kBytes),
                 .found = fmt::format("{} in {} different words", candidates.size(), words.size()),
                 .hint = fmt::format("give more text, or ask for a size of at most {}",
                                     kMinVocabSize + candidates.size())});
  }
  std::vector<std::string> tokens;
  for (std::size_t byte = 0; byte < kBytes; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  std::move(candidates.begin(), candidates.end(), std::back_inserter(tokens));
  VocabPruner pruner(std::move(tokens), words);
  const std::size_t total = pruner.size() - most;
  const auto report = [&] {
    report_progress(progress, {.stage = "prune",
                               .done = total - (pruner.size() - most),
                               .total = total,
                               .corpus_tokens = pruner.corpus_tokens()});
  };
  report();
  while (pruner.size() > most) {
    pruner.remove_cheapest();
    report();
  }
  tokens = pruner.tokens();
  std::sort(tokens.begin(), tokens.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), std::string_view(a)) < std::pair(b.size(), std::string_view(b));
  });
  return tokens;
}

std::vector<std::string> train_vocabulary(std::span<const std::string_view> texts,
                                          const VocabOptions& options,
                                          const VocabCallback& progress) {
  VocabTrainer trainer(options);
  for (const std::string_view text : texts) trainer.add(text);
  return trainer.train(progress);
}

std::string vocabulary_text(std::span<const std::string> tokens) {
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{} {} {}\n", i + 1, python_literal(tokens[i]),
                   tokens[i].size());
  }
  return text;
}

void write_vocabulary(const std::string& path, std::span<const std::string> tokens) {
  AtomicFile file(path);
  file.write(vocabulary_text(tokens));
  file.commit();
}

}  // namespace prwkv
