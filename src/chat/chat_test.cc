#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.h"
#include "chat/chat_template.h"
#include "chat/stop_texts.h"

namespace prwkv {
namespace {

// ---- templates: expected texts are those of the models' own documentation

TEST(ChatTemplate, World) {
  const ChatTemplate& world = chat_template("world");
  EXPECT_EQ(question(world, " Hi!\r\n\r\n\r\nMore.\n"), "User: Hi!\nMore.\n\nAssistant:");
  EXPECT_EQ(message(world, Role::kAssistant, "Hello."), " Hello.\n\n");
  EXPECT_EQ(message(world, Role::kAssistant, "One.\n\nTwo."), " One.\nTwo.\n\n");
  EXPECT_EQ(message(world, Role::kSystem, "Be brief."), "System: Be brief.\n\n");
  EXPECT_EQ(world.stops[0], "\n\n");
}

TEST(ChatTemplate, G1AndItsThoughts) {
  const ChatTemplate& g1 = chat_template("g1");
  EXPECT_EQ(question(g1, "Hi"), "User: Hi\n\nAssistant:");
  EXPECT_EQ(question(g1, "Hi", Think::kOn), "User: Hi\n\nAssistant: <think");
  EXPECT_EQ(question(g1, "Hi", Think::kFake), "User: Hi\n\nAssistant: <think>\n</think");
  EXPECT_EQ(question(g1, "Hi\n", Think::kABit), "User: Hi (think a bit)\n\nAssistant: <think");
  EXPECT_EQ(question(g1, "Hi", Think::kALot), "User: Hi (think a lot)\n\nAssistant: <think");
  EXPECT_EQ(message(g1, Role::kAssistant, "One.\n\nTwo."), " One.\n\nTwo.\n\n");
  EXPECT_EQ(g1.stops[0], "\n\nUser:");
  EXPECT_THROW(question(chat_template("world"), "Hi", Think::kOn), Error);
}

TEST(ChatTemplate, Raven) {
  EXPECT_EQ(question(chat_template("raven"), "Hi"), "Bob: Hi\n\nAlice:");
  EXPECT_FALSE(chat_template("raven").opening.empty());
  EXPECT_EQ(message(chat_template("raven"), Role::kSystem, "They talk."), "They talk.\n\n");
  EXPECT_EQ(question(chat_template("raven-instruct"), "Add 1 and 2."),
            "# Instruction:\nAdd 1 and 2.\n\n# Response:\n");
  EXPECT_EQ(message(chat_template("raven-instruct"), Role::kAssistant, "3"), "3\n\n");
}

TEST(ChatTemplate, PlainQuestions) {
  EXPECT_EQ(question(chat_template("qa"), "Why?"), "\nQ: Why?\nA:");
  EXPECT_EQ(question(chat_template("world-qa"), "Why?"), "Question: Why?\n\nAnswer:");
  EXPECT_EQ(question(chat_template("world-instruct"), "Add."), "Instruction: Add.\n\nResponse:");
}

TEST(ChatTemplate, AnEmptyMessageHasNoGap) {
  EXPECT_EQ(question(chat_template("world"), "  "), "User:\n\nAssistant:");
  EXPECT_EQ(message(chat_template("world"), Role::kAssistant, ""), "\n\n");
}

TEST(ChatTemplate, NamesAreKnown) {
  for (const std::string& name : chat_template_names()) EXPECT_EQ(chat_template(name).name, name);
  for (const std::string& name : think_names())
    EXPECT_EQ(think_names()[static_cast<std::size_t>(think_of(name))], name);
  EXPECT_THROW(chat_template("llama"), Error);
  EXPECT_THROW(think_of("hard"), Error);
  // What a stop text has in front is the end of the message.
  for (const std::string& name : chat_template_names()) {
    for (const std::string_view stop : chat_template(name).stops) {
      EXPECT_TRUE(stop.empty() || stop.starts_with(chat_template(name).end)) << name;
    }
  }
}

TEST(ChatTemplate, IsChosenByTheModelsName) {
  const std::pair<const char*, const char*> kNames[] = {
      {"RWKV-4-Raven-7B-v12-Eng49%.pth", "raven"},
      {"RWKV-4-Pile-430M-20220808-8066.pth", "raven"},
      {"RWKV-5-World-3B-v2-20231113-ctx4096.pth", "world"},
      {"rwkv7-g1a-0.4b-20250905-ctx4096.pth", "g1"},
      {"rwkv7-g0-7.2b-20250722-ctx4096.pth", "g1"},
      {"rwkv7_G1_1.5b.gguf", "g1"},
      {"g1.gguf", "g1"},
      {"big10.pth", ""},
      {"model-g12.pth", ""},
      {"compiled", ""},
      {"otherworldly.pth", ""},
      {"model.safetensors", ""},
      {"", ""}};
  for (const auto& [name, form] : kNames) EXPECT_EQ(chat_template_named_in(name), form) << name;
}

// ---- stop texts

/// What gets through, with the pieces as given.
std::string through(StopTexts stops, const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += stops.push(piece);
  text += "|" + stops.found() + "|";
  return text + stops.finish();
}

TEST(StopTexts, AreFoundAcrossPieces) {
  EXPECT_EQ(through(StopTexts({"\n\nUser:"}), {"Hi.", "\n", "\nUs", "er", ": no"}),
            "Hi.|\n\nUser:|");
  EXPECT_EQ(through(StopTexts({"\n\nUser:"}), {"Hi.\n\nUse", "ful.\n"}), "Hi.\n\nUseful.||\n");
  EXPECT_EQ(through(StopTexts({"\n\n"}), {"a\n", "b\n", "\nc"}), "a\nb|\n\n|");
  EXPECT_EQ(through(StopTexts({"aab"}), {"a", "a", "a", "b", "c"}), "a|aab|");
  EXPECT_EQ(through(StopTexts({"", "x"}), {"yy"}), "yy||");
  EXPECT_EQ(through(StopTexts({}), {"yy"}), "yy||");
  EXPECT_EQ(through(StopTexts({"b", "abc"}), {"a", "b", "d"}), "a|b|");
  EXPECT_EQ(through(StopTexts({"b", "abc"}), {"a", "b", "c"}), "|abc|");
  EXPECT_EQ(through(StopTexts({"ab", "abc"}), {"xabc"}), "x|abc|");
}

// The definition: the stop text that begins first, found in the whole text at once.
TEST(StopTexts, OfRandomTextsDoNotDependOnThePieces) {
  std::mt19937 random(7);
  const auto text_of = [&](std::size_t most) {
    std::string text(1 + random() % most, ' ');
    for (char& c : text) c = static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    const std::vector<std::string> stops = {text_of(5), text_of(5)};
    const std::string text = text_of(20);
    const std::size_t first = std::min(text.find(stops[0]), text.find(stops[1]));
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
      pieces.push_back(text.substr(at, 1 + random() % 4));
      at += pieces.back().size();
    }
    StopTexts by_piece(stops);
    std::string out;
    for (const std::string& piece : pieces) out += by_piece.push(piece);
    out += by_piece.finish();
    EXPECT_EQ(out, text.substr(0, first)) << text << " " << stops[0] << " " << stops[1];
    EXPECT_EQ(by_piece.found().empty(), first == std::string::npos);
    EXPECT_EQ(by_piece.released(), out.size());
  }
}

}  // namespace
}  // namespace prwkv
