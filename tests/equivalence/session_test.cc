/// What a program may rely on in Engine and Session: who may do what at the same time, what
/// survives errors, and that going on after a stop is the same as never having stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <thread>

#include "support/engines.h"
#include "support/paths.h"

namespace prwkv::test {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

// 256 vocabulary entries: the tokenizer is bytes, so random weights generate unfinished characters
// all the time.
const char* const kShape = "rwkv7:L3,C64,V256,N16,w8,a12,v4,g20";

std::vector<float> logits_of(const Session& s) { return {s.logits().begin(), s.logits().end()}; }

template <class Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no Error";
  return Error(Code::kInternal, "none");
}

class Sessions : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string reason = missing(GetParam());
    if (!reason.empty()) GTEST_SKIP() << reason;
  }
  static std::shared_ptr<Engine> engine(std::uint64_t seed = 1, int chunk_rows = 256,
                                        const std::string& shape = kShape) {
    return engine_for_shape(shape, DType::kF32, {.backend = GetParam(), .chunk_rows = chunk_rows},
                            seed);
  }
  static Tokens prompt(std::size_t n = 20, std::uint64_t seed = 5) {
    return some_tokens(n, 256, seed);
  }
};

// ---- Feeding

TEST_P(Sessions, ALongPromptCanBeCancelledAndGoneOnWith) {
  const auto e = engine(1, 16);
  const Tokens tokens = prompt(100);
  Session whole = e->session(), stopped = e->session();
  whole.feed(tokens);
  std::vector<std::size_t> asked;
  const Error error = error_of([&] {
    stopped.feed(tokens, [&](std::size_t done) {
      asked.push_back(done);
      return asked.size() < 3;
    });
  });
  EXPECT_EQ(error.code(), Code::kCancelled);
  // Pieces of at most 16, of the same size.
  EXPECT_THAT(asked, testing::ElementsAre(15, 30, 45));
  EXPECT_EQ(stopped.tokens_seen(), 45);
  EXPECT_TRUE(stopped.logits().empty())
      << "logits of a token in the middle of a prompt were never computed";
  stopped.feed(std::span(tokens).subspan(45));
  EXPECT_EQ(logits_of(stopped), logits_of(whole));
  EXPECT_EQ(stopped.state(), whole.state());
}

TEST_P(Sessions, TheCallbackIsNotAskedWhenNothingIsLeft) {
  const auto e = engine(1, 16);
  Session s = e->session();
  int asked = 0;
  s.feed(prompt(32), [&](std::size_t) { return ++asked, true; });
  EXPECT_EQ(asked, 1);
}

TEST_P(Sessions, AnExceptionInACallbackLeavesTheSessionBehindWhatItRead) {
  const auto e = engine(1, 16);
  const Tokens tokens = prompt(60);
  Session whole = e->session(), s = e->session();
  whole.feed(tokens);
  EXPECT_THROW(
      s.feed(tokens, [](std::size_t) -> bool { throw std::runtime_error("the caller's own"); }),
      std::runtime_error);
  EXPECT_EQ(s.tokens_seen(), 15);
  s.feed(std::span(tokens).subspan(15));
  EXPECT_EQ(logits_of(s), logits_of(whole));
}

TEST_P(Sessions, BadTokensAreRefusedBeforeAnythingHappens) {
  const auto e = engine();
  Session s = e->session();
  s.feed(prompt());
  const State before = s.state();
  const auto logits = logits_of(s);
  for (const std::int32_t bad : {-1, 256, 1 << 30, std::numeric_limits<std::int32_t>::min()}) {
    const Error error = error_of([&] { s.feed(std::vector<std::int32_t>{1, 2, bad}); });
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr(std::to_string(bad)));
  }
  EXPECT_EQ(s.state(), before);
  EXPECT_EQ(logits_of(s), logits);
}

TEST_P(Sessions, FeedingNothingChangesNothing) {
  const auto e = engine();
  Session s = e->session();
  s.feed({});
  EXPECT_EQ(s.tokens_seen(), 0);
  s.feed(prompt());
  const State before = s.state();
  const auto logits = logits_of(s);
  s.feed({});
  EXPECT_EQ(s.state(), before);
  EXPECT_EQ(logits_of(s), logits);
}

// ---- Packed calls

TEST_P(Sessions, OneCallServesManyWithWhatEachWants) {
  const auto e = engine();
  const Tokens tokens = prompt(9);
  Session a = e->session(), b = e->session(), c = e->session(), d = e->session(),
          alone = e->session();
  std::vector<Work> work = {{.session = &a, .tokens = tokens, .want = Logits::kAll},
                            {.session = &b, .tokens = tokens, .want = Logits::kNone},
                            {.session = &c, .tokens = tokens, .want = Logits::kLast},
                            {.session = &d, .tokens = {}, .want = Logits::kAll}};
  e->run(work);
  alone.feed(tokens);
  EXPECT_EQ(work[0].logits.size(), 9 * 256);
  EXPECT_TRUE(work[1].logits.empty());
  EXPECT_EQ(work[2].logits, logits_of(alone));
  EXPECT_TRUE(work[3].logits.empty());
  EXPECT_THAT(std::vector<float>(work[0].logits.end() - 256, work[0].logits.end()),
              ElementsAreArray(work[2].logits));
  EXPECT_EQ(logits_of(a), logits_of(alone));
  EXPECT_TRUE(b.logits().empty()) << "nobody computed them";
  EXPECT_EQ(b.state(), alone.state());
  EXPECT_EQ(d.tokens_seen(), 0);
}

TEST_P(Sessions, OfAnotherEngineOrTwiceInACallAreRefused) {
  const auto e = engine(), other = engine();
  Session s = e->session(), foreign = other->session();
  const Tokens tokens = prompt();
  std::vector<Work> twice = {{.session = &s, .tokens = tokens}, {.session = &s, .tokens = tokens}};
  EXPECT_EQ(error_of([&] { e->run(twice); }).code(), Code::kInvalidArgument);
  std::vector<Work> wrong = {{.session = &s, .tokens = tokens},
                             {.session = &foreign, .tokens = tokens}};
  EXPECT_EQ(error_of([&] { e->run(wrong); }).code(), Code::kInvalidArgument);
  std::vector<Work> none = {{.session = nullptr, .tokens = tokens}};
  EXPECT_EQ(error_of([&] { e->run(none); }).code(), Code::kInvalidArgument);
  EXPECT_EQ(s.tokens_seen(), 0);
}

TEST_P(Sessions, MoreOfThemThanThereWasRoomForAtFirst) {
  const auto e = engine();
  std::vector<Session> sessions;
  std::vector<std::vector<float>> expected;
  for (std::size_t i = 0; i < 11; ++i) {
    sessions.push_back(e->session());  // older ones move to larger memory, with their state
    sessions.back().feed(prompt(5 + i, i));
  }
  const auto fresh = engine();
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    Session alone = fresh->session();
    alone.feed(prompt(5 + i, i));
    alone.feed(prompt(3, 99));
    sessions[i].feed(prompt(3, 99));
    EXPECT_EQ(logits_of(sessions[i]), logits_of(alone)) << "session " << i;
    EXPECT_EQ(sessions[i].state(), alone.state()) << "session " << i;
  }
  // A slot that was used before is as good as new.
  sessions.erase(sessions.begin() + 3);
  Session reused = e->session(), clean = fresh->session();
  EXPECT_EQ(reused.state(), clean.state());
}

// ---- Forks, resets, states

TEST_P(Sessions, ForksAreIndependent) {
  const auto e = engine();
  Session s = e->session();
  s.feed(prompt());
  Session fork = s.fork();
  EXPECT_EQ(fork.state(), s.state());
  EXPECT_EQ(logits_of(fork), logits_of(s));
  EXPECT_EQ(fork.tokens_seen(), s.tokens_seen());
  const State before = s.state();
  fork.feed(prompt(7, 1));
  EXPECT_EQ(s.state(), before);
  EXPECT_NE(fork.state(), before);
  Session again = s.fork();
  again.feed(prompt(7, 1));
  EXPECT_EQ(logits_of(again), logits_of(fork));
  s.reset();
  EXPECT_EQ(s.state(), e->session().state());
  EXPECT_EQ(s.tokens_seen(), 0);
  EXPECT_TRUE(s.logits().empty());
  EXPECT_NE(again.state(), s.state());
}

TEST_P(Sessions, MovedSessionsKeepTheirPlace) {
  const auto e = engine();
  Session s = e->session();
  s.feed(prompt());
  const State state = s.state();
  Session moved = std::move(s);
  EXPECT_EQ(moved.state(), state);
  Session other = e->session();
  other = std::move(moved);
  EXPECT_EQ(other.state(), state);
  other.feed(prompt(3));
}

TEST_P(Sessions, AStateIsAValue) {
  const auto e = engine();
  Session s = e->session();
  s.feed(prompt());
  const State saved = s.state();
  EXPECT_EQ(saved.tokens_seen, 20);
  s.feed(prompt(4, 8));
  const auto expected = logits_of(s);
  Session t = e->session();
  t.set_state(saved);
  EXPECT_TRUE(t.logits().empty());
  t.feed(prompt(4, 8));
  EXPECT_EQ(logits_of(t), expected);
  EXPECT_EQ(t.state(), s.state());
  // Without a token there is nothing to sample from.
  t.set_state(saved);
  EXPECT_EQ(error_of([&] { (void)t.generate({.max_tokens = 1}); }).code(), Code::kInvalidArgument);
}

TEST_P(Sessions, AStateOfAnotherModelIsRefused) {
  const auto e = engine(1), other_weights = engine(2),
             other_size = engine(1, 256, "rwkv7:L3,C128,V256,N16,w8,a12,v4,g20"),
             other_generation = engine(1, 256, "rwkv6:L3,C64,V256,N16,mix8,decay12");
  Session s = e->session();
  s.feed(prompt());
  const State before = s.state();
  for (const auto& other : {other_weights, other_size, other_generation}) {
    Session foreign = other->session();
    foreign.feed(prompt());
    EXPECT_EQ(error_of([&] { s.set_state(foreign.state()); }).code(), Code::kMismatch);
    EXPECT_EQ(s.state(), before);
  }
  Session foreign = other_weights->session();
  foreign.feed(prompt());
  s.set_state(foreign.state(), Weights::kAny);
  EXPECT_EQ(s.state().tensors, foreign.state().tensors);
  EXPECT_EQ(error_of([&] { s.set_state(other_size->session().state(), Weights::kAny); }).code(),
            Code::kMismatch);
  EXPECT_EQ(
      error_of([&] { s.set_state(other_generation->session().state(), Weights::kAny); }).code(),
      Code::kMismatch);
  State cut = s.state();
  cut.tensors.pop_back();
  EXPECT_EQ(error_of([&] { s.set_state(cut); }).code(), Code::kMismatch);
  cut = s.state();
  cut.tensors[1].bytes.pop_back();
  EXPECT_EQ(error_of([&] { s.set_state(cut); }).code(), Code::kMismatch);
  EXPECT_EQ(s.state().tensors, foreign.state().tensors);
}

// ---- Generation

TEST_P(Sessions, AreAsGoodAfterEachStop) {
  const auto e = engine();
  const GenerateOptions options{.max_tokens = 30, .stop_at_end_of_text = false};
  Session reference = e->session();
  reference.set_sampler(Sampler({.temperature = 1.5, .top_p = 1, .seed = 4}));
  reference.feed(prompt());
  const Generated expected = reference.generate(options);
  ASSERT_EQ(expected.ids.size(), 30);
  EXPECT_EQ(expected.stop, StopReason::kLength);

  Session s = e->session();
  s.set_sampler(Sampler({.temperature = 1.5, .top_p = 1, .seed = 4}));
  s.feed(prompt());
  std::vector<std::int32_t> ids;
  std::string text;
  const Generated first = s.generate(options, [&](const Piece& p) {
    ids.push_back(p.id);
    text += p.text;
    return ids.size() < 7;
  });
  EXPECT_EQ(first.stop, StopReason::kCallback);
  EXPECT_EQ(first.ids, ids);
  EXPECT_EQ(first.text, text);
  EXPECT_EQ(s.tokens_seen(), 27) << "the session stands behind the token the callback saw";
  EXPECT_THROW((void)s.generate(options,
                                [&](const Piece& p) -> bool {
                                  ids.push_back(p.id);
                                  text += p.text;
                                  throw std::runtime_error("the caller's own");
                                }),
               std::runtime_error);
  EXPECT_EQ(s.tokens_seen(), 28);
  const Generated rest = s.generate({.max_tokens = 22, .stop_at_end_of_text = false});
  ids.insert(ids.end(), rest.ids.begin(), rest.ids.end());
  EXPECT_EQ(ids, expected.ids);
  EXPECT_EQ(text + rest.text, expected.text);
  EXPECT_EQ(s.state(), reference.state());
}

TEST_P(Sessions, StopAtTheEndOfTextWithoutReadingIt) {
  const auto e = engine();
  Session s = e->session();
  s.set_sampler(Sampler({.temperature = 3, .top_p = 1, .seed = 4}));
  s.feed(prompt());
  const Generated g = s.generate({.max_tokens = 100'000});  // one token in 256 ends the text
  EXPECT_EQ(g.stop, StopReason::kEndOfText);
  EXPECT_EQ(std::count(g.ids.begin(), g.ids.end(), 0), 0);
  EXPECT_EQ(s.tokens_seen(), 20 + g.ids.size());
}

TEST_P(Sessions, StartFromTheEndOfTextWithoutAPrompt) {
  const auto e = engine();
  Session empty = e->session(), fed = e->session();
  fed.feed(std::vector<std::int32_t>{0});
  for (Session* s : {&empty, &fed}) s->set_sampler(Sampler({.temperature = 0}));
  EXPECT_EQ(empty.generate({.max_tokens = 5}).ids, fed.generate({.max_tokens = 5}).ids);
}

// ---- Session files

TEST_P(Sessions, AFileGoesOnAsIfNothingHadHappened) {
  const auto e = engine();
  const TemporaryFolder folder;
  const GenerateOptions options{.max_tokens = 40, .stop_at_end_of_text = false};
  Session s = e->session();
  s.set_sampler(Sampler({.temperature = 1.2, .top_p = 0.99, .top_k = 200, .seed = 77}));
  s.feed(prompt());
  // Stop inside a character: the byte that was generated last starts one, so that it has no text
  // yet.
  std::string before;
  int steps = 0;
  const Generated stopped =
      s.generate({.max_tokens = 5000, .stop_at_end_of_text = false}, [&](const Piece& p) {
        before += p.text;
        return ++steps < 10 || !p.text.empty();
      });
  ASSERT_EQ(stopped.stop, StopReason::kCallback) << "no unfinished character";
  s.save(folder / "session");

  const auto later = engine();  // a new process
  Session resumed = later->session();
  resumed.load(folder / "session");
  EXPECT_EQ(resumed.tokens_seen(), s.tokens_seen());
  EXPECT_EQ(logits_of(resumed), logits_of(s));
  EXPECT_EQ(resumed.state(), s.state());
  const Generated a = s.generate(options), b = resumed.generate(options);
  EXPECT_EQ(b.ids, a.ids);
  EXPECT_EQ(b.text, a.text);
  EXPECT_EQ(resumed.state(), s.state());
}

TEST_P(Sessions, AFileOfAnotherModelOrADamagedOneLeavesTheSessionAsItWas) {
  const auto e = engine(1), other = engine(2);
  const TemporaryFolder folder;
  Session foreign = other->session();
  foreign.feed(prompt(3));
  foreign.save(folder / "foreign");
  Session s = e->session();
  s.feed(prompt());
  s.save(folder / "own");
  const State before = s.state();
  const auto logits = logits_of(s);
  const auto expect_unchanged = [&] {
    EXPECT_EQ(s.state(), before);
    EXPECT_EQ(logits_of(s), logits);
  };
  EXPECT_EQ(error_of([&] { s.load(folder / "foreign"); }).code(), Code::kMismatch);
  expect_unchanged();
  std::filesystem::resize_file(folder / "own", std::filesystem::file_size(folder / "own") - 9);
  EXPECT_EQ(error_of([&] { s.load(folder / "own"); }).code(), Code::kFormat);
  expect_unchanged();
  EXPECT_EQ(error_of([&] { s.load(folder / "missing"); }).code(), Code::kFile);
  expect_unchanged();
  s.load(folder / "foreign", Weights::kAny);
  EXPECT_EQ(s.state().tensors, foreign.state().tensors);
}

// ---- Several threads

TEST_P(Sessions, OfOneEngineMayRunInSeveralThreads) {
  const auto e = engine(1, 8);
  struct Result {
    std::vector<std::int32_t> ids;
    std::vector<float> logits;
  };
  // Feeds, forks, generates and makes new sessions, so that the pool of slots grows under the
  // others.
  const auto life = [](Engine& on, std::uint64_t seed) {
    Session s = on.session();
    s.set_sampler(Sampler({.temperature = 1, .top_p = 0.9, .seed = seed}));
    s.feed(some_tokens(30 + seed, 256, seed));
    Session fork = s.fork(), third = on.session();
    fork.feed(some_tokens(5, 256, seed + 50));
    third.set_state(s.state());
    third.feed(some_tokens(5, 256, seed + 50));
    EXPECT_EQ(logits_of(third), logits_of(fork));
    const Generated g = s.generate({.max_tokens = 12, .stop_at_end_of_text = false});
    return Result{g.ids, logits_of(fork)};
  };
  constexpr std::uint64_t kThreads = 4;
  std::vector<Result> alone, together(kThreads);
  for (std::uint64_t i = 0; i < kThreads; ++i) alone.push_back(life(*engine(1, 8), i));
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { together[i] = life(*e, i); });
    }
  }
  for (std::uint64_t i = 0; i < kThreads; ++i) {
    EXPECT_EQ(together[i].ids, alone[i].ids) << "thread " << i;
    EXPECT_EQ(together[i].logits, alone[i].logits) << "thread " << i;
  }
}

TEST_P(Sessions, KeepTheirEngineAlive) {
  Session s = engine()->session();
  s.feed(prompt());
  EXPECT_EQ(s.logits().size(), 256);
}

INSTANTIATE_TEST_SUITE_P(Engine, Sessions,
                         testing::Values("cpu_scalar", "cpu_avx2", "fake", "ref_f64"),
                         [](const auto& p) { return p.param; });

// ---- Between backends

TEST(States, PassBetweenPrecisions) {
  const auto f32 = engine_for_shape(kShape, DType::kF32, {.backend = "cpu_scalar"}),
             f64 = engine_for_shape(kShape, DType::kF32, {.backend = "ref_f64"});
  Session a = f32->session(), b = f64->session();
  const Tokens tokens = some_tokens(20, 256, 5), more = some_tokens(3, 256, 6);
  a.feed(tokens);
  b.set_state(a.state());
  Session back = f32->session();
  back.set_state(b.state());
  EXPECT_EQ(back.state().tensors, a.state().tensors) << "f64 holds every f32";
  a.feed(more);
  b.feed(more);
  for (std::size_t i = 0; i < 256; ++i) EXPECT_NEAR(a.logits()[i], b.logits()[i], 1e-4);
}

TEST(Engines, RefuseWhatCannotWork) {
  auto backend = make_backend({.name = "ref"});
  LoadedModel model = random_model(model_shape("rwkv4:L1,C16,V100"), DType::kF32, *backend, 1);
  EXPECT_EQ(error_of([&] {
              Engine(std::move(backend), std::move(model),
                     EngineOptions{.backend = {}, .load = {}, .chunk_rows = -1, .tokenizer = {}});
            }).code(),
            Code::kInvalidArgument);
  const auto e = engine_for_shape("rwkv4:L1,C16,V100", DType::kF32, {});
  EXPECT_FALSE(e->has_tokenizer());
  const Error error = error_of([&] { (void)e->session().generate({}); });
  EXPECT_EQ(error.code(), Code::kUnsupported);
  EXPECT_THAT(error.what(), HasSubstr("100"));
}

}  // namespace
}  // namespace prwkv::test
