#include "train/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/test_folder.h"
#include "formats/binidx.h"

namespace prwkv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using testing::TemporaryFolder;

/// As many ids as wanted; a text has those of its bytes, from `first_` on.
class WideTokenizer final : public Tokenizer {
 public:
  WideTokenizer(int size, std::int32_t first) : size_(size), first_(first) {}
  [[nodiscard]] std::string_view name() const override { return "wide"; }
  [[nodiscard]] int vocab_size() const override { return size_; }
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text, bool) const override {
    std::vector<std::int32_t> ids;
    for (const char c : text) ids.push_back(first_ + static_cast<unsigned char>(c));
    return ids;
  }
  [[nodiscard]] std::string_view token_bytes(std::int32_t id) const override {
    return id == first_ ? "first" : id == 0 ? "" : "x";
  }
  [[nodiscard]] bool is_special(std::int32_t id) const override { return id == 0; }

 private:
  int size_;
  std::int32_t first_;
};

template <class F>
std::string dataset_error(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    return fmt::format("{}: {}", name_of(e.code()), e.what());
  }
  return "no error";
}

class DatasetFiles : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  /// Token i is i, in documents of the given sizes.
  std::string write_counting(const std::string& name, const std::vector<int>& sizes) const {
    BinidxWriter writer(path(name), TokenType::kI32);
    std::int32_t next = 0;
    for (const int size : sizes) {
      std::vector<std::int32_t> ids(static_cast<std::size_t>(size));
      std::iota(ids.begin(), ids.end(), next);
      next += size;
      writer.add(ids);
      writer.end_document();
    }
    writer.finish();
    return path(name);
  }
  static Dataset open(const DataOptions& options, int threads = 1) {
    ThreadPool pool(threads);
    return Dataset::open(options, *bytes_, pool);
  }
  /// For counting tokens.
  static Dataset open_counting(DataOptions options) {
    ThreadPool pool(1);
    options.vocabulary = 1 << 20;
    return Dataset::open(options, *bytes_, pool);
  }
  [[nodiscard]] std::ptrdiff_t files() const { return folder_.files(); }

  static inline const std::shared_ptr<const Tokenizer> bytes_ = byte_tokenizer();

 private:
  TemporaryFolder folder_;
};

/// Inputs as text; end-of-text is '$'.
std::string shown(const std::vector<std::int32_t>& ids) {
  std::string text;
  for (const std::int32_t id : ids) text += id == 0 ? '$' : id == -1 ? '_' : static_cast<char>(id);
  return text;
}

std::string shown(const Sample& s) { return shown(s.inputs) + "|" + shown(s.targets); }

/// The first input of each sample of an epoch.
std::vector<std::int32_t> starts(const Dataset& data, std::uint64_t epoch) {
  std::vector<std::int32_t> all;
  const auto n = static_cast<std::uint64_t>(data.samples_per_epoch());
  for (std::uint64_t i = 0; i < n; ++i) all.push_back(data.sample(epoch * n + i).inputs[0]);
  return all;
}

std::vector<std::int32_t> sorted(std::vector<std::int32_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

// ---- orders

TEST(Permutation, VisitsEachOnce) {
  for (const std::int64_t n : {1, 2, 3, 4, 5, 63, 64, 65, 255, 256, 257, 1000, 4097, 100000}) {
    for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
      const Permutation order(n, key);
      std::vector<bool> seen(static_cast<std::size_t>(n));
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t at = order(i);
        ASSERT_TRUE(at >= 0 && at < n);
        ASSERT_FALSE(seen[static_cast<std::size_t>(at)]) << n;
        seen[static_cast<std::size_t>(at)] = true;
      }
    }
  }
}

TEST(Permutation, KnowsEveryOrderOfFourAboutEquallyOften) {
  std::map<std::array<std::int64_t, 4>, int> counts;
  constexpr int kKeys = 24000;
  for (int key = 0; key < kKeys; ++key) {
    const Permutation order(4, static_cast<std::uint64_t>(key));
    ++counts[{order(0), order(1), order(2), order(3)}];
  }
  EXPECT_EQ(counts.size(), 24u);
  double chi_squared = 0;
  for (const auto& [order, count] : counts)
    chi_squared += (count - 1000.) * (count - 1000.) / 1000.;
  EXPECT_LT(chi_squared, 49.7);  // of 23 degrees of freedom: exceeded once in a thousand
}

TEST(Permutation, LeavesNoTraceOfThePlace) {
  // Correlation of place and number: of n random ones within 4 / √n, but for one in 16,000.
  constexpr std::int64_t kCount = 10000;
  for (const std::uint64_t key : {1, 2, 3}) {
    const Permutation order(kCount, key);
    double sum = 0;
    for (std::int64_t i = 0; i < kCount; ++i) {
      sum += (static_cast<double>(i) - (kCount - 1) / 2.) *
             (static_cast<double>(order(i)) - (kCount - 1) / 2.);
    }
    const double variance = (kCount * double{kCount} - 1) / 12.;
    EXPECT_LT(std::abs(sum / kCount / variance), 4 / std::sqrt(double{kCount}));
  }
}

TEST(Permutation, ManagesLargeCounts) {
  const std::int64_t n = (std::int64_t{1} << 62) + 1;
  const Permutation order(n, 7);
  std::set<std::int64_t> seen;
  for (std::int64_t i = n - 100; i < n; ++i) {
    EXPECT_TRUE(order(i) >= 0 && order(i) < n);
    seen.insert(order(i));
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST(Holdout, DividesTheNumbersInOrder) {
  for (const std::int64_t count : {1, 2, 7, 10, 64, 1000}) {
    for (const std::int64_t held :
         {std::int64_t{0}, std::int64_t{1}, count / 3, count - 1, count}) {
      const Holdout holdout(count, held);
      std::set<std::int64_t> out;
      for (std::int64_t j = 0; j < held; ++j) {
        const std::int64_t v = holdout.held_out(j);
        EXPECT_TRUE(out.empty() || v > *out.rbegin());
        // One in each stretch.
        EXPECT_TRUE(v >= j * count / held && v < (j + 1) * count / held);
        out.insert(v);
      }
      std::vector<std::int64_t> expected, kept;
      for (std::int64_t i = 0; i < count; ++i) {
        if (!out.contains(i)) expected.push_back(i);
      }
      for (std::int64_t i = 0; i < holdout.kept(); ++i) kept.push_back(holdout.kept_at(i));
      EXPECT_EQ(kept, expected) << count << ' ' << held;
      EXPECT_EQ(holdout.kept_at(holdout.kept()), count);
      EXPECT_EQ(holdout.kept_at(holdout.kept() + 3), count + 3);
    }
  }
}

TEST(MagicPrime, IsThePublishedOne) {
  EXPECT_EQ(magic_prime(1498226207, 512), 2926181);      // minipile
  EXPECT_EQ(magic_prime(332115325534, 4096), 81082817);  // the Pile
}

TEST(MagicPrime, IsTheLargestBelowTheNumberOfWindows) {
  const auto by_definition = [](std::int64_t below) {
    std::int64_t largest = 0;
    for (std::int64_t p = 2; p < below; ++p) {
      bool prime = true;
      for (std::int64_t d = 2; d < p; ++d) prime = prime && p % d != 0;
      if (prime && p % 3 == 2) largest = p;
    }
    return largest;
  };
  for (std::int64_t tokens = 0; tokens < 2000; tokens += 7) {
    for (const std::int64_t context : {1, 3, 10})
      EXPECT_EQ(magic_prime(tokens, context), by_definition(tokens / context - 1)) << tokens;
  }
}

TEST(MagicPrime, PlacesAreThoseOfTheTrainer) {
  // python3: f = int(p * (math.sqrt(5) - 1) / 2); f * ii**3 % p for ii = i + 1
  constexpr std::int64_t p = 2926181;
  for (const auto& [i, place] :
       std::vector<std::pair<std::uint64_t, std::int64_t>>{{0, 1808479},
                                                           {1, 2763108},
                                                           {2, 2010037},
                                                           {999, 61539},
                                                           {2926180, 0},
                                                           {2926181, 1808479},
                                                           {999999999999, 2516614}})
    EXPECT_EQ(magic_place(p, i), place) << i;
  for (const std::int64_t prime : {2, 5, 11, 1013}) {
    std::set<std::int64_t> places;
    for (std::int64_t i = 0; i < prime; ++i) {
      places.insert(magic_place(prime, static_cast<std::uint64_t>(i)));
    }
    EXPECT_EQ(std::ssize(places), prime);
    EXPECT_EQ(*places.rbegin(), prime - 1);
  }
}

// ---- windows

TEST_F(DatasetFiles, WindowsAreSlicesOfTheStream) {
  write("a.txt", "abc");
  write("b.txt", "defghij");
  const Dataset data = open(
      {.files = {path("a.txt"), path("b.txt")}, .context = 4, .order = SampleOrder::kSequential});
  EXPECT_EQ(data.tokens(), 12);
  EXPECT_EQ(data.documents(), 2);
  EXPECT_EQ(data.sampling(), Sampling::kWindows);
  EXPECT_EQ(data.samples_per_epoch(), 2);  // 11 / 4: each needs a token more
  EXPECT_EQ(shown(data.sample(0)), "abc$|bc$d");
  EXPECT_EQ(shown(data.sample(1)), "defg|efgh");
  EXPECT_EQ(data.sample(2), data.sample(0));
  EXPECT_EQ(data.sample(2'000'000'001), data.sample(1));
}

TEST_F(DatasetFiles, ShuffledEpochsHaveEachTokenOnce) {
  for (const int tokens : {51, 58, 60, 61}) {
    const Dataset data =
        open_counting({.files = {write_counting("d", {tokens})}, .context = 10, .seed = 3});
    ASSERT_EQ(data.samples_per_epoch(), (tokens - 1) / 10);
    const auto n = static_cast<std::uint64_t>(data.samples_per_epoch());
    std::set<std::int32_t> shifts;
    for (std::uint64_t epoch = 0; epoch < 30; ++epoch) {
      std::set<std::int32_t> inputs;
      for (std::uint64_t i = 0; i < n; ++i) {
        const Sample s = data.sample(epoch * n + i);
        ASSERT_EQ(s.inputs.size(), 10u);
        ASSERT_EQ(s.targets.size(), 10u);
        inputs.insert(s.inputs.begin(), s.inputs.end());
        for (std::size_t k = 0; k < 10; ++k) {
          // Where the stream begins again, the first token follows from nothing.
          const std::int32_t next = s.inputs[k] + 1 == tokens ? -1 : s.inputs[k] + 1;
          EXPECT_EQ(s.targets[k], next);
          if (k > 0) {
            EXPECT_EQ(s.inputs[k], (s.inputs[k - 1] + 1) % tokens);
          }
        }
      }
      EXPECT_EQ(inputs.size(), n * 10) << "an input twice";
      for (const std::int32_t start : starts(data, epoch)) {
        if (epoch == 0) {
          EXPECT_EQ(start % 10, 0);
        }
      }
      shifts.insert(starts(data, epoch)[0] % 10);
    }
    EXPECT_GT(shifts.size(), 4u);
  }
}

TEST_F(DatasetFiles, EpochsAndSeedsHaveOrdersOfTheirOwn) {
  const std::string file = write_counting("d", {1001});
  std::set<std::vector<std::int32_t>> orders;
  for (const std::uint64_t seed : {0, 1, 2}) {
    const Dataset data = open_counting({.files = {file}, .context = 10, .seed = seed});
    for (std::uint64_t epoch = 0; epoch < 4; ++epoch) orders.insert(starts(data, epoch));
    EXPECT_EQ(starts(data, 3), starts(data, 3));
    std::vector<std::int32_t> tens(100);
    for (int i = 0; i < 100; ++i) tens[static_cast<std::size_t>(i)] = 10 * i;
    EXPECT_NE(starts(data, 0), tens);
    EXPECT_EQ(sorted(starts(data, 0)), tens);
  }
  EXPECT_EQ(orders.size(), 12u);
}

TEST_F(DatasetFiles, BlinkdlsOrderFollowsTheMagicPrime) {
  const Dataset data = open_counting(
      {.files = {write_counting("d", {100, 43})}, .context = 10, .order = SampleOrder::kBlinkdl});
  // ⌊143 / 10⌋ − 1 = 13, and 11 ≡ 2 (mod 3): f = ⌊11 · 0.618⌋ = 6, places 6 · 1, 6 · 8, 6 · 27 … mod 11.
  EXPECT_EQ(data.samples_per_epoch(), 11);
  EXPECT_THAT(starts(data, 0), ElementsAre(60, 40, 80, 100, 20, 90, 10, 30, 70, 50, 0));
  EXPECT_EQ(starts(data, 1), starts(data, 0));
  EXPECT_EQ(data.sample(1).targets.back(), 50);
  EXPECT_EQ(dataset_error([&] {
              open_counting({.files = {path("d")}, .context = 47, .order = SampleOrder::kBlinkdl});
            }),
            "invalid_argument: the data are too short for BlinkDL's order\n"
            "  expected  at least 188 tokens\n  found     143\n"
            "  hint      use another order, a smaller context, or more data");
}

TEST_F(DatasetFiles, HeldOutWindowsAreNeverLearned) {
  for (const int tokens : {1000, 1001, 1005}) {
    const std::string file = write_counting("d", {tokens});
    for (const double share : {0.001, 0.1, 0.5, 0.9}) {
      for (const SampleOrder order :
           {SampleOrder::kShuffled, SampleOrder::kSequential, SampleOrder::kBlinkdl}) {
        if (order == SampleOrder::kBlinkdl && share > 0.8) continue;
        const Dataset data =
            open_counting({.files = {file}, .validation = share, .context = 10, .order = order});
        const std::int64_t windows = (tokens - 1) / 10;
        const std::int64_t held = std::max<std::int64_t>(std::llround(share * windows), 1);
        ASSERT_EQ(data.validation_samples(), held);
        if (order != SampleOrder::kBlinkdl) {
          EXPECT_EQ(data.samples_per_epoch(), windows - held);
        }
        std::set<std::int32_t> held_out;
        for (std::int64_t i = 0; i < held; ++i) {
          const Sample s = data.validation_sample(i);
          EXPECT_EQ(s.inputs[0] % 10, 0);
          for (std::size_t k = 0; k < 10; ++k) {
            EXPECT_EQ(s.targets[k], s.inputs[k] + 1);
            EXPECT_TRUE(held_out.insert(s.targets[k]).second);
          }
        }
        std::set<std::int32_t> learned;
        const auto n = static_cast<std::uint64_t>(data.samples_per_epoch());
        for (std::uint64_t i = 0; i < 60 * n; ++i) {
          const Sample s = data.sample(i);
          for (std::size_t k = 0; k < 10; ++k) {
            if (s.targets[k] == -1) continue;
            EXPECT_FALSE(held_out.contains(s.targets[k]));
            EXPECT_EQ(s.targets[k], s.inputs[k] + 1) << "a token behind a joint counts";
            learned.insert(s.targets[k]);
          }
        }
        // Over epochs all that is left comes, but for the first tokens behind joints.
        if (order == SampleOrder::kShuffled) {
          EXPECT_GE(std::ssize(learned), tokens - 10 * held - held - 1);
        }
      }
    }
  }
}

// ---- documents

constexpr const char* kConversations =
    "{\"question\": \"q\", \"answer\": \"abc\"}\n"
    "{\"question\": \"long long long long\", \"answer\": \"x\"}\n"
    "{\"text\": \"\"}\n"
    "{\"question\": \"r\", \"answer\": \"defghijkl\"}\n"
    "{\"messages\": [{\"role\": \"user\", \"content\": \"no answer\"}]}\n";

TEST_F(DatasetFiles, ConversationsAreSampledAsDocuments) {
  const Dataset data = open({.files = {write("c.jsonl", kConversations)},
                             .context = 26,
                             .order = SampleOrder::kSequential});
  EXPECT_EQ(data.sampling(), Sampling::kDocuments);
  EXPECT_EQ(data.documents(), 4);  // not the empty one
  EXPECT_EQ(data.samples_per_epoch(), 2);
  EXPECT_EQ(data.summary().skipped, 2);  // an answer that begins too late, and none
  EXPECT_EQ(data.summary().truncated, 1);
  EXPECT_EQ(data.summary().counted, (1 + 3 + 3) + (1 + 1 + 3) + (1 + 9 + 3));
  EXPECT_EQ(shown(data.sample(0)), "User: q\n\nAssistant: abc\n\n|__________________ abc\n\n$");
  EXPECT_EQ(shown(data.sample(1)), "User: r\n\nAssistant: defghi|__________________ defghij");
  EXPECT_EQ(data.sample(5), data.sample(1));
}

TEST_F(DatasetFiles, SamplingCanBeChosen) {
  const std::string text = write("t.txt", "abcdef");
  const Dataset documents = open({.files = {text}, .context = 3, .sampling = Sampling::kDocuments});
  EXPECT_EQ(documents.samples_per_epoch(), 1);
  EXPECT_EQ(shown(documents.sample(0)), "abc|bcd");
  const Dataset windows = open({.files = {write("c.jsonl", kConversations)},
                                .context = 30,
                                .sampling = Sampling::kWindows,
                                .order = SampleOrder::kSequential});
  EXPECT_EQ(windows.sampling(), Sampling::kWindows);
  EXPECT_EQ(shown(windows.sample(0)),
            "User: q\n\nAssistant: abc\n\n$User|__________________ abc\n\n$_____");
}

TEST_F(DatasetFiles, DocumentsOfPairsMayBeTooShort) {
  const Dataset data = open_counting({.files = {write_counting("d", {0, 3, 1, 2, 0, 5, 1})},
                                      .context = 4,
                                      .sampling = Sampling::kDocuments,
                                      .order = SampleOrder::kSequential});
  EXPECT_EQ(data.samples_per_epoch(), 3);
  EXPECT_THAT(data.sample(0).inputs, ElementsAre(0, 1));
  EXPECT_THAT(data.sample(1).inputs, ElementsAre(4));
  EXPECT_THAT(data.sample(2).inputs, ElementsAre(6, 7, 8, 9));
  EXPECT_THAT(data.sample(2).targets, ElementsAre(7, 8, 9, 10));
  EXPECT_EQ(data.summary().skipped, 4);
  EXPECT_EQ(data.summary().truncated, 0);
}

TEST_F(DatasetFiles, HeldOutDocumentsAreTheOthers) {
  const std::string file = write_counting("d", std::vector<int>(100, 3));
  for (const SampleOrder order : {SampleOrder::kShuffled, SampleOrder::kSequential}) {
    const Dataset data = open_counting({.files = {file},
                                        .validation = 0.07,
                                        .context = 8,
                                        .sampling = Sampling::kDocuments,
                                        .order = order});
    EXPECT_EQ(data.validation_samples(), 7);
    EXPECT_EQ(data.samples_per_epoch(), 93);
    std::vector<std::int32_t> all = starts(data, 5);
    if (order == SampleOrder::kSequential) {
      EXPECT_EQ(all, sorted(all));
    }
    for (std::int64_t i = 0; i < 7; ++i) {
      const std::int32_t start = data.validation_sample(i).inputs[0];
      EXPECT_TRUE(start >= i * 300 / 7 - 3 && start < (i + 1) * 300 / 7);
      all.push_back(start);
    }
    std::vector<std::int32_t> threes(100);
    for (int i = 0; i < 100; ++i) threes[static_cast<std::size_t>(i)] = 3 * i;
    EXPECT_EQ(sorted(all), threes);
  }
}

TEST_F(DatasetFiles, ValidationMayHaveFilesOfItsOwn) {
  const Dataset data = open({.files = {write("t.txt", "abcdefghijklm")},
                             .validation_files = {write("v.txt", "nopqrstuv")},
                             .context = 4});
  EXPECT_EQ(data.samples_per_epoch(), 3);
  EXPECT_EQ(data.validation_samples(), 2);
  EXPECT_EQ(shown(data.validation_sample(0)), "nopq|opqr");
  EXPECT_EQ(shown(data.validation_sample(1)), "rstu|stuv");
  for (const std::int64_t i : {-1, 2}) {
    EXPECT_EQ(dataset_error([&] { (void)data.validation_sample(i); }),
              fmt::format("invalid_argument: there is no validation sample {}, only 2", i));
  }
  EXPECT_EQ(open({.files = {path("t.txt")}, .context = 4}).validation_samples(), 0);
}

TEST_F(DatasetFiles, FilesOfAllKindsAreOneStream) {
  {
    BinidxWriter pair(path("p"), TokenType::kU16);
    pair.add(std::vector<std::int32_t>{'p', 'q', 0});
    pair.end_document();
    pair.finish();
  }
  const Dataset data = open({.files = {write("a.txt", "a"), path("p.idx"),
                                       write("b.jsonl", "{\"text\": \"b\"}\n{\"text\": \"c\"}"),
                                       write("d.txt", "d"), path("p")},
                             .context = 13,
                             .order = SampleOrder::kSequential});
  EXPECT_EQ(data.documents(), 6);
  EXPECT_EQ(shown(data.sample(0)), "a$pq$b$c$d$pq|$pq$b$c$d$pq$");
}

// ---- tokenizing

/// Records and texts of all sizes, more than a batch of them.
std::string many_records() {
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    const std::string words(static_cast<std::size_t>(i * 37 % 400), 'w');
    text += i % 3 == 0 ? fmt::format("{{\"text\": \"{} {}\"}}\n", i, words)
                       : fmt::format("{{\"question\": \"{}\", \"answer\": \"{}\"}}\r\n", i, words);
  }
  return text;
}

TEST_F(DatasetFiles, ThreadsChangeNothing) {
  std::string long_text;
  for (int i = 0; long_text.size() < 10'000'000; ++i) long_text += fmt::format("line {}\n", i);
  DataOptions options{.files = {write("t.txt", long_text), write("u.txt", "short"),
                                write("r.jsonl", many_records())},
                      .validation = 0.1,
                      .context = 32,
                      .seed = 1};
  const Dataset one = open(options, 1), three = open(options, 3);
  EXPECT_EQ(one.documents(), 3002);
  EXPECT_EQ(one.tokens(), three.tokens());
  EXPECT_EQ(one.fingerprint(), three.fingerprint());
  for (std::uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(one.sample(i * 7), three.sample(i * 7));
  for (std::int64_t i = 0; i < one.validation_samples(); ++i)
    ASSERT_EQ(one.validation_sample(i), three.validation_sample(i));
  // The masks behind ten million tokens are right, too, in memory and in files.
  std::int64_t questions = 0;
  for (int i = 0; i < 3000; ++i) {
    if (i % 3 != 0) questions += std::ssize(fmt::format("User: {}\n\nAssistant:", i));
  }
  EXPECT_EQ(one.summary().counted, one.tokens() - questions);
  options = {.files = options.files,
             .cache = path("cache"),
             .context = 32,
             .order = SampleOrder::kSequential};
  const Dataset cached = open(options);
  EXPECT_EQ(cached.summary().counted, one.summary().counted);
  EXPECT_EQ(shown(cached.sample(3001 - static_cast<std::uint64_t>(cached.summary().skipped))),
            "User: 2999\n\nAssistant: wwwwwwwww|_____________________ wwwwwwwwww");
}

TEST_F(DatasetFiles, TextComesBackAsItWas) {
  std::string text;
  for (int i = 0; text.size() < 9'000'000; ++i) text += fmt::format("line {} \xff\n", i);
  const auto size = static_cast<std::int64_t>(text.size());
  const Dataset data =
      open({.files = {write("t.txt", text)}, .context = size, .order = SampleOrder::kSequential});
  const Sample s = data.sample(0);
  ASSERT_EQ(s.inputs.size(), text.size());
  bool same = s.targets.back() == 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    same = same && s.inputs[i] == static_cast<unsigned char>(text[i]);
  EXPECT_TRUE(same);
}

TEST_F(DatasetFiles, ManySmallFilesDoNotStayOpen) {
  std::vector<std::string> names;
  for (int i = 0; i < 700; ++i) names.push_back(write(fmt::format("{}.txt", i), "ab"));
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit low = old;
  low.rlim_cur = 400;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const std::string message = dataset_error([&] {
    EXPECT_EQ(open({.files = names, .cache = path("cache"), .context = 8}).documents(), 700);
  });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(message, "no error");
}

TEST_F(DatasetFiles, LargeVocabulariesAreKeptWhole) {
  const WideTokenizer largest_small(65536, 65536 - 256), smallest_large(65537, 65537 - 256);
  ThreadPool pool(1);
  for (const Tokenizer* tokenizer : {static_cast<const Tokenizer*>(&largest_small),
                                     static_cast<const Tokenizer*>(&smallest_large)}) {
    const std::string cache = path(std::to_string(tokenizer->vocab_size()));
    const Dataset data = Dataset::open(
        {.files = {write("t.txt", "\x01\xff")}, .cache = cache, .context = 2}, *tokenizer, pool);
    const std::int32_t last = tokenizer->vocab_size() - 1;
    EXPECT_THAT(data.sample(0).inputs, ElementsAre(last - 254, last));
    EXPECT_THAT(data.sample(0).targets, ElementsAre(last, 0));
    for (const auto& entry : std::filesystem::directory_iterator(cache)) {
      if (entry.path().extension() == ".bin") {
        EXPECT_EQ(entry.file_size(), last < 65536 ? 6u : 12u);
      }
    }
  }
}

TEST_F(DatasetFiles, ProgressIsTold) {
  const std::string file = write("r.jsonl", many_records());
  ThreadPool pool(1);
  std::set<std::string> actions;
  std::int64_t last = -1;
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(file));
  (void)Dataset::open({.files = {file}, .context = 8}, *bytes_, pool, [&](const DataProgress& p) {
    actions.emplace(p.action);
    if (p.action == "tokenizing") {
      EXPECT_GE(p.done, last);
      EXPECT_EQ(p.total, size);
      last = p.done;
    }
    return true;
  });
  EXPECT_EQ(last, size);
  EXPECT_THAT(actions, ElementsAre("checking", "tokenizing"));
}

TEST_F(DatasetFiles, OpeningMayBeStoppedAnywhere) {
  const DataOptions options{
      .files = {write("r.jsonl", many_records())}, .cache = path("cache"), .context = 8};
  ThreadPool pool(1);
  // Stops at the call of this number alone; returns how many there were.
  const auto open_until = [&](int stop) {
    int calls = 0;
    (void)Dataset::open(options, *bytes_, pool,
                        [&](const DataProgress&) { return calls++ != stop; });
    return calls;
  };
  const int to_make = open_until(-1), to_find = open_until(-1);
  EXPECT_LT(to_find, to_make);
  for (const int calls : {to_find, to_make}) {
    for (int stop = 0; stop < calls; ++stop) {
      if (calls == to_make) std::filesystem::remove_all(path("cache"));
      EXPECT_EQ(dataset_error([&] { (void)open_until(stop); }),
                "cancelled: opening the data was cancelled");
      if (!std::filesystem::exists(path("cache"))) continue;
      for (const auto& entry : std::filesystem::directory_iterator(path("cache")))
        EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".tmp-")));
    }
  }
  EXPECT_EQ(open_until(-1), to_make);  // what was half done was of no use
}

// ---- the cache

class DataCache : public DatasetFiles {
 protected:
  void SetUp() override {
    options_ = {.files = {write("c.jsonl", kConversations)}, .cache = path("cache"), .context = 26};
  }
  /// Whether the text is tokenized, and not taken from the cache.
  [[nodiscard]] bool tokenizes() const { return open(options_).summary().tokenized_bytes > 0; }
  /// The only file of the cache with this ending.
  [[nodiscard]] std::string cached(const std::string& ending) const {
    std::string found;
    for (const auto& entry : std::filesystem::directory_iterator(options_.cache)) {
      if (entry.path().extension() == ending) {
        EXPECT_EQ(found, "");
        found = entry.path().string();
      }
    }
    EXPECT_NE(found, "") << ending;
    return found;
  }
  [[nodiscard]] static std::string content(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  DataOptions options_;
};

TEST_F(DataCache, KeepsTheTokens) {
  DataOptions in_memory = options_;
  in_memory.cache = "";
  const Dataset first = open(options_), second = open(options_), none = open(in_memory);
  EXPECT_EQ(first.summary().tokenized_bytes, std::ssize(std::string_view(kConversations)));
  EXPECT_EQ(second.summary().tokenized_bytes, 0);
  EXPECT_EQ(none.summary().tokenized_bytes, first.summary().tokenized_bytes);
  EXPECT_EQ(first.fingerprint(), second.fingerprint());
  EXPECT_EQ(first.fingerprint(), none.fingerprint());
  for (std::uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(first.sample(i), second.sample(i));
    EXPECT_EQ(first.sample(i), none.sample(i));
  }
  EXPECT_EQ(first.summary().skipped, second.summary().skipped);
  // The tokens are a pair that others can read, the rest says what it is.
  const std::string bin = cached(".bin");
  const Binidx pair = Binidx::open(*Binidx::pair_name(bin));
  EXPECT_EQ(pair.type(), TokenType::kU16);
  EXPECT_EQ(pair.tokens(), first.tokens());
  EXPECT_EQ(pair.documents(), 4);
  EXPECT_EQ(std::filesystem::file_size(cached(".mask")),
            static_cast<std::uintmax_t>(first.tokens() + 7) / 8);
  const std::string json = content(cached(".json"));
  EXPECT_THAT(json, HasSubstr(path("c.jsonl")));
  EXPECT_THAT(json, HasSubstr("\"name\": \"bytes\""));
  EXPECT_EQ(std::filesystem::path(bin).filename().string().substr(0, 2), "c-");
}

TEST_F(DataCache, ServesEveryOrderAndContext) {
  EXPECT_TRUE(tokenizes());
  options_.context = 30;
  EXPECT_FALSE(tokenizes());
  options_.order = SampleOrder::kSequential;
  options_.sampling = Sampling::kWindows;
  options_.validation = 0.3;
  options_.seed = 8;
  EXPECT_FALSE(tokenizes());
}

TEST_F(DataCache, IsMadeAnewWhenSomethingElseIsAskedFor) {
  EXPECT_TRUE(tokenizes());
  // Another text of the same size.
  std::string changed = kConversations;
  changed[changed.find("abc")] = 'A';
  write("c.jsonl", changed);
  EXPECT_TRUE(tokenizes());
  EXPECT_THAT(shown(open(options_).sample(0)) + shown(open(options_).sample(1)), HasSubstr("Abc"));
  EXPECT_FALSE(tokenizes());
  const std::ptrdiff_t entry =
      std::distance(std::filesystem::directory_iterator(options_.cache), {});
  EXPECT_EQ(entry, 4);
  // Another template, list of files, vocabulary: entries beside it.
  options_.chat_template = "g1";
  EXPECT_TRUE(tokenizes());
  options_.chat_template = "world";
  EXPECT_FALSE(tokenizes());
  options_.files.push_back(write("d.txt", "d"));
  EXPECT_TRUE(tokenizes());
  EXPECT_FALSE(tokenizes());
  ThreadPool pool(1);
  const auto tokenizes_with = [&](const Tokenizer& tokenizer) {
    return Dataset::open(options_, tokenizer, pool).summary().tokenized_bytes > 0;
  };
  EXPECT_TRUE(tokenizes_with(WideTokenizer(1000, 500)));
  EXPECT_FALSE(tokenizes_with(WideTokenizer(1000, 500)));
  EXPECT_TRUE(tokenizes_with(WideTokenizer(1001, 500)));
  EXPECT_TRUE(tokenizes_with(WideTokenizer(1000, 600)));  // other tokens of the same name
  EXPECT_FALSE(tokenizes());
}

TEST_F(DataCache, IsMadeAnewWhenItIsDamaged) {
  EXPECT_TRUE(tokenizes());
  const std::string good = shown(open(options_).sample(0));
  for (const char* ending : {".bin", ".idx", ".mask", ".json"}) {
    const std::string file = cached(ending), whole = content(file);
    for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 20) {
      std::string bad = whole;
      bad[at] = static_cast<char>(bad[at] ^ 1);
      std::ofstream(file, std::ios::binary) << bad;
      (void)open(options_);
      EXPECT_EQ(content(file), whole) << ending << ' ' << at;
      EXPECT_EQ(shown(open(options_).sample(0)), good);
    }
    for (const std::string& bad : {std::string(), whole.substr(0, whole.size() / 2), whole + "x"}) {
      std::ofstream(file, std::ios::binary) << bad;
      EXPECT_TRUE(tokenizes()) << ending;
      EXPECT_EQ(content(file), whole);
    }
    std::filesystem::remove(file);
    EXPECT_TRUE(tokenizes()) << ending;
    EXPECT_FALSE(tokenizes()) << ending;
  }
  for (const char* json :
       {"[]", "{}", "7", R"({"prwkv_tokens": 1, "made_from": {}, "result": 7})"}) {
    std::ofstream(cached(".json")) << json;
    EXPECT_TRUE(tokenizes()) << json;
  }
}

TEST_F(DataCache, SaysWhenItCannotBeWritten) {
  options_.cache = write("file", "x");
  const std::string message = dataset_error([&] { (void)open(options_); });
  EXPECT_THAT(message,
              HasSubstr("file: " + path("file") + ": the folder for tokens cannot be made"));
  EXPECT_THAT(message, HasSubstr("hint      name another folder for the cache, or none"));
  options_.cache = path("file") + "/below";
  EXPECT_THAT(dataset_error([&] { (void)open(options_); }), HasSubstr("cannot be made"));
}

// ---- what is refused

TEST_F(DatasetFiles, BadDataAreRefused) {
  const std::string empty = write("empty.txt", ""), blank = write("blank.jsonl", "\n\n"),
                    bad = write("bad.jsonl", "{\"text\": \"a\"}\n\n{\"txt\": 1}\n{]\n"),
                    broken = write("broken.jsonl", "{\"text\": \"a\"}\n{\"text\": }\n"),
                    ten = write("ten.txt", "123456789"),
                    asks =
                        write("asks.jsonl", R"({"messages": [{"role": "user", "content": "U"}]})");
  write_counting("pair", {5, 300});
  write_counting("nothing", {});
  struct Row {
    DataOptions options;
    std::string message;
  };
  for (const auto& [options, message] : std::vector<Row>{
           {{.files = {}}, "invalid_argument: no file with data was named"},
           {{.files = {path("none.txt")}},
            fmt::format("file: {}: cannot be opened\n  found     No such file or directory\n"
                        "  hint      is the path right and the file readable?",
                        path("none.txt"))},
           {{.files = {ten, path("none.bin")}},
            fmt::format("file: {}: there is no such file\n"
                        "  expected  token data as a pair of files, NAME.bin and NAME.idx\n"
                        "  hint      is the path right?",
                        path("none.idx"))},
           {{.files = {empty}},
            fmt::format("format: {}: there is no text in the data\n"
                        "  expected  at least one document\n  found     1 file without any",
                        empty)},
           {{.files = {empty, blank, path("nothing")}},
            fmt::format("format: {}: there is no text in the data\n"
                        "  expected  at least one document\n  found     3 files without any",
                        empty)},
           {{.files = {bad}},
            fmt::format(
                "format: {}:3: has no key that says what it is\n"
                "  expected  \"text\", \"messages\", \"conversations\", \"instruction\" and "
                "\"output\", \"prompt\" and \"completion\", or \"question\" and \"answer\"\n"
                "  found     \"txt\"",
                bad)},
           {{.files = {ten}, .context = 10},
            "invalid_argument: the data are shorter than one sample\n"
            "  expected  at least 11 tokens\n  found     10\n"
            "  hint      use a smaller context, or more data"},
           {{.files = {ten}, .validation_files = {ten, empty}, .context = 9}, "no error"},
           {{.files = {ten, ten}, .validation_files = {ten}, .context = 10},
            "invalid_argument: the data for validation are shorter than one sample\n"
            "  expected  at least 11 tokens\n  found     10\n"
            "  hint      use a smaller context, or more data"},
           {{.files = {asks}},
            "invalid_argument: nothing in the data can be learned\n"
            "  expected  a document with a token that counts in the loss\n"
            "  found     1 without one in 513 tokens\n"
            "  hint      conversations need answers; a longer context reaches further"},
           {{.files = {ten}, .validation = 0.5, .context = 9},
            "invalid_argument: validation leaves nothing to train with\n"
            "  expected  at least one sample\n  found     1 of 1 held out\n"
            "  hint      use a smaller share, a smaller context, or more data"},
           {{.files = {path("pair")}, .context = 4},
            fmt::format("mismatch: {}: token 256 is not in the vocabulary\n"
                        "  expected  an id from 0 to 255\n  found     256\n"
                        "  hint      was the data made for another tokenizer?",
                        path("pair.bin"))},
           {{.files = {ten}, .vocabulary = 50, .context = 4},
            fmt::format("mismatch: {}: token 1 is not in the vocabulary\n"
                        "  expected  an id from 0 to 49\n  found     50\n"
                        "  hint      was the data made for another tokenizer?",
                        ten)},
           {{.files = {ten}, .chat_template = "x", .context = 4},
            "invalid_argument: there is no such chat template for training\n"
            "  expected  world, g1, world-qa, world-instruct\n  found     'x'"},
           {{.files = {ten}, .context = 0},
            "invalid_argument: the context must be 1 to 16777216 tokens, not 0"},
           {{.files = {ten}, .context = std::int64_t{1} << 40},
            "invalid_argument: the context must be 1 to 16777216 tokens, not 1099511627776"},
           {{.files = {ten}, .validation = 1},
            "invalid_argument: the share for validation must be at least 0 and below 1, not 1"},
           {{.files = {ten}, .validation = -0.5},
            "invalid_argument: the share for validation must be at least 0 and below 1, not -0.5"},
           {{.files = {ten}, .validation = std::nan("")},
            "invalid_argument: the share for validation must be at least 0 and below 1, not nan"},
           {{.files = {ten}, .validation = 0.5, .validation_files = {ten}},
            "invalid_argument: validation has files of its own, and also a share of the training "
            "data"},
           {{.files = {ten}, .sampling = Sampling::kDocuments, .order = SampleOrder::kBlinkdl},
            "invalid_argument: BlinkDL's order is one of windows, not of documents"},
       })
    EXPECT_EQ(dataset_error([&] { (void)open(options); }), message);
  EXPECT_THAT(dataset_error([&] { (void)open({.files = {broken}}); }),
              ::testing::StartsWith("format: " + broken + ":2: not valid JSON\n  found     "));
}

TEST_F(DatasetFiles, OfSeveralBadLinesTheFirstIsNamed) {
  std::string text;
  for (int i = 1; i <= 5000; ++i) text += i % 1000 == 7 ? "{}\n" : "{\"text\": \"some words\"}\n";
  const std::string file = write("f.jsonl", text);
  for (const int threads : {1, 3}) {
    EXPECT_THAT(dataset_error([&] { (void)open({.files = {file}}, threads); }),
                ::testing::StartsWith("format: " + file + ":7: "));
  }
}

TEST_F(DatasetFiles, FingerprintsTellDataAndOrdersApart) {
  const std::string a = write("a.txt", "some text that is long enough"),
                    same = write("same.txt", "some text that is long enough"),
                    other = write("other.txt", "some text that is Long enough"),
                    questions = write("q.jsonl", R"({"question": "a b c d e f", "answer": "g"})"),
                    plain =
                        write("p.jsonl", R"({"text": "User: a b c d e f\n\nAssistant: g\n\n"})");
  const DataOptions base{.files = {a}, .context = 4};
  const auto with = [&](auto change) {
    DataOptions options = base;
    change(options);
    return open(options).fingerprint();
  };
  std::set<std::uint64_t> prints;
  const std::vector<std::uint64_t> different{
      with([](DataOptions&) {}), with([&](DataOptions& o) { o.files = {other}; }),
      with([&](DataOptions& o) {
        o.files = {a, a};
      }),
      with([&](DataOptions& o) { o.context = 5; }), with([&](DataOptions& o) { o.seed = 1; }),
      with([&](DataOptions& o) { o.order = SampleOrder::kSequential; }),
      with([&](DataOptions& o) { o.order = SampleOrder::kBlinkdl; }),
      with([&](DataOptions& o) { o.sampling = Sampling::kDocuments; }),
      with([&](DataOptions& o) { o.validation = 0.3; }),
      // The same tokens, but not the same mask.
      with([&](DataOptions& o) { o.files = {questions}, o.sampling = Sampling::kWindows; }),
      with([&](DataOptions& o) { o.files = {plain}; })};
  prints.insert(different.begin(), different.end());
  EXPECT_EQ(prints.size(), different.size());
  EXPECT_EQ(with([&](DataOptions& o) { o.files = {same}; }), different[0]);
  EXPECT_EQ(with([&](DataOptions& o) { o.validation_files = {other}; }), different[0]);
  EXPECT_EQ(with([&](DataOptions& o) { o.order = SampleOrder::kSequential, o.seed = 5; }),
            different[5]);
}

}  // namespace
}  // namespace prwkv
