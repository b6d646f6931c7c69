#include "train/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"

namespace prwkv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const ChatTemplate& world() { return chat_template("world"); }

MappedFile named(std::string name, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return MappedFile::from_bytes(std::move(name), {bytes.begin(), bytes.end()});
}

/// Passages as one text, with what counts in brackets.
std::string marked(const std::vector<Passage>& passages) {
  std::string text;
  for (const Passage& p : passages) text += p.loss == Loss::kCounted ? "[" + p.text + "]" : p.text;
  return text;
}

template <class F>
std::string record_error(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    return fmt::format("{}: {}", name_of(e.code()), e.what());
  }
  return "no error";
}

std::vector<TextPiece> pieces_of(TextSource& source) {
  std::vector<TextPiece> pieces;
  while (const auto piece = source.next()) pieces.push_back(*piece);
  return pieces;
}

/// Tokens of all pieces of a file.
std::vector<std::int32_t> ids_of(TextSource& source, const Tokenizer& tokenizer) {
  std::vector<std::int32_t> ids;
  for (const TextPiece& piece : pieces_of(source)) {
    const TokenPiece tokens = encode(piece, "f", world(), tokenizer);
    EXPECT_EQ(tokens.counted.size(), tokens.ids.size());
    ids.insert(ids.end(), tokens.ids.begin(), tokens.ids.end());
  }
  return ids;
}

TEST(Records, AreRenderedWithTheirAnswersMarked) {
  struct Row {
    const char *name, *record, *text;
  };
  for (
      const Row& row : std::vector<Row>{
          {"text", R"({"text": " as it \r\n\n\n is "})", "[ as it \r\n\n\n is ]"},
          {"text decides", R"({"instruction": "a", "output": "b", "text": "c"})", "[c]"},
          {"messages",
           R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},)"
           R"( {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Bye"},)"
           R"( {"role": "assistant", "content": "See you"}]})",
           "System: Be brief.\n\nUser: Hi\n\nAssistant:[ Hello\n\n]User: Bye\n\nAssistant:[ See "
           "you\n\n]"},
          {"conversations",
           R"({"id": 7, "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]})",
           "User: Hi\n\nAssistant:[ Hello\n\n]"},
          {"names mixed",
           R"({"conversations": [{"role": "user", "value": "Hi"}, {"from": "model", "content": "Hello"}]})",
           "User: Hi\n\nAssistant:[ Hello\n\n]"},
          {"system beside", R"({"system": "S", "messages": [{"role": "user", "content": "U"}]})",
           "System: S\n\nUser: U\n\n"},
          {"answers in a row",
           R"({"messages": [{"role": "assistant", "content": "A"}, {"role": "bot", "content": "B"}]})",
           "Assistant:[ A\n\n]Assistant:[ B\n\n]"},
          {"ends with a question",
           R"({"messages": [{"role": "assistant", "content": "A"}, {"role": "user", "content": "U"}]})",
           "Assistant:[ A\n\n]User: U\n\n"},
          {"no messages", R"({"messages": []})", ""},
          {"instruction", R"({"instruction": "Add", "input": "1 2", "output": "3"})",
           "User: Add\n1 2\n\nAssistant:[ 3\n\n]"},
          {"empty input", R"({"instruction": "Add", "input": "", "response": "3"})",
           "User: Add\n\nAssistant:[ 3\n\n]"},
          {"null input", R"({"instruction": "Add", "input": null, "output": "3"})",
           "User: Add\n\nAssistant:[ 3\n\n]"},
          {"prompt", R"({"prompt": "P", "completion": "C"})", "User: P\n\nAssistant:[ C\n\n]"},
          {"prompt with response", R"({"prompt": "P", "response": "C"})",
           "User: P\n\nAssistant:[ C\n\n]"},
          {"question", R"({"system": "S", "question": "Q", "answer": "A"})",
           "System: S\n\nUser: Q\n\nAssistant:[ A\n\n]"},
          {"blank lines", R"({"question": "\n a\r\n\r\nb\n\n\n\nc ", "answer": "\td\n\ne\nf\n\n"})",
           "User: a\nb\nc\n\nAssistant:[ d\ne\nf\n\n]"},
          {"nothing said", R"({"question": " ", "answer": ""})", "User:\n\nAssistant:[\n\n]"},
          {"beyond ASCII", R"({"question": "\u00e9 漢", "answer": "\ud83d\ude00"})",
           "User: é 漢\n\nAssistant:[ 😀\n\n]"},
      }) {
    const auto passages = read_record(row.record, "f:1", world());
    EXPECT_EQ(marked(passages), row.text) << row.name;
    for (std::size_t i = 1; i < passages.size(); ++i)
      EXPECT_NE(passages[i].loss, passages[i - 1].loss) << row.name;
  }
}

TEST(Records, ATemplateMayKeepParagraphsInAnswers) {
  EXPECT_EQ(marked(read_record(R"({"question": "a\n\nb", "answer": "c\r\n\r\nd\n\n\ne "})", "f:1",
                               chat_template("g1"))),
            "User: a\nb\n\nAssistant:[ c\n\nd\n\n\ne\n\n]");
  EXPECT_EQ(record_error([] { (void)chat_template("chatml"); }),
            "invalid_argument: there is no such chat template\n"
            "  expected  world, g1, raven, raven-instruct, qa, world-qa, world-instruct\n"
            "  found     'chatml'");
}

TEST(Records, SayWhatIsWrongWithThem) {
  constexpr const char* kNoKey =
      "f:3: has no key that says what it is\n"
      R"(  expected  "text", "messages", "conversations", "instruction" and "output", "prompt" and )"
      R"("completion", or "question" and "answer")"
      "\n  found     ";
  const auto no_key = [&](const char* found) { return std::string(kNoKey) + found; };
  for (const auto& [record, message] : std::vector<std::pair<std::string, std::string>>{
           {R"([{"text": "a"}])",
            "f:3: is no JSON object\n  expected  one object a line, e.g. {\"text\": \"...\"}\n"
            "  found     array\n  hint      write one record a line: jq -c '.[]' FILE"},
           {"7",
            "f:3: is no JSON object\n  expected  one object a line, e.g. {\"text\": \"...\"}\n"
            "  found     number"},
           {R"({"content": "a", "\u001b[31m": 1})", no_key(R"("\x1b[31m", "content")")},
           {R"({"instruction": "a", "answer": "b"})", no_key(R"("answer", "instruction")")},
           {R"({"": "a", "question": "b"})", no_key(R"("", "question")")},
           {"{}", no_key("an empty object")},
           {R"({"text": 5})", "f:3: \"text\" is no text\n  expected  a string\n  found     number"},
           {R"({"text": null})",
            "f:3: \"text\" is no text\n  expected  a string\n  found     null"},
           {R"({"prompt": ["a"], "completion": "b"})",
            "f:3: \"prompt\" is no text\n  expected  a string\n  found     array"},
           {R"({"instruction": "a", "input": 1, "output": "b"})",
            "f:3: \"input\" is no text\n  expected  a string\n  found     number"},
           {R"({"messages": "a"})",
            "f:3: \"messages\" is no list\n  expected  a list of messages\n  found     string"},
           {R"({"messages": [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]})",
            "f:3: message 2 has an unknown role\n"
            "  expected  system, user, human, assistant, gpt, bot, model\n  found     'tool'"},
           {R"({"messages": [{"role": "user"}]})",
            "f:3: message 1 has no \"content\"\n"
            "  expected  {\"role\": ..., \"content\": ...} or {\"from\": ..., \"value\": ...}\n"
            "  found     object"},
           {R"({"messages": ["hi"]})",
            "f:3: message 1 has no \"role\"\n"
            "  expected  {\"role\": ..., \"content\": ...} or {\"from\": ..., \"value\": ...}\n"
            "  found     string"},
           {R"({"messages": [{"role": "assistant", "content": null}]})",
            "f:3: \"content\" of message 1 is no text\n  expected  a string\n  found     null"},
           {R"({"text": "a", "text": "b"})", "f:3: JSON key 'text' appears twice"},
       }) {
    EXPECT_EQ(record_error([&] { (void)read_record(record, "f:3", world()); }),
              "format: " + message);
  }
  for (const char* bad : {R"({"text": "a")", R"({"text": "a"} x)", "{'text': 'a'}",
                          "{\"text\": \"\xff\"}", "{\"text\": \"a\tb\"}"}) {
    EXPECT_THAT(record_error([&] { (void)read_record(bad, "f:3", world()); }),
                HasSubstr("f:3: not valid JSON\n  found     "))
        << bad;
  }
}

TEST(Records, MasksCoverTheAnswersAndWhatEndsThem) {
  // One token a byte, so that each character has a mark of its own; $ is end-of-text, ~ a newline.
  struct Row {
    const char *record, *text, *counts;
  };
  for (
      const Row& row : std::vector<Row>{
          {R"({"text": "ab"})", "ab$", "111"},
          {R"({"question": "q", "answer": "yes"})", "User: q~~Assistant: yes~~$",
           "0000000000000000000"
           "1111111"},
          {R"({"messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]})",
           "Assistant: a~~User: b~~$",
           "0000000000"
           "1111"
           "0000000000"},
          {R"({"text": ""})", "", ""},
      }) {
    const TokenPiece piece =
        encode({.text = row.record, .line = 1}, "f", world(), *byte_tokenizer());
    std::string text, counts;
    for (const std::int32_t id : piece.ids)
      text += id == 0 ? '$' : id == '\n' ? '~' : static_cast<char>(id);
    for (const std::uint8_t c : piece.counted) counts += c != 0 ? '1' : '0';
    EXPECT_EQ(text, row.text);
    EXPECT_EQ(counts, row.counts) << row.text;
  }
}

TEST(Records, QuestionsHaveTheTokensThatAProgramFeeds) {
  const auto tokenizer = world_tokenizer();
  const TokenPiece piece =
      encode({.text = R"({"question": "hi", "answer": "Hello there."})", .line = 1}, "f", world(),
             *tokenizer);
  std::vector<std::int32_t> prompt, answer;
  for (std::size_t i = 0; i < piece.ids.size(); ++i)
    (piece.counted[i] != 0 ? answer : prompt).push_back(piece.ids[i]);
  EXPECT_THAT(prompt, ElementsAre(24281, 59, 4571, 261, 5585, 41693, 59));
  ASSERT_FALSE(answer.empty());
  EXPECT_EQ(answer.back(), 0);
  EXPECT_EQ(tokenizer->decode_bytes(answer), " Hello there.\n\n");
}

TEST(Records, SpecialTokensInATextAreText) {
  const auto tokenizer = neox_tokenizer();
  const TokenPiece piece = encode({.text = "a<|endoftext|>b"}, "f", world(), *tokenizer);
  EXPECT_EQ(std::count(piece.ids.begin(), piece.ids.end(), 0), 1);  // at the end
  EXPECT_EQ(piece.ids.back(), 0);
  EXPECT_EQ(tokenizer->decode_bytes(piece.ids), "a<|endoftext|>b");
}

TEST(TextSource, FindsTheLinesOfEveryKindOfFile) {
  struct Row {
    const char *name, *file;
    std::vector<std::pair<std::int64_t, std::string>> lines;
  };
  for (const Row& row : std::vector<Row>{
           {"usual", "{1}\n{2}\n", {{1, "{1}"}, {2, "{2}"}}},
           {"no newline at the end", "{1}\n{2}", {{1, "{1}"}, {2, "{2}"}}},
           {"CRLF", "{1}\r\n{2}\r\n", {{1, "{1}"}, {2, "{2}"}}},
           {"blank lines", "\n{1}\n\n \t\r\n{2}\n\n", {{2, "{1}"}, {5, "{2}"}}},
           {"byte-order mark", "\xef\xbb\xbf{1}\n{2}\n", {{1, "{1}"}, {2, "{2}"}}},
           {"only a byte-order mark", "\xef\xbb\xbf", {}},
           {"empty", "", {}},
           {"only blank", "\n\n \n", {}},
       }) {
    for (const char* name : {"f.jsonl", "f.ndjson", "f.json"}) {
      TextSource source(named(name, row.file));
      std::vector<std::pair<std::int64_t, std::string>> lines;
      for (const TextPiece& piece : pieces_of(source)) {
        EXPECT_TRUE(piece.ends_document);
        lines.emplace_back(piece.line, piece.text);
      }
      EXPECT_EQ(lines, row.lines) << row.name;
      EXPECT_EQ(source.position(), source.file().bytes().size());
    }
  }
}

TEST(TextSource, OtherFilesAreOneTextWhateverTheirBytes) {
  struct Row {
    const char* name;
    std::string file, text;
  };
  for (const Row& row : std::vector<Row>{{"lines stay", "a\r\n\nb\n", "a\r\n\nb\n"},
                                         {"no UTF-8", "\xff\xfe\x80 a", "\xff\xfe\x80 a"},
                                         {"byte-order mark", "\xef\xbb\xbf{1}", "{1}"},
                                         {"blank", "\n", "\n"}}) {
    TextSource source(named("f.txt", row.file));
    const auto pieces = pieces_of(source);
    ASSERT_EQ(pieces.size(), 1u) << row.name;
    EXPECT_EQ(pieces[0].text, row.text) << row.name;
    EXPECT_EQ(pieces[0].line, 0);
    EXPECT_TRUE(pieces[0].ends_document);
  }
  TextSource empty(named("f.txt", ""));
  EXPECT_FALSE(empty.next());
}

/// About three megabytes of lines that a tokenizer would like to join.
std::string long_text() {
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) {
    text += fmt::format("Line {} of a text,{}with (words); \t and  spaces.", i,
                        i % 3 == 0 ? "  " : " ");
    text += i % 7 == 0 ? "\r\n\r\n\r\n" : i % 5 == 0 ? "\n\n" : i % 4 == 0 ? "\n    " : "\n";
  }
  return text;
}

TEST(TextSource, PiecesOfALongTextHaveTheTokensOfTheWhole) {
  const std::string text = long_text();
  for (const auto& tokenizer : {world_tokenizer(), neox_tokenizer()}) {
    TextSource source(named("f.txt", text));
    std::vector<std::int32_t> whole = tokenizer->encode(text, false);
    whole.push_back(0);
    EXPECT_EQ(ids_of(source, *tokenizer), whole) << tokenizer->name();
  }
  TextSource source(named("f.txt", text));
  const auto pieces = pieces_of(source);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_FALSE(pieces[0].ends_document);
  EXPECT_FALSE(pieces[1].ends_document);
  EXPECT_TRUE(pieces[2].ends_document);
  EXPECT_EQ(pieces[1].text.substr(0, 5), "Line ");
}

TEST(TextSource, WithoutLinesItCutsBetweenCharacters) {
  for (const std::string_view unit : {"a", "é", "漢", "😀", "\x80", "\n"}) {
    std::string text(1, 'x');  // so that a megabyte ends inside a character
    while (text.size() < 2'500'000) text += unit;
    TextSource source(named("f.txt", text));
    const auto pieces = pieces_of(source);
    std::string joined;
    for (const TextPiece& piece : pieces) {
      joined += piece.text;
      EXPECT_LT(piece.text.size(), 1'200'000u);
      EXPECT_TRUE(piece.text.ends_with(unit)) << unit;
    }
    EXPECT_EQ(pieces.size(), 3u);
    EXPECT_EQ(joined, text);
  }
}

TEST(TextSource, RefusesLinesThatAreTooLong) {
  std::string text = "{}\n";
  text.append(kMaxRecordBytes, ' ');
  TextSource fits(named("f.jsonl", text));
  EXPECT_EQ(pieces_of(fits).size(), 1u);
  text += ' ';
  TextSource source(named("f.jsonl", text));
  EXPECT_TRUE(source.next());
  EXPECT_EQ(record_error([&] { (void)source.next(); }),
            "format: f.jsonl:2: the line is too long\n"
            "  expected  at most 67108864 bytes\n"
            "  found     67108865 bytes\n"
            "  hint      does the file hold one record a line?");
}

TEST(TextSource, RefusesPackedFiles) {
  for (const auto& [bytes, name] :
       std::vector<std::pair<std::string, std::string>>{{"\x1f\x8b\x08", "gzip"},
                                                        {"\x28\xb5\x2f\xfd", "Zstandard"},
                                                        {std::string("\xfd"
                                                                     "7zXZ\0",
                                                                     6),
                                                         "xz"},
                                                        {"BZh9", "bzip2"},
                                                        {"PK\x03\x04", "zip"},
                                                        {"PAR1", "Parquet"}}) {
    EXPECT_EQ(record_error([&] { TextSource(named("f.jsonl", bytes)); }),
              fmt::format("unsupported: f.jsonl: is no text\n  expected  text or JSON Lines\n"
                          "  found     a file that begins as {} does\n"
                          "  hint      unpack or convert it first",
                          name));
  }
}

}  // namespace
}  // namespace prwkv
