#include "tokenizer/vocab_trainer.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "base/error.h"
#include "base/quote.h"
#include "base/test_folder.h"
#include "tokenizer/embedded.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"
#include "tokenizer/world_trie.h"

namespace prwkv {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using ::testing::Contains;
using ::testing::Not;
using Tokens = std::vector<std::string>;

/// Sentences of made-up words: few stems and endings, some of them far more frequent than others, so
/// that neighbours in frequent words are frequent in rare ones, as in any language.
std::string prose(int words, std::uint32_t seed = 1) {
  std::mt19937 draw(seed);  // the same numbers with every library
  const auto below = [&](std::size_t n) { return draw() % n; };
  const auto rare_at_the_end = [&](std::size_t n) { return below(below(below(n) + 1) + 1); };
  std::mt19937 letters(7);
  const auto syllable = [&] {
    std::string s{"bcdfglmnprst"[letters() % 12], "aeiou"[letters() % 5]};
    return letters() % 2 == 0 ? s : s + "lnrst"[letters() % 5];
  };
  Tokens stems;
  for (int i = 0; i < 400; ++i) {
    std::string stem = syllable();
    for (unsigned more = letters() % 3; more > 0; --more) stem += syllable();
    stems.push_back(stem);
  }
  constexpr std::string_view kEndings[] = {"", "s", "ed", "ing", "ly", "er", "ness", "'s"};
  constexpr std::string_view kStops[] = {" ",  " ",  " ",     " ",    " ",
                                         ", ", ". ", ".\n\n", "! \"", " 12 "};
  std::string text;
  for (int i = 0; i < words; ++i) {
    text += stems[rare_at_the_end(stems.size())];
    text += kEndings[rare_at_the_end(std::size(kEndings))];
    text += kStops[rare_at_the_end(std::size(kStops))];
  }
  return text;
}

Tokens trained(std::string_view text, const VocabOptions& options,
               const VocabCallback& progress = {}) {
  return train_vocabulary(std::span(&text, 1), options, progress);
}

std::shared_ptr<const Tokenizer> tokenizer_of(const Tokens& tokens) {
  return make_world_trie(vocabulary_text(tokens), "vocab.txt", "vocab.txt");
}

/// Tokens that greedy longest match takes.
std::size_t greedy(const Tokens& tokens, std::string_view text) {
  return tokenizer_of(tokens)->encode(text, false).size();
}

Tokens single_bytes() {
  Tokens bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
  return bytes;
}

/// Splits into words with the trainer's own rule.
std::vector<std::string_view> words_of(std::string_view text) {
  const VocabWords words;
  std::vector<std::string_view> found;
  while (!text.empty()) {
    found.push_back(text.substr(0, words.first_length(text)));
    text.remove_prefix(found.back().size());
  }
  return found;
}

/// Byte-pair encoding as in a textbook, for ASCII: what the first `count` merges give. With the
/// trainer's words and limits, so that only the choice of tokens differs.
Tokens textbook_merges(std::string_view text, std::size_t count) {
  const VocabWords words;
  std::map<Tokens, std::int64_t> pieces;
  for (const std::string_view word : words_of(text)) {
    for (const std::string_view part : {words.parts_of(word).space, words.parts_of(word).run}) {
      Tokens piece;
      for (const char c : part) piece.emplace_back(1, c);
      ++pieces[piece];
    }
  }
  Tokens merges;
  while (merges.size() < count) {
    std::map<std::pair<std::string, std::string>, std::int64_t> pairs;
    for (const auto& [piece, n] : pieces) {
      for (std::size_t i = 0; i + 1 < piece.size(); ++i) {
        if (words.may_be_merged(piece[i] + piece[i + 1], {})) pairs[{piece[i], piece[i + 1]}] += n;
      }
    }
    const auto best =
        std::max_element(pairs.begin(), pairs.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (best == pairs.end()) break;
    const auto [left, right] = best->first;
    std::map<Tokens, std::int64_t> merged;
    for (const auto& [piece, n] : pieces) {
      Tokens shorter;
      for (const std::string& token : piece) {
        if (!shorter.empty() && shorter.back() == left && token == right)
          shorter.back() += token;
        else
          shorter.push_back(token);
      }
      merged[shorter] += n;
    }
    pieces = merged;
    const std::string token = left + right;
    if (words.may_be_token(token) && std::find(merges.begin(), merges.end(), token) == merges.end())
      merges.push_back(token);
  }
  return merges;
}

Tokens with_bytes(const Tokens& more) {
  Tokens tokens = single_bytes();
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

std::string what_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return fmt::format("{}: {}", name_of(error.code()), error.what());
  }
  return "no error";
}

TEST(VocabWords, CutsWhereNoTokenMayReachAcross) {
  const struct {
    std::string_view name, text;
    std::vector<std::string_view> words;
  } kCases[] = {
      {"nothing", "", {}},
      {"white space belongs to what follows", "a  b\n\n c ", {"a", "  b", "\n\n c", " "}},
      {"letters, digits, the rest", "ab12!? \"x", {"ab", "12", "!?", " \"", "x"}},
      {"apostrophes between letters",
       "don't 'tis dogs' x'1",
       {"don't", " '", "tis", " dogs", "'", " x", "'", "1"}},
      {"typographic apostrophes", "it\u2019s \u2019", {"it\u2019s", " \u2019"}},
      {"marks belong to what is before", "e\u0301a! \u0301b", {"e\u0301a", "!", " \u0301", "b"}},
      {"joiners too", "\u0915\u094d\u200d\u0937", {"\u0915\u094d\u200d\u0937"}},
      {"letters of all scripts", "z\u00fcr \u4f60\u597d", {"z\u00fcr", " \u4f60\u597d"}},
      {"bytes that are not UTF-8", "a\xff\xfe b", {"a", "\xff\xfe", " b"}},
      {"a cut character", "a\xe4\xbd", {"a", "\xe4\xbd"}},
      {"NUL and other controls", "\0\x01 a"sv, {"\0\x01"sv, " a"}},
  };
  for (const auto& c : kCases) EXPECT_EQ(words_of(c.text), c.words) << c.name;
}

TEST(VocabWords, AreNeverLong) {
  for (const std::string_view unit :
       {"a", " ", "1", "!", "\n", "\u4f60", "\xff", "a'", "e\u0301"}) {
    std::string text;
    while (text.size() < 10000) text += unit;
    std::size_t bytes = 0;
    for (const std::string_view word : words_of(text)) {
      EXPECT_LE(word.size(), 2 * (VocabWords::kMaxRunBytes + 4)) << in_quotes(unit);
      bytes += word.size();
    }
    EXPECT_EQ(bytes, text.size());
  }
}

TEST(VocabWords, PartsThatTokensAreTakenFrom) {
  const struct {
    std::string_view word, space, run;
  } kCases[] = {
      {"ab", "", "ab"},   {" ab", "", " ab"}, {"\n  ab", "\n ", " ab"}, {"\nab", "\n", "ab"},
      {" \n", " \n", ""}, {" 12", " ", "12"}, {" \"", "", " \""},       {" \xff", " ", ""},
  };
  for (const auto& c : kCases) {
    const VocabWords::Parts parts = VocabWords().parts_of(c.word);
    EXPECT_EQ(parts.space, c.space) << in_quotes(c.word);
    EXPECT_EQ(parts.run, c.run) << in_quotes(c.word);
  }
}

TEST(VocabTrainer, SizesAreExactAndAllBytesAreThere) {
  const std::string text = prose(20000);
  for (const int size : {257, 258, 259, 300, 512, 1000}) {
    const Tokens tokens = trained(text, {.size = size});
    EXPECT_EQ(tokens.size(), static_cast<std::size_t>(size) - 1);
    EXPECT_EQ(Tokens(tokens.begin(), tokens.begin() + 256), single_bytes());
    EXPECT_EQ(tokenizer_of(tokens)->vocab_size(), size);
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      EXPECT_TRUE(tokens[i - 1].size() < tokens[i].size() ||
                  (tokens[i - 1].size() == tokens[i].size() && tokens[i - 1] < tokens[i]));
    }
  }
}

TEST(VocabTrainer, AnyBytesComeBackThroughTheFile) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "vocab.txt";
  write_vocabulary(
      path, trained(prose(5000) + "\u4f60\u597d \u4f60\u597d 'a' \"\\\" \\\\ \\\\", {.size = 600}));
  const auto tokenizer = load_tokenizer(path);
  EXPECT_EQ(tokenizer->name(), "vocab.txt");
  EXPECT_EQ(folder.files(), 1);
  std::mt19937 draw(3);
  std::string noise;
  for (int i = 0; i < 100000; ++i) noise += static_cast<char>(draw());
  for (const std::string& text : {""s, noise, prose(100), "\xe4\xbd\xa0\xe5\xa5"s, "\0\0"s}) {
    EXPECT_EQ(tokenizer->decode_bytes(tokenizer->encode(text, false)), text);
  }
}

TEST(VocabTrainer, CountsTheTokensThatTheTextsTake) {
  const struct {
    std::string_view name;
    std::string text;
  } kCases[] = {
      {"prose", prose(20000)},
      {"indented", "if x:\n    y = 10\n        zz = 2\n\tif y:\n    \tx\n if  x  y   z\n    y"},
      {"quoted", "'so' 'tis 'don't' dogs' don't, 's it's 's it''s o'clock don't"},
      {"no UTF-8",
       "a\xff"
       "a b\xe4\xbd \xff\xff ab\xff ab \xe4\xbd\xa0 \xe4\xbd\xa0\xe4\xbd"},
      {"digits", "1 12 123 1234 12.34 1x2 x12y 12"},
  };
  for (const auto& c : kCases) {
    for (const int size : {258, 260, 261}) {
      std::uint64_t counted = 0;
      const Tokens tokens = trained(c.text, {.size = size, .min_count = 1, .max_digits = 3},
                                    [&](const VocabProgress& p) {
                                      counted = p.corpus_tokens;
                                      return true;
                                    });
      EXPECT_EQ(counted, greedy(tokens, c.text)) << c.name << ' ' << size;
    }
  }
}

TEST(VocabTrainer, TakesFewerTokensThanTheFirstMerges) {
  const std::string text = prose(20000), other = prose(20000, 2);
  const Tokens merges = textbook_merges(text, 600);
  for (const std::size_t more : {50, 200, 600}) {
    const Tokens tokens = trained(text, {.size = static_cast<int>(kMinVocabSize + more)});
    const Tokens first =
        with_bytes({merges.begin(), merges.begin() + static_cast<std::ptrdiff_t>(more)});
    ASSERT_EQ(first.size(), tokens.size());
    EXPECT_LT(static_cast<double>(greedy(tokens, text)),
              0.99 * static_cast<double>(greedy(first, text)))
        << more;
    EXPECT_LT(greedy(tokens, other), greedy(first, other)) << more;
  }
}

TEST(VocabTrainer, TakesFewerTokensThanAnyRandomChoice) {
  const std::string text = prose(20000);
  Tokens candidates = textbook_merges(text, 400);
  const std::size_t pruned = greedy(trained(text, {.size = kMinVocabSize + 200}), text);
  std::mt19937 draw(5);
  for (int i = 0; i < 10; ++i) {
    for (std::size_t k = candidates.size(); k > 1; --k)
      std::swap(candidates[k - 1], candidates[draw() % k]);
    EXPECT_LT(pruned, greedy(with_bytes({candidates.begin(), candidates.begin() + 200}), text));
  }
}

// The same choice with the costs by definition: encode everything without the token.
TEST(VocabTrainer, TakesOutWhatATrialWithoutItShowsToBeCheapest) {
  const std::string text = prose(1500);
  constexpr std::size_t kMore = 40;
  Tokens tokens = with_bytes(textbook_merges(text, 2 * kMore));
  while (tokens.size() > 256 + kMore) {
    std::size_t best = 0, least = ~std::size_t{0};
    for (std::size_t t = 256; t < tokens.size(); ++t) {
      Tokens without = tokens;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(t));
      if (const std::size_t n = greedy(without, text); n <= least) best = t, least = n;
    }
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best));
  }
  const auto by_trial = static_cast<double>(greedy(tokens, text));
  const auto by_sums =
      static_cast<double>(greedy(trained(text, {.size = kMinVocabSize + kMore}), text));
  EXPECT_NEAR(by_sums / by_trial, 1, 0.005);  // equal costs are decided differently
}

TEST(VocabTrainer, TheOrderOfTheTextsDoesNotMatter) {
  std::vector<std::string> texts;
  for (std::uint32_t seed = 0; seed < 20; ++seed) texts.push_back(prose(500, seed));
  VocabTrainer forward({.size = 600}), backward({.size = 600}), parts({.size = 600});
  for (const std::string& text : texts) {
    forward.add(text);
    const std::size_t cut = text.find(' ', text.size() / 2);
    parts.add(std::string_view(text).substr(0, cut));
    parts.add(std::string_view(text).substr(cut));
  }
  std::reverse(texts.begin(), texts.end());
  for (const std::string& text : texts) backward.add(text);
  const Tokens tokens = forward.train();
  EXPECT_EQ(forward.train(), tokens);
  EXPECT_EQ(backward.train(), tokens);
  EXPECT_EQ(parts.train(), tokens);
}

TEST(VocabTrainer, TokensAreWholeCharacters) {
  std::string text;
  std::mt19937 draw(11);
  for (int i = 0; i < 20000; ++i) {
    append_utf8(text, static_cast<char32_t>(0x4e00 + draw() % (1 + draw() % 600)));
    if (draw() % 5 == 0) text += draw() % 2 == 0 ? "\xf0\x9f\x99\x82" : "\xe4\xbd";
    if (draw() % 7 == 0) text += " na\u00efve \u0915\u094d\u0937 e\u0301";
  }
  const Tokens tokens = trained(text, {.size = 700});
  std::string storage;
  for (std::size_t i = 256; i < tokens.size(); ++i) {
    EXPECT_EQ(well_formed(tokens[i], storage).data(), tokens[i].data()) << in_quotes(tokens[i]);
  }
  EXPECT_THAT(tokens, Contains("\u4e00"));
  EXPECT_THAT(tokens, Contains("\U0001f642"));
}

TEST(VocabTrainer, NoTokenReachesAcrossWords) {
  const VocabWords words;
  for (const std::string& token : trained(prose(20000) + " it\u2019s it\u2019s", {.size = 800})) {
    EXPECT_EQ(words.first_length(token), token.size()) << in_quotes(token);
    EXPECT_TRUE(words.may_be_token(token)) << in_quotes(token);
  }
}

TEST(VocabTrainer, Apostrophes) {
  const Tokens tokens = trained("don't it's don't it's 'so' 'so' 'so' ''", {.size = 265});
  EXPECT_THAT(tokens, Contains(" it's"));
  EXPECT_THAT(tokens, Contains(" '"));
  for (const std::string_view bad : {"'t", "'s", "n'", "t'", " don'"})
    EXPECT_THAT(tokens, Not(Contains(bad)));
}

TEST(VocabTrainer, Limits) {
  const auto longest = [](const Tokens& tokens) { return tokens.back().size(); };
  std::string text = prose(20000);
  for (int i = 0; i < 50; ++i) text += " 123456 789 7890";
  EXPECT_EQ(longest(trained(text, {.size = 330, .max_token_bytes = 4})), 4u);
  EXPECT_EQ(longest(trained(fmt::format("aaaa {}", text), {.size = 330, .max_token_bytes = 2})),
            2u);
  // A character that is longer than that stays bytes.
  EXPECT_EQ(trained("\u4f60 \u4f60 aa aa", {.size = 258, .max_token_bytes = 2}).size(), 257u);
  for (const int digits : {1, 2, 3}) {
    std::size_t most = 0;
    for (const std::string& token : trained(text, {.size = 900, .max_digits = digits})) {
      if (token.find_first_of("0123456789") == token.npos) continue;
      EXPECT_EQ(token.find_first_not_of("0123456789"), token.npos) << token;
      most = std::max(most, token.size());
    }
    EXPECT_EQ(most, static_cast<std::size_t>(digits));
  }
  const std::string rare = "qq qq xxx xxx xxx";
  EXPECT_THAT(trained(rare, {.size = 260, .min_count = 2}), Contains("qq"));
  EXPECT_THAT(trained(rare, {.size = 260, .min_count = 3}), Not(Contains("qq")));
}

TEST(VocabTrainer, Refusals) {
  const auto refusal = [](const VocabOptions& options, std::string_view text) {
    return what_of([&] { (void)trained(text, options); });
  };
  const struct {
    VocabOptions options;
    std::string_view text, message;
  } kCases[] = {
      {{.size = 256},
       "",
       "invalid_argument: the size of the vocabulary is out of range\n"
       "  expected  257 to 65536\n  found     256"},
      {{.size = -1},
       "",
       "invalid_argument: the size of the vocabulary is out of range\n"
       "  expected  257 to 65536\n  found     -1"},
      {{.size = 65537},
       "",
       "invalid_argument: the size of the vocabulary is out of range\n"
       "  expected  257 to 65536\n  found     65537"},
      {{.max_token_bytes = 0},
       "",
       "invalid_argument: the length of the longest token is out of range\n"
       "  expected  1 to 128\n  found     0"},
      {{.max_digits = 0},
       "",
       "invalid_argument: the number of digits in a token is out of range\n"
       "  expected  1 to 128\n  found     0"},
      {{.size = 300},
       "",
       "invalid_argument: the texts are too small for a vocabulary of 300\n"
       "  expected  43 tokens beside the 256 bytes\n  found     0 in 0 different words\n"
       "  hint      give more text, or ask for a size of at most 257"},
      {{.size = 300},
       "aa aa bb bb",
       "invalid_argument: the texts are too small for a vocabulary of 300\n"
       "  expected  43 tokens beside the 256 bytes\n  found     3 in 3 different words\n"
       "  hint      give more text, or ask for a size of at most 260"},
      {{.size = 258, .max_token_bytes = 1},
       "aa aa",
       "invalid_argument: the texts are too small for a vocabulary of 258\n"
       "  expected  1 tokens beside the 256 bytes\n  found     0 in 2 different words\n"
       "  hint      give more text, or ask for a size of at most 257"},
  };
  for (const auto& c : kCases) EXPECT_EQ(refusal(c.options, c.text), c.message);
  EXPECT_EQ(trained("aa aa bb bb", {.size = 260}).size(), 259u);  // what the hint says
  EXPECT_EQ(trained("", {.size = 257}), single_bytes());
}

TEST(VocabTrainer, CanBeCancelledAtEachStage) {
  const std::string text = prose(2000);
  for (const std::string_view stage : {"merge", "prune"}) {
    EXPECT_EQ(what_of([&] {
                (void)trained(text, {.size = 300},
                              [&](const VocabProgress& p) { return p.stage != stage; });
              }),
              "cancelled: stopped while the vocabulary was being made");
  }
}

TEST(VocabTrainer, ProgressEndsAtItsTotal) {
  std::map<std::string, VocabProgress, std::less<>> last;
  (void)trained(prose(20000), {.size = 400}, [&](const VocabProgress& p) {
    EXPECT_LE(p.done, p.total);
    last[std::string(p.stage)] = p;
    return true;
  });
  ASSERT_EQ(last.size(), 2u);
  for (const auto& [stage, p] : last) EXPECT_EQ(p.done, p.total) << stage;
}

TEST(VocabTrainer, ForgetsRareWordsRatherThanGrow) {
  VocabTrainer trainer({.size = 400, .max_word_bytes = 4096});
  std::mt19937 draw(13);
  const std::string often = prose(50);
  for (int i = 0; i < 200; ++i) {
    trainer.add(often);
    std::string noise;
    for (int k = 0; k < 100; ++k) noise += fmt::format(" {}x{}", draw(), draw());
    trainer.add(noise);
    EXPECT_LE(trainer.different_words(), 4096u);
  }
  EXPECT_LT(greedy(trainer.train(), often), often.size() / 3);
}

TEST(VocabTrainer, AnyTextEnds) {
  std::mt19937 draw(17);
  std::string noise;
  for (int i = 0; i < 200000; ++i) noise += static_cast<char>(draw());
  const std::string kTexts[] = {noise,
                                std::string(1 << 20, 'a'),
                                std::string(1 << 20, ' '),
                                std::string(1 << 20, '\0'),
                                std::string(1 << 20, '\''),
                                std::string(1 << 20, '\xff')};
  for (const std::string& text : kTexts) {
    EXPECT_EQ(trained(text, {.size = 257}).size(), 256u);
    VocabTrainer trainer({.size = 260, .max_token_bytes = 128, .max_digits = 128});
    trainer.add(text);
    const std::string said = what_of([&] { EXPECT_EQ(trainer.train().size(), 259u); });
    EXPECT_TRUE(said == "no error" || said.find("texts are too small") != said.npos) << said;
  }
}

TEST(VocabFile, TheWorldVocabularyComesBackByteForByte) {
  const auto world = world_tokenizer();
  Tokens tokens;
  for (std::int32_t id = 1; !world->token_bytes(id).empty(); ++id)
    tokens.emplace_back(world->token_bytes(id));
  ASSERT_EQ(tokens.size(), 65529u);
  EXPECT_TRUE(vocabulary_text(tokens) == embedded_world_vocab());
}

TEST(VocabFile, LinesAsPythonPrintsThem) {
  const struct {
    std::string token;
    std::string_view line;
  } kCases[] = {
      {"a", "1 'a' 1\n"},
      {"'", "1 \"'\" 1\n"},
      {"\"", "1 '\"' 1\n"},
      {"'\"", "1 '\\'\"' 2\n"},
      {"\\", "1 '\\\\' 1\n"},
      {"\t\n\r", "1 '\\t\\n\\r' 3\n"},
      {"\0\x1f\x7f"s, "1 '\\x00\\x1f\\x7f' 3\n"},
      {"\u00a0", "1 '\\xa0' 2\n"},
      {"\u00fc", "1 '\u00fc' 2\n"},
      {"\u200b", "1 '\\u200b' 3\n"},
      {"\U000e0001", "1 '\\U000e0001' 4\n"},
      {"\U0001f642", "1 '\U0001f642' 4\n"},
      {"\xff", "1 b'\\xff' 1\n"},
      {"'\xff", "1 b\"'\\xff\" 2\n"},
  };
  for (const auto& c : kCases) EXPECT_EQ(vocabulary_text(std::span(&c.token, 1)), c.line);
}

TEST(VocabFile, AFolderThatIsNotThere) {
  const testing::TemporaryFolder folder;
  EXPECT_EQ(
      what_of([&] { write_vocabulary(folder / "no/vocab.txt", single_bytes()); }).substr(0, 5),
      "file:");
  EXPECT_EQ(folder.files(), 0);
}

}  // namespace
}  // namespace prwkv
