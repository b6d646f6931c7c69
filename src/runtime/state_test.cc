#include "runtime/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "formats/reader.h"
#include "formats/test_files.h"

namespace prwkv {
namespace {

using testing::Bytes;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

const Fingerprint kPrint =
    *Fingerprint::parse("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");

template <class T>
StateTensor tensor(const std::string& name, const std::vector<T>& values) {
  StateTensor t{name, {static_cast<std::int64_t>(values.size())}, {}};
  const auto bytes = std::as_bytes(std::span(values));
  t.bytes.assign(bytes.begin(), bytes.end());
  return t;
}

/// The values of tensor number `t`.
std::vector<double> values(const State& s, std::size_t t) {
  std::vector<double> v;
  const std::size_t n = s.tensors[t].bytes.size() / (s.dtype == DType::kF64 ? 8 : 4);
  for (std::size_t i = 0; i < n; ++i) v.push_back(s.value(s.tensors[t], i));
  return v;
}

State state7(const std::vector<float>& shift, const std::vector<float>& wkv,
             std::uint64_t tokens_seen = 5) {
  State s;
  s.header = {"7", 1, 2, kPrint};
  s.tensors = {tensor("blocks.0.att_shift", shift), tensor("blocks.0.wkv", wkv)};
  s.tokens_seen = tokens_seen;
  return s;
}

State state4(const std::vector<float>& aa, const std::vector<float>& bb,
             const std::vector<float>& pp) {
  State s;
  s.header = {"4", 1, 2, kPrint};
  s.tensors = {tensor("blocks.0.att_shift", std::vector<float>(aa.size(), 1)),
               tensor("blocks.0.aa", aa), tensor("blocks.0.bb", bb), tensor("blocks.0.pp", pp)};
  return s;
}

StateFile example() {
  StateFile file{
      .state = state7({1.5F, -2}, {0.1F, 3e38F, -0.0F}), .extra = {}, .extra_tensors = {}};
  file.state.tensors.push_back(tensor("blocks.10.wkv", std::vector<float>{4}));
  file.state.tensors.push_back(tensor("blocks.2.wkv", std::vector<float>{5}));
  file.extra = {{"session", R"({"a": "ü\n"})"}, {"note", ""}};
  file.extra_tensors = {tensor("session.logits", std::vector<float>{7, 8, 9}),
                        tensor("empty", std::vector<float>{})};
  return file;
}

class StateFiles : public ::testing::Test {
 protected:
  StateFiles() {
    std::string pattern = ::testing::TempDir() + "prwkv_state_XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
  }
  ~StateFiles() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string path(const std::string& name = "state") const {
    return folder_ + "/" + name;
  }
  [[nodiscard]] Bytes saved(const StateFile& file) const {
    save_state_file(path(), file);
    const MappedFile mapped(path());
    return {mapped.bytes().begin(), mapped.bytes().end()};
  }

 private:
  std::string folder_;
};

StateFile read(Bytes bytes) {
  return read_state_file(MappedFile::from_bytes("bad", std::move(bytes)));
}

/// A state file whose metadata was changed after the fact, with a checksum that fits.
Bytes with_metadata(const Bytes& good, const std::map<std::string, std::string>& changes) {
  const auto original = open_weights(MappedFile::from_bytes("good", good));
  const auto build = [&](const std::map<std::string, std::string>& metadata) {
    Json header{{"__metadata__", metadata}};
    Bytes data;
    for (const StoredTensor& t : original->tensors()) {
      header[t.name] = {{"dtype", info(t.dtype).label},
                        {"shape", t.shape},
                        {"data_offsets", {data.size(), data.size() + t.bytes.size()}}};
      data.insert(data.end(), t.bytes.begin(), t.bytes.end());
    }
    return testing::build_safetensors(header.dump(), data);
  };
  auto metadata = original->metadata();
  for (const auto& [key, value] : changes) {
    if (value == "(none)")
      metadata.erase(key);
    else
      metadata[key] = value;
  }
  if (!changes.contains("checksum")) {
    metadata["checksum"] =
        state_checksum(*open_weights(MappedFile::from_bytes("new", build(metadata))));
  }
  return build(metadata);
}

TEST_F(StateFiles, ComeBackAsTheyWere) {
  const StateFile file = example();
  save_state_file(path(), file);
  const StateFile back = load_state_file(path());
  EXPECT_EQ(back.state, file.state);  // the order of tensors, too
  EXPECT_EQ(back.extra, file.extra);
  EXPECT_EQ(back.extra_tensors, file.extra_tensors);
}

TEST_F(StateFiles, KeepDoublesAsDoubles) {
  State s = state7({}, {});
  s.dtype = DType::kF64;
  s.tensors = {tensor("blocks.0.wkv", std::vector<double>{0.1, 1e300})};
  save_state_file(path(), {.state = s, .extra = {}, .extra_tensors = {}});
  EXPECT_EQ(load_state_file(path()).state, s);
}

TEST_F(StateFiles, AreSafetensorsThatSayWhatTheyAre) {
  const Bytes bytes = saved(example());
  const auto file = open_weights(MappedFile::from_bytes("f", bytes));
  EXPECT_EQ(file->format(), "safetensors");
  EXPECT_EQ(file->metadata().at("prwkv_state_version"), "1");
  EXPECT_EQ(file->metadata().at("generation"), "7");
  EXPECT_EQ(file->metadata().at("layers"), "1");
  EXPECT_EQ(file->metadata().at("channels"), "2");
  EXPECT_EQ(file->metadata().at("fingerprint"), kPrint.str());
  EXPECT_EQ(file->metadata().at("tokens_seen"), "5");
  EXPECT_EQ(file->metadata().at("checksum"), state_checksum(*file));
}

TEST_F(StateFiles, RefuseEveryChangedBit) {
  const Bytes good = saved(example());
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= std::byte{1} << (at % 8);
    try {
      // A space between the header and the tensors is the only thing a file can lose unnoticed.
      if (read(std::move(bad)).state == example().state) {
        EXPECT_EQ(good[at], std::byte{' '}) << at;
      } else {
        ADD_FAILURE() << "byte " << at;
      }
    } catch (const Error& e) {
      EXPECT_TRUE(e.code() == Code::kFormat || e.code() == Code::kUnsupported) << e.what();
    }
  }
}

TEST_F(StateFiles, RefuseToBeCutOffOrToGoOn) {
  const Bytes good = saved(example());
  for (std::size_t size = 0; size < good.size(); size += 3) {
    EXPECT_THROW(read({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}), Error)
        << size;
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  EXPECT_THROW(read(longer), Error);
}

TEST_F(StateFiles, RefuseOtherFilesByName) {
  const std::string message = error_of([] { read(testing::valid_safetensors()); });
  EXPECT_THAT(message, HasSubstr("bad: is not a state file"));
  EXPECT_THAT(error_of([] { read(testing::to_bytes("some text")); }), HasSubstr("bad: "));
  EXPECT_THROW((void)load_state_file(path("missing")), Error);
}

TEST_F(StateFiles, RefuseALaterVersionByName) {
  // Whatever its checksum is made of.
  const Bytes later =
      with_metadata(saved(example()), {{"prwkv_state_version", "2"}, {"checksum", "?"}});
  try {
    read(later);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kUnsupported);
    EXPECT_THAT(e.what(), HasSubstr("later version"));
    EXPECT_THAT(e.what(), HasSubstr("state version 2"));
  }
}

TEST_F(StateFiles, RefuseFactsThatMakeNoSense) {
  const Bytes good = saved(example());
  EXPECT_EQ(read(with_metadata(good, {})).state, example().state);
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"prwkv_state_version", "0"},
                                                        {"prwkv_state_version", "x"},
                                                        {"prwkv_state_version", "-1"},
                                                        {"layers", "0"},
                                                        {"layers", "-3"},
                                                        {"layers", "99999"},
                                                        {"layers", "1 "},
                                                        {"layers", ""},
                                                        {"channels", "99999999999999999999999"},
                                                        {"channels", "0x10"},
                                                        {"fingerprint", "xyz"},
                                                        {"fingerprint", "00112233445566778899"},
                                                        {"tokens_seen", "many"},
                                                        {"generation", ""},
                                                        {"generation", "\x1b[31m"},
                                                        {"generation", std::string(99, '7')},
                                                        {"generation", "(none)"},
                                                        {"layers", "(none)"},
                                                        {"channels", "(none)"},
                                                        {"fingerprint", "(none)"},
                                                        {"tokens_seen", "(none)"},
                                                        {"checksum", "(none)"},
                                                        {"checksum", "0123456789abcdef"}}) {
    try {
      read(with_metadata(good, {{key, value}}));
      ADD_FAILURE() << key << " = " << value;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kFormat) << e.what();
      EXPECT_THAT(e.what(), HasSubstr("bad: "));
      EXPECT_EQ(std::string_view(e.what()).find('\x1b'), std::string_view::npos);
    }
  }
}

TEST_F(StateFiles, RefuseTensorsOfOtherTypes) {
  for (const auto& [name, dtype] : std::vector<std::pair<std::string, std::string>>{
           {"blocks.0.wkv", "I32"}, {"blocks.0.wkv", "BF16"}, {"logits", "F64"}}) {
    const std::string header = fmt::format(
        R"({{"__metadata__":{{"prwkv_state_version":"1","generation":"7","layers":"1","channels":"2",)"
        R"("fingerprint":"{}","tokens_seen":"0"}},"{}":{{"dtype":"{}","shape":[2],"data_offsets":[0,{}]}}}})",
        kPrint.str(), name, dtype, 2 * info(*dtype_from_name(dtype)).block_bytes);
    const Bytes file = testing::build_safetensors(
        header, testing::counting_bytes(2 * info(*dtype_from_name(dtype)).block_bytes));
    EXPECT_THAT(error_of([&] { read(with_metadata(file, {})); }), HasSubstr("wrong type")) << name;
  }
  const Bytes none = testing::build_safetensors(
      R"({"__metadata__":{"prwkv_state_version":"1","generation":"7","layers":"1","channels":"2",)"
      R"("fingerprint":")" +
          kPrint.str() + R"(","tokens_seen":"0"}})",
      {});
  EXPECT_THAT(error_of([&] { read(with_metadata(none, {})); }), HasSubstr("no tensors"));
}

TEST_F(StateFiles, ArentWrittenFromNonsense) {
  StateFile taken = example();
  taken.extra["layers"] = "7";
  EXPECT_THROW(save_state_file(path(), taken), Error);
  StateFile misplaced = example();
  misplaced.extra_tensors[0].name = "blocks.0.more";
  EXPECT_THROW(save_state_file(path(), misplaced), Error);
  StateFile wrong = example();
  wrong.state.tensors[0].shape = {3};
  EXPECT_THROW(save_state_file(path(), wrong), Error);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST(States, FitOrNot) {
  const State s = state7({1, 2}, {3});
  EXPECT_NO_THROW(expect_fits(s, s.header, Weights::kSame));
  StateHeader other = s.header;
  other.fingerprint.samples[15] = 0x3f80;
  EXPECT_NO_THROW(expect_fits(s, other, Weights::kAny));
  EXPECT_THAT(error_of([&] { expect_fits(s, other, Weights::kSame); }),
              HasSubstr("0123456789abcdef"));
  for (const StateHeader& h : {StateHeader{"6", 1, 2, s.header.fingerprint},
                               {"7", 2, 2, s.header.fingerprint},
                               {"7", 1, 3, s.header.fingerprint}}) {
    EXPECT_THROW(expect_fits(s, h, Weights::kAny), Error);
  }
}

TEST(States, AverageIsElementByElement) {
  const std::vector<State> states = {state7({1, 2}, {3e38F}, 5), state7({3, -2}, {3e38F}, 9),
                                     state7({8, 0}, {-3e38F}, 7)};
  const State mean = average(states);
  EXPECT_THAT(values(mean, 0), ElementsAre(4, 0));
  EXPECT_FLOAT_EQ(static_cast<float>(values(mean, 1)[0]), 1e38F);  // the sum would overflow in f32
  EXPECT_EQ(mean.tokens_seen, 9U);
  EXPECT_EQ(mean.header, states[0].header);
  EXPECT_THAT(values(average(states, {1, 3, 0}), 0), ElementsAre(2.5, -1));
  EXPECT_EQ(average({states[2]}), states[2]);
}

TEST(States, AverageOfRwkv4IsOfTheSumsBehindTheExponents) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<State> states;
  for (int s = 0; s < 3; ++s) {
    std::vector<float> aa, bb, pp;
    for (int i = 0; i < 50; ++i) {
      aa.push_back(normal(random));
      bb.push_back(std::abs(normal(random)));
      pp.push_back(5 * normal(random));
    }
    states.push_back(state4(aa, bb, pp));
  }
  const std::vector<double> weights = {1, 0.5, 2};
  const State mean = average(states, weights);
  for (std::size_t i = 0; i < 50; ++i) {
    for (const std::size_t sums : {std::size_t{1}, std::size_t{2}}) {  // aa, bb
      double expected = 0, size = 0;
      for (std::size_t s = 0; s < 3; ++s) {
        const double term =
            weights[s] * values(states[s], sums)[i] * std::exp(values(states[s], 3)[i]) / 3.5;
        expected += term;
        size += std::abs(term);
      }
      EXPECT_NEAR(values(mean, sums)[i] * std::exp(values(mean, 3)[i]), expected, 1e-6 * size);
    }
  }
}

TEST(States, AverageOfEmptyRwkv4StatesIsEmpty) {
  const State empty = state4({0}, {0}, {-1e38F}), full = state4({2}, {4}, {-3});
  EXPECT_EQ(average({empty, empty}), empty);
  const State half = average({empty, full});
  EXPECT_THAT(values(half, 1), ElementsAre(1));
  EXPECT_THAT(values(half, 2), ElementsAre(2));
  EXPECT_THAT(values(half, 3), ElementsAre(-3));
  // A state without weight does not even lend its exponent.
  EXPECT_EQ(average({full, state4({1}, {1}, {90})}, {1, 0}), full);
}

TEST(States, AverageRefusesWhatDoesNotBelongTogether) {
  const State a = state7({1, 2}, {3});
  State weights = a, tensors = a;
  weights.header.fingerprint = {};
  tensors.tensors.pop_back();
  EXPECT_THROW((void)average({}), Error);
  EXPECT_THROW((void)average({a, weights}), Error);
  EXPECT_THROW((void)average({a, tensors}), Error);
  for (const std::vector<double>& w :
       {std::vector<double>{1}, {1, 2, 3}, {0, 0}, {-1, 2}, {1, std::nan("")}, {1, INFINITY}}) {
    EXPECT_THROW((void)average({a, a}, w), Error);
  }
}

TEST(States, CompareBlocksTogether) {
  State a = state7({1, 2}, {3, 0}), b = state7({1, 2}, {3, 0});
  a.tensors.push_back(tensor("blocks.1.wkv", std::vector<float>{1, 1}));
  b.tensors.push_back(tensor("blocks.1.wkv", std::vector<float>{1, 5}));
  b.header.fingerprint = {};
  const auto rows = compare(a, b);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name, "att_shift");
  EXPECT_EQ(rows[0].max_abs, 0);
  EXPECT_EQ(rows[1].name, "wkv");
  EXPECT_EQ(rows[1].max_abs, 4);
  EXPECT_EQ(rows[1].rms, 2);  // one difference of 4 in four elements
}

TEST(States, CompareHidesNothing) {
  const float nan = std::nanf("");
  EXPECT_TRUE(std::isnan(compare(state7({nan, 5}, {0}), state7({0, 0}, {0}))[0].max_abs));
  EXPECT_TRUE(std::isnan(compare(state7({5, nan}, {0}), state7({0, 0}, {0}))[0].max_abs));
  EXPECT_EQ(compare(state7({INFINITY, 1}, {0}), state7({INFINITY, 1}, {0}))[0].max_abs, 0);
  EXPECT_THROW((void)compare(state7({1, 2}, {3}), state7({1, 2}, {3, 4})), Error);
  EXPECT_THROW((void)compare(state7({1}, {3}), state4({1}, {3}, {0})), Error);
}

TEST(States, CompareAcrossTypes) {
  State wide = state7({}, {});
  wide.dtype = DType::kF64;
  wide.tensors = {tensor("blocks.0.att_shift", std::vector<double>{1, 2}),
                  tensor("blocks.0.wkv", std::vector<double>{3.25})};
  EXPECT_EQ(compare(wide, state7({1, 2}, {3}))[1].max_abs, 0.25);
}

}  // namespace
}  // namespace prwkv
