// A conversation leaves the model in the very state that its text gives, wherever an answer ended.
#include <gtest/gtest.h>

#include "runtime/chat.h"
#include "support/backends.h"
#include "support/engines.h"
#include "support/paths.h"

namespace prwkv::test {
namespace {

// 256 vocabulary entries: a token is a byte, so that texts have one form as tokens, and random weights write
// everything, stop texts included.
const char* const kShape = "rwkv7:L2,C64,V256,N16,w8,a12,v4,g20";

/// An end that comes soon in random bytes.
constexpr ChatTemplate kForm = {.name = "test",
                                .system = "S:",
                                .user = "U:",
                                .assistant = "A:",
                                .gap = " ",
                                .end = "e",
                                .in_answers = BlankLines::kKept,
                                .stops = {"e", ""},
                                .opening = ""};

class ChatSession : public testing::Test {
 protected:
  Session session(std::uint64_t seed) {
    Session s = engine_->session();
    s.set_sampler(Sampler({.temperature = 1.0, .top_p = 1.0, .seed = seed}));
    return s;
  }
  /// Logits behind a text that was read at once.
  std::vector<float> behind(const std::string& text) {
    Session s = engine_->session();
    s.feed(engine_->tokenizer().encode(text));
    return logits_of(s);
  }
  static std::vector<float> logits_of(const Session& s) {
    return {s.logits().begin(), s.logits().end()};
  }
  /// What the model writes behind a text, byte by byte, without anything that looks for its end.
  std::string writes(const std::string& text, std::uint64_t seed, int bytes) {
    Session s = session(seed);
    s.feed(engine_->tokenizer().encode(text));
    const Generated out = s.generate({.max_tokens = bytes});
    return engine_->tokenizer().decode_bytes(out.ids);
  }

  std::shared_ptr<Engine> engine_ =
      engine_for_shape(kShape, DType::kF32, {.backend = cpu_backends().back()});
};

TEST_F(ChatSession, StandsBehindAnAnswerAndItsEnd) {
  int overshot = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    ChatTemplate form = kForm;
    if (seed % 2 == 0) {  // the stop text is a byte too many
      form.end = "";
      form.stops = {"e", "x"};
    }
    const std::string end(form.end), asked = "U: hi" + end + "A:";
    Chat chat(session(seed), form);
    const Chat::Reply reply = chat.say("hi", {.max_tokens = 20000});
    if (reply.end == ReplyEnd::kLength) continue;
    const std::string all = writes(asked, seed, static_cast<int>(reply.tokens));
    std::size_t answer = all.size();  // ended by end-of-text
    for (const std::string_view stop : form.stops) {
      if (!stop.empty()) answer = std::min(answer, all.find(stop));
    }
    if (answer == all.size()) {
      while (answer > 0 && all[answer - 1] == '\n') --answer;
    } else if (seed % 2 == 0) {
      ++overshot;
    }
    EXPECT_EQ(logits_of(chat.session()), behind(asked + all.substr(0, answer) + end)) << seed;
  }
  EXPECT_GT(overshot, 5);
}

TEST_F(ChatSession, AnswersThatAreCutGetTheirEnd) {
  int cut = 0;
  for (const int tokens : {1, 2, 7, 30}) {
    Chat chat(session(3), kForm);
    const Chat::Reply reply = chat.say("hi", {.max_tokens = tokens});
    if (reply.end != ReplyEnd::kLength) continue;
    ++cut;
    std::string all = writes("U: hieA:", 3, tokens);
    while (all.ends_with('\n')) all.pop_back();
    EXPECT_EQ(logits_of(chat.session()), behind("U: hieA:" + all + "e"));
  }
  EXPECT_GE(cut, 2);
}

TEST_F(ChatSession, GoesOnWithTheNextMessage) {
  ChatTemplate form = kForm;
  form.end_belongs_to_next = true;
  Chat one(session(5), kForm), other(session(5), form);
  one.say("hi", {.max_tokens = 4});
  other.say("hi", {.max_tokens = 4});
  std::string all = writes("U: hieA:", 5, 4);
  EXPECT_EQ(logits_of(other.session()), behind("U: hieA:" + all));
  EXPECT_EQ(logits_of(one.session()), behind("U: hieA:" + all + "e"));
  // Nothing is generated: what was read is what counts.
  one.say("more", {.max_tokens = 0});
  other.say("more", {.max_tokens = 0});
  EXPECT_EQ(logits_of(one.session()), behind("U: hieA:" + all + "eU: moreeA:e"));
  EXPECT_EQ(logits_of(other.session()), behind("U: hieA:" + all + "eU: moreeA:"));
}

TEST_F(ChatSession, ACallbackCancelsAndTheConversationGoesOn) {
  Chat chat(session(9), kForm);
  std::string shown;
  const Chat::Reply reply = chat.say("hi", {.max_tokens = 500}, [&](std::string_view text) {
    shown += text;
    return shown.size() < 3;
  });
  ASSERT_EQ(reply.end, ReplyEnd::kCancelled);
  EXPECT_GE(shown.size(), 3u);
  EXPECT_NO_THROW(chat.say("again", {.max_tokens = 5}));
}

TEST_F(ChatSession, ReadingThatIsCancelledChangesNothing) {
  Chat chat(session(9), kForm);
  chat.say("hi", {.max_tokens = 5});
  const std::vector<float> before = logits_of(chat.session());
  EXPECT_THROW(
      chat.say(std::string(5000, 'x'), {.max_tokens = 5}, {}, [](std::size_t) { return false; }),
      Error);
  EXPECT_EQ(logits_of(chat.session()), before);
}

TEST_F(ChatSession, RetryGivesAnotherAnswerFromTheSamePlace) {
  Chat chat(session(4), kForm);
  EXPECT_THROW(chat.retry({}), Error);
  chat.say("one", {.max_tokens = 10});
  const std::vector<float> before = logits_of(chat.session());
  chat.say("two", {.max_tokens = 0});
  const std::vector<float> read = logits_of(chat.session());
  std::vector<std::string> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(chat.retry({.max_tokens = 12}).text);
  EXPECT_NE(answers[0], answers[1]);
  chat.retry({.max_tokens = 0});
  EXPECT_EQ(logits_of(chat.session()), read);
  EXPECT_NE(before, read);
}

TEST_F(ChatSession, SystemMessagesAndOpeningsComeFirst) {
  ChatTemplate form = kForm;
  form.opening = "they talk";
  Chat chat(session(1), form);
  chat.say("hi", {.max_tokens = 0});
  EXPECT_EQ(logits_of(chat.session()), behind("S: they talkeU: hieA:e"));
  chat.set_system("be kind");
  chat.say("hi", {.max_tokens = 0});
  EXPECT_EQ(logits_of(chat.session()), behind("S: be kindeU: hieA:e"));
  chat.reset();
  EXPECT_EQ(chat.session().tokens_seen(), 0u);
  chat.say("you", {.max_tokens = 0});
  EXPECT_EQ(logits_of(chat.session()), behind("S: be kindeU: youeA:e"));
}

TEST_F(ChatSession, SavedConversationsGoOnAsIfNothingHadHappened) {
  const TemporaryFolder folder;
  const std::string path = folder / "chat.state";
  Chat chat(session(8), kForm);
  chat.say("hi", {.max_tokens = 20});
  chat.save(path);
  Chat other(session(99), kForm);
  other.load(path);
  EXPECT_FALSE(other.can_retry());
  EXPECT_EQ(other.say("more", {.max_tokens = 30}).text, chat.say("more", {.max_tokens = 30}).text);
}

TEST(SplitThoughts, AtTheFirstMark) {
  const auto split = [](std::string_view begun, std::string_view answer) {
    const Thought t = split_thoughts(begun, answer);
    return t.thoughts + "|" + t.text;
  };
  EXPECT_EQ(split("<think", ">\nHm.\n</think>\nYes."), "Hm.|Yes.");
  EXPECT_EQ(split("<think", ">Hm"), "Hm|");
  EXPECT_EQ(split("<think>\n</think", ">\nYes.</think>"), "|Yes.</think>");
  EXPECT_EQ(split("", " <think>a</think> b"), "a|b");
  EXPECT_EQ(split("", " Yes.\n\nNo. "), "|Yes.\n\nNo.");
  EXPECT_EQ(split("", ""), "|");
}

}  // namespace
}  // namespace prwkv::test
