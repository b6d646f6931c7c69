#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/test_folder.h"
#include "train/event_file.h"
#include "train/loss_chart.h"
#include "train/run_log.h"

namespace prwkv {
namespace {

using prwkv::testing::error_of;
using prwkv::testing::read_text;
using prwkv::testing::TemporaryFolder;
using prwkv::testing::write_text;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

/// While it lives, no file may grow beyond `bytes`: what a full disk looks like.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    struct rlimit small = before_;
    small.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  struct rlimit before_ {};
};

/// SplitMix64.
std::uint64_t random_bits(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// ---- event files, decoded from their definitions

/// CRC-32C as a long division of polynomials, highest power first, of the reflected bits.
std::uint32_t divided_crc32c(std::string_view bytes) {
  std::uint32_t remainder = 0xffffffff;
  for (const char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool in = (static_cast<unsigned char>(byte) >> bit & 1) != 0;
      const bool out = (remainder >> 31) != 0;
      remainder = (remainder << 1) ^ (in != out ? 0x1edc6f41u : 0);
    }
  }
  std::uint32_t reflected = 0;
  for (int bit = 0; bit < 32; ++bit) reflected |= (remainder >> bit & 1) << (31 - bit);
  return ~reflected;
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t x = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) x = x << 8 | static_cast<unsigned char>(bytes[i]);
  return x;
}

/// The payloads; a failure for whatever is not as it should be, nothing of a torn end.
std::vector<std::string> records_of(std::string_view file) {
  const auto is_masked_crc = [](std::uint64_t stored, std::string_view bytes) {
    const std::uint32_t rotated = static_cast<std::uint32_t>(stored) - 0xa282ead8u;
    return (rotated >> 17 | rotated << 15) == divided_crc32c(bytes);
  };
  std::vector<std::string> payloads;
  while (!file.empty()) {
    if (file.size() < 12) {
      ADD_FAILURE() << "torn header";
      break;
    }
    EXPECT_TRUE(is_masked_crc(little_endian(file.substr(8, 4)), file.substr(0, 8)));
    const std::uint64_t n = little_endian(file.substr(0, 8));
    if (file.size() < n + 16) {
      ADD_FAILURE() << "torn record";
      break;
    }
    const std::string_view payload = file.substr(12, n);
    EXPECT_TRUE(is_masked_crc(little_endian(file.substr(12 + n, 4)), payload));
    payloads.emplace_back(payload);
    file.remove_prefix(n + 16);
  }
  return payloads;
}

struct Field {
  std::uint64_t number = 0;
  std::uint64_t bits = 0;  // of numbers
  std::string bytes{};     // of what has a length
};

/// Any protobuf message.
std::vector<Field> fields_of(std::string_view message) {
  const auto varint = [&] {
    std::uint64_t x = 0;
    for (int shift = 0; !message.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(message.front());
      message.remove_prefix(1);
      x |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return x;
    }
    ADD_FAILURE() << "torn varint";
    return x;
  };
  const auto take = [&](std::size_t n) {
    EXPECT_LE(n, message.size());
    const std::string_view taken = message.substr(0, n);
    message.remove_prefix(taken.size());
    return taken;
  };
  std::vector<Field> fields;
  while (!message.empty()) {
    const std::uint64_t key = varint();
    Field field{.number = key >> 3};
    switch (key & 7) {
      case 0: field.bits = varint(); break;
      case 1: field.bits = little_endian(take(8)); break;
      case 2: field.bytes = take(varint()); break;
      case 5: field.bits = little_endian(take(4)); break;
      default: ADD_FAILURE() << "no such wire type: " << (key & 7); return fields;
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

struct DecodedEvent {
  double wall_time = 0;
  std::int64_t step = 0;
  std::string version{};
  std::optional<std::uint64_t> session_status{};
  std::vector<std::pair<std::string, float>> scalars{};
};

std::vector<DecodedEvent> events_of(const std::string& path) {
  std::vector<DecodedEvent> events;
  for (const std::string& record : records_of(read_text(path))) {
    DecodedEvent event;
    for (const Field& f : fields_of(record)) {
      switch (f.number) {
        case 1: event.wall_time = std::bit_cast<double>(f.bits); break;
        case 2: event.step = static_cast<std::int64_t>(f.bits); break;
        case 3: event.version = f.bytes; break;
        case 5:
          for (const Field& value : fields_of(f.bytes)) {
            EXPECT_EQ(value.number, 1u);
            std::pair<std::string, float> scalar{"", 0.0f};
            for (const Field& part : fields_of(value.bytes)) {
              if (part.number == 1) scalar.first = part.bytes;
              if (part.number == 2)
                scalar.second = std::bit_cast<float>(static_cast<std::uint32_t>(part.bits));
            }
            event.scalars.push_back(scalar);
          }
          break;
        case 7: event.session_status = fields_of(f.bytes).at(0).bits; break;
        default: ADD_FAILURE() << "field " << f.number;
      }
    }
    events.push_back(std::move(event));
  }
  return events;
}

std::string name_in(const std::string& path) { return std::filesystem::path(path).filename(); }

TEST(Crc32c, MatchesPublishedValues) {
  std::string up;
  for (char c = 0; c < 32; ++c) up += c;
  const struct {
    std::string bytes;
    std::uint32_t crc;
  } cases[] = {
      {"", 0},
      {"123456789", 0xe3069283},  // the check value of catalogues of CRCs
      // RFC 3720, appendix B.4
      {std::string(32, '\0'), 0x8a9136aa},
      {std::string(32, '\xff'), 0x62a8ab43},
      {up, 0x46dd794e},
      {{up.rbegin(), up.rend()}, 0x113fdb5c},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(crc32c(c.bytes), c.crc);
    EXPECT_EQ(divided_crc32c(c.bytes), c.crc);  // the decoder's own
  }
}

TEST(EventFile, HoldsTheVersionAndThenAnEventForEachCall) {
  const TemporaryFolder folder;
  EventFile file(folder / "");
  const struct {
    std::int64_t step;
    std::vector<EventFile::Scalar> scalars;
  } calls[] = {
      {0, {{"loss/train", 3.25}}},
      {1, {{"loss/train", 0}, {"loss/validation", -1.5}, {"lr", 6e-4}}},
      {127, {{"", 1e-45}}},
      {128, {{std::string(300, 't'), 1}}},
      {std::int64_t{1} << 40, {{"größe", 3e38}}},
      {-1, {{"x", 2}}},
      {5, {{"inf", kInf}, {"-inf", -kInf}, {"beyond float", 1e300}}},
  };
  for (const auto& call : calls) file.add(call.step, call.scalars);
  file.add(6, {});

  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const double seconds = std::chrono::duration<double>(now).count();
  const std::vector<DecodedEvent> events = events_of(file.path());
  ASSERT_EQ(events.size(), std::size(calls) + 1);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_THAT(events[0].scalars, IsEmpty());
  for (std::size_t i = 0; i < std::size(calls); ++i) {
    const DecodedEvent& event = events[i + 1];
    EXPECT_EQ(event.step, calls[i].step);
    EXPECT_EQ(event.version, "");
    EXPECT_FALSE(event.session_status);
    EXPECT_LE(event.wall_time, seconds);
    EXPECT_GT(event.wall_time, seconds - 600);
    ASSERT_EQ(event.scalars.size(), calls[i].scalars.size());
    for (std::size_t k = 0; k < event.scalars.size(); ++k) {
      EXPECT_EQ(event.scalars[k].first, calls[i].scalars[k].tag);
      EXPECT_EQ(event.scalars[k].second, static_cast<float>(calls[i].scalars[k].value));
    }
  }
}

TEST(EventFile, KeepsNan) {
  const TemporaryFolder folder;
  EventFile file(folder / "");
  file.add(1, {{"loss/train", kNan}});
  EXPECT_TRUE(std::isnan(events_of(file.path()).at(1).scalars.at(0).second));
}

TEST(EventFile, EachEventIsInTheFileWhenAddReturns) {
  const TemporaryFolder folder;
  EventFile file(folder / "");
  for (std::size_t n = 1; n < 20; ++n) {
    EXPECT_EQ(events_of(file.path()).size(), n);
    file.add(static_cast<std::int64_t>(n), {{"loss/train", 1}});
  }
}

TEST(EventFile, ARunThatGoesOnSaysFromWhichStep) {
  const TemporaryFolder folder;
  EventFile file(folder / "", 101);
  file.add(101, {{"loss/train", 2}});
  const std::vector<DecodedEvent> events = events_of(file.path());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_EQ(events[1].step, 101);
  EXPECT_EQ(events[1].session_status, 1u);  // SessionLog.START
  EXPECT_EQ(events[2].scalars.size(), 1u);
}

TEST(EventFile, NamesSortInTheOrderOfTheirRuns) {
  const TemporaryFolder folder;
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) names.push_back(name_in(EventFile(folder / "").path()));
  // One by a clock that was ahead, and what only looks like one.
  names.emplace_back("events.out.tfevents.5000000000.zebra.9.9");
  for (const char* other : {"events.out.tfevents.77777777777.x.1.0", "events.out.tfevents.6e9.x",
                            "events.out.tfevents.", "events.out.tfevents.-600000000.x.1.0"})
    write_text(folder / other, "");
  write_text(folder / names.back(), "");
  for (int i = 0; i < 2; ++i) names.push_back(name_in(EventFile(folder / "", 1).path()));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end())) << ::testing::PrintToString(names);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  const std::string pid = std::to_string(::getpid());
  EXPECT_THAT(names[0],
              MatchesRegex("events.out.tfevents.[0-9]{10}.[-a-zA-Z0-9_.]+." + pid + ".[0-9]+"));
  EXPECT_THAT(names.back(), StartsWith("events.out.tfevents.5000000002."));
}

TEST(EventFile, AFullDiskIsAnErrorAndLeavesWholeRecords) {
  const TemporaryFolder folder;
  EventFile file(folder / "");
  file.add(1, {{"loss/train", 1}});
  const auto size = std::filesystem::file_size(file.path());
  for (const std::uintmax_t room : {0, 1, 11, 30}) {  // of a record of 61 bytes
    const FullDisk full(size + room);
    EXPECT_EQ(error_of([&] {
                file.add(2, {{"loss/train", 2}});
              }),
              file.path() +
                  ": cannot be written\n  found     File too large\n  hint      is there room and "
                  "write permission in that folder?");
    EXPECT_EQ(std::filesystem::file_size(file.path()), size);
  }
  file.add(3, {{"loss/train", 3}});  // somebody made room
  const std::vector<DecodedEvent> events = events_of(file.path());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[2].step, 3);
}

TEST(EventFile, NeedsItsFolder) {
  const TemporaryFolder folder;
  const std::string error = error_of([&] { const EventFile file(folder / "missing"); });
  EXPECT_THAT(error, StartsWith(folder / "missing/events.out.tfevents."));
  EXPECT_THAT(error,
              EndsWith(": cannot be opened for writing\n  found     No such file or directory\n"
                       "  hint      is there room and write permission in that folder?"));
}

TEST(AppendFile, GrowsByRecords) {
  const TemporaryFolder folder;
  {
    AppendFile file(folder / "a", AppendFile::Start::kNewFile);
    file.append("one,");
    AppendFile moved = std::move(file);
    moved.append("");
    moved.append("two,");
  }
  AppendFile file(folder / "a", AppendFile::Start::kEndOfFile);
  file.append("three");
  EXPECT_EQ(read_text(folder / "a"), "one,two,three");
  EXPECT_THAT(error_of([&] { AppendFile(folder / "a", AppendFile::Start::kNewFile); }),
              HasSubstr("a: cannot be opened for writing\n  found     File exists"));
}

TEST(AppendFile, SaysThatTheDiskIsFull) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  AppendFile file("/dev/full", AppendFile::Start::kEndOfFile);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(error_of([&] { file.append("x"); }),
                StartsWith("/dev/full: cannot be written\n  found     No space left on device"));
  }
}

// ---- log

std::string log_line(std::int64_t step) {
  OrderedJson line = {{"step", step}, {"tokens", step * 512}, {"loss", 1.0 / (1.0 + double(step))}};
  return line.dump() + "\n";
}
void add_lines(RunLog& log, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step <= last; ++step) {
    log.add({{"step", step}, {"tokens", step * 512}, {"loss", 1.0 / (1.0 + double(step))}});
  }
}

TEST(RunLog, AppendsALineForEachCall) {
  const TemporaryFolder folder;
  RunLog log = RunLog::open(folder / "log.jsonl", -1);
  EXPECT_EQ(read_text(folder / "log.jsonl"), "");
  log.add({{"step", 1}, {"loss", 2.5}});
  EXPECT_EQ(read_text(folder / "log.jsonl"), "{\"step\":1,\"loss\":2.5}\n");
  log.add({{"step", 2}, {"what", "a\nb\xff"}, {"loss", kNan}});
  EXPECT_EQ(
      read_text(folder / "log.jsonl"),
      "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"what\":\"a\\nb\xef\xbf\xbd\",\"loss\":null}\n");
}

TEST(RunLog, ARunThatWasResumedHasTheLogOfOneThatWasNot) {
  const TemporaryFolder folder;
  RunLog whole = RunLog::open(folder / "whole", -1);
  add_lines(whole, 1, 2500);
  for (const std::int64_t checkpoint : {0, 1, 1000, 2000}) {
    {
      RunLog log = RunLog::open(folder / "log", -1);
      add_lines(log, 1, 2000);
    }
    RunLog log = RunLog::open(folder / "log", checkpoint);
    add_lines(log, checkpoint + 1, 2500);
    EXPECT_EQ(read_text(folder / "log"), read_text(folder / "whole")) << checkpoint;
  }
  EXPECT_EQ(folder.files(), 2);
}

TEST(RunLog, WhereverALogIsTornItsWholeLinesStay) {
  const TemporaryFolder folder;
  const std::string text = log_line(1) + log_line(2) + log_line(3);
  std::string expected;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    write_text(folder / "log", text.substr(0, size));
    // A line is whole with its last brace.
    if (size > 0 && text[size - 1] == '}') expected = text.substr(0, size) + "\n";
    RunLog log = RunLog::open(folder / "log", 3);
    EXPECT_EQ(read_text(folder / "log"), expected) << size;
    log.add({{"step", 4}});
    EXPECT_EQ(read_text(folder / "log"), expected + "{\"step\":4}\n") << size;
  }
}

TEST(RunLog, KeepsWhatItCouldHaveWrittenAndNothingElse) {
  const std::string good = "{\"step\":5}\n";
  const struct {
    const char* name;
    std::string text, kept;
  } cases[] = {
      {"empty", "", ""},
      {"later steps", "{\"step\":6}\n" + good + "{\"step\":7}\n", good},
      {"the bytes of a line", "{ \"step\" : 4.0e0}\n{\"x\":[ 1 ],\"step\":3 }\n",
       "{\"x\":[ 1 ],\"step\":3 }\n"},
      {"negative step", "{\"step\":-9223372036854775808}\n", "{\"step\":-9223372036854775808}\n"},
      {"step beyond 64 bits", "{\"step\":9223372036854775808}\n{\"step\":1e400}\n" + good, good},
      {"no step", "{\"loss\":1}\n{}\n{\"step\":\"5\"}\n{\"step\":null}\n{\"step\":true}\n" + good,
       good},
      {"no object", "[{\"step\":5}]\n5\nnull\n\"step\"\n" + good, good},
      {"no JSON", "step 5\n{\"step\":5\n\n\n{step:5}\n{\"step\":5}{\"step\":5}\n" + good, good},
      {"twice", "{\"step\":5,\"step\":1}\n" + good, good},
      {"NUL", std::string("{\"step\":5}\0\n", 12) + good, good},
      {"no UTF-8", "{\"step\":5,\"x\":\"\xff\"}\n" + good, good},
      {"CR LF", "{\"step\":5}\r\n", "{\"step\":5}\r\n"},
      {"deep", "{\"step\":5,\"x\":" + std::string(100, '[') + std::string(100, ']') + "}\n" + good,
       good},
      {"long", "{\"step\":5,\"x\":\"" + std::string(70'000, 'x') + "\"}\n" + good, good},
      {"no line at all", std::string(10'000'000, '{'), ""},
  };
  const TemporaryFolder folder;
  for (const auto& c : cases) {
    write_text(folder / "log", c.text);
    const std::size_t points = read_points(folder / "log").size();
    RunLog::open(folder / "log", 5);
    EXPECT_EQ(read_text(folder / "log"), c.kept) << c.name;
    EXPECT_GE(points, read_points(folder / "log").size()) << c.name;
  }
}

TEST(RunLog, SurvivesDamage) {
  const TemporaryFolder folder;
  std::uint64_t state = 1;
  for (int round = 0; round < 300; ++round) {
    std::string text = log_line(1) + log_line(2) + log_line(3) + log_line(4);
    for (int i = 0; i < 4; ++i)
      text[random_bits(state) % text.size()] = "\0\n\"{}[],:0e-\xff\\n"[random_bits(state) % 16];
    write_text(folder / "log", text);
    const std::vector<RunPoint> points = read_points(folder / "log");
    EXPECT_LE(points.size(), 8u);
    EXPECT_THAT(loss_chart(points, "damaged"), EndsWith("</svg>\n"));
    RunLog log = RunLog::open(folder / "log", std::numeric_limits<std::int64_t>::max());
    log.add({{"step", 9}});
    EXPECT_EQ(read_points(folder / "log").size(), points.size() + 1);
  }
}

TEST(RunLog, RefusesLinesThatItWouldDrop) {
  const TemporaryFolder folder;
  RunLog log = RunLog::open(folder / "log", -1);
  OrderedJson deep = 1;
  for (int i = 0; i < 8; ++i) deep = OrderedJson::array({deep});
  const OrderedJson bad[] = {OrderedJson::object(),
                             OrderedJson::array({1}),
                             {{"step", 1.5}},
                             {{"step", 1}, {"x", std::string(70'000, 'x')}},
                             {{"step", 1}, {"x", deep}}};
  for (const OrderedJson& line : bad) EXPECT_THROW(log.add(line), Error);
  EXPECT_EQ(
      error_of([&] {
        log.add({{"loss", 1}});
      }),
      (folder / "log") +
          ": a line could not be read back\n  expected  an object with an integer \"step\", at "
          "most 64 KiB, 8 levels\n  found     10 bytes of JSON");
  EXPECT_EQ(read_text(folder / "log"), "");
}

TEST(RunLog, AFullDiskIsAnErrorAndLeavesWholeLines) {
  const TemporaryFolder folder;
  RunLog log = RunLog::open(folder / "log", -1);
  add_lines(log, 1, 3);
  const std::string before = read_text(folder / "log");
  {
    const FullDisk full(before.size() + 9);
    EXPECT_THAT(error_of([&] { add_lines(log, 4, 4); }),
                StartsWith((folder / "log") + ": cannot be written\n  found     File too large"));
  }
  EXPECT_EQ(read_text(folder / "log"), before);
  {
    const FullDisk full(before.size() - 9);
    EXPECT_THAT(error_of([&] { RunLog::open(folder / "log", 3); }), HasSubstr("cannot be written"));
  }
  EXPECT_EQ(read_text(folder / "log"), before);
  EXPECT_EQ(folder.files(), 1);
  add_lines(log, 4, 4);
  EXPECT_EQ(read_text(folder / "log"), before + log_line(4));
}

TEST(RunLog, NeedsAFile) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { RunLog::open(folder / "", 0); }),
              HasSubstr(": is not a regular file"));
  EXPECT_THAT(error_of([&] { RunLog::open(folder / "missing/log", 0); }),
              HasSubstr(": cannot be opened for writing"));
  EXPECT_THAT(error_of([&] { read_points(folder / "missing"); }), HasSubstr(": cannot be opened"));
}

TEST(ReadPoints, TellsWhatIsAbsentFromWhatIsNotFinite) {
  const TemporaryFolder folder;
  write_text(folder / "log",
             "{\"step\":1,\"tokens\":512,\"loss\":2.5,\"lr\":0.001}\n"
             "{\"step\":2,\"loss\":null,\"lr\":\"high\",\"tokens\":-1.5}\n"
             "{\"step\":2,\"validation_loss\":3,\"more\":{\"loss\":1}}\n"
             "{\"step\":3,\"loss\":1,\"tok");
  const std::vector<RunPoint> points = read_points(folder / "log");
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[0].step, 1);
  EXPECT_EQ(points[0].tokens, 512);
  EXPECT_EQ(points[0].loss, 2.5);
  EXPECT_EQ(points[0].lr, 0.001);
  EXPECT_FALSE(points[0].validation_loss);
  ASSERT_TRUE(points[1].loss);
  EXPECT_TRUE(std::isnan(*points[1].loss));
  EXPECT_FALSE(points[1].lr);
  EXPECT_EQ(points[1].tokens, 0);
  EXPECT_FALSE(points[2].loss);
  EXPECT_EQ(points[2].validation_loss, 3);
}

// ---- chart

/// "" for well-formed XML, as far as the charts use it; else what is wrong.
std::string xml_problem(std::string_view xml) {
  std::vector<std::string> open;
  std::size_t i = 0;
  const auto is_name = [](char c) {
    return c == '-' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  const auto name = [&] {
    const std::size_t from = i;
    while (i < xml.size() && is_name(xml[i])) ++i;
    return std::string(xml.substr(from, i - from));
  };
  const auto text_problem = [](std::string_view text) -> std::string {
    for (std::size_t k = 0; k < text.size(); ++k) {
      const auto c = static_cast<unsigned char>(text[k]);
      if (c < 0x20 && c != '\n') return "control character";
      if (c == '<') return "<";
      const std::string_view rest = text.substr(k);
      if (c == '&' && !rest.starts_with("&lt;") && !rest.starts_with("&gt;") &&
          !rest.starts_with("&amp;") && !rest.starts_with("&quot;"))
        return "&";
    }
    return "";
  };
  while (i < xml.size()) {
    if (xml[i] != '<') {
      const std::size_t end = std::min(xml.find('<', i), xml.size());
      if (const auto problem = text_problem(xml.substr(i, end - i)); !problem.empty())
        return problem;
      i = end;
      continue;
    }
    ++i;
    if (xml.substr(i).starts_with("/")) {
      ++i;
      if (open.empty() || name() != open.back()) return "wrong end";
      open.pop_back();
      if (!xml.substr(i++).starts_with(">")) return "no >";
      continue;
    }
    open.push_back(name());
    if (open.back().empty()) return "no name";
    std::vector<std::string> attributes;
    while (xml.substr(i).starts_with(" ")) {
      ++i;
      attributes.push_back(name());
      if (std::count(attributes.begin(), attributes.end(), attributes.back()) > 1) return "twice";
      if (attributes.back().empty() || !xml.substr(i).starts_with("=\"")) return "no attribute";
      const std::size_t end = xml.find('"', i + 2);
      if (end == xml.npos) return "no quote";
      if (const auto p = text_problem(xml.substr(i + 2, end - i - 2)); !p.empty()) return p;
      i = end + 1;
    }
    if (xml.substr(i).starts_with("/>")) {
      open.pop_back();
      i += 2;
    } else if (!xml.substr(i++).starts_with(">")) {
      return "no >";
    }
  }
  return open.empty() ? "" : "unclosed";
}

struct Drawn {
  std::string d;  ///< of a path
  std::vector<std::pair<double, double>> points;
};

/// The paths in order: keyed by their colour, those with line joins alone, which are the curves.
std::map<std::string, Drawn> curves_in(const std::string& svg) {
  std::map<std::string, Drawn> curves;
  const auto value = [](const std::string& line, const std::string& key) {
    const std::size_t from = line.find(" " + key + "=\"") + key.size() + 3;
    return line.substr(from, line.find('"', from) - from);
  };
  std::istringstream lines(svg);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("stroke-linejoin") == line.npos) continue;
    Drawn drawn{.d = value(line, "d"), .points = {}};
    std::string numbers = drawn.d;
    std::replace_if(
        numbers.begin(), numbers.end(), [](char c) { return c == 'M' || c == 'L'; }, ' ');
    for (std::size_t at = 0; (at = numbers.find("h0")) != numbers.npos;) numbers.replace(at, 2, "");
    std::istringstream in(numbers);
    char comma = 0;
    for (double x = 0, y = 0; in >> x >> comma >> y;) drawn.points.emplace_back(x, y);
    EXPECT_TRUE(in.eof()) << numbers;
    curves[value(line, "stroke")] = drawn;
  }
  return curves;
}

/// The texts, in order.
std::vector<std::string> texts_in(const std::string& svg) {
  std::vector<std::string> texts;
  for (std::size_t at = 0; (at = svg.find("<text", at)) != svg.npos;) {
    at = svg.find('>', at) + 1;
    texts.push_back(svg.substr(at, svg.find("</text>", at) - at));
  }
  return texts;
}

constexpr const char* kEachStep = "#a9cfdb";
constexpr const char* kMean = "#2a7f9e";
constexpr const char* kOnValidation = "#d0662c";

std::vector<RunPoint> noisy_run(int steps) {
  std::uint64_t state = 7;
  std::vector<RunPoint> points;
  for (int i = 1; i <= steps; ++i) {
    const double noise = static_cast<double>(random_bits(state) >> 11) * 0x1p-53;
    RunPoint p{
        .step = i, .tokens = i * std::int64_t{4096}, .loss = 3 + 8 / std::sqrt(i) + 0.3 * noise};
    if (i % 10 == 0) p.validation_loss = 3.3 + 8 / std::sqrt(i);
    points.push_back(p);
  }
  return points;
}

TEST(LossChart, IsAPictureWhateverTheLogSays) {
  using X = LossChartOptions::X;
  using Scale = LossChartOptions::Scale;
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  const struct {
    const char* name;
    std::vector<RunPoint> points;
  } cases[] = {
      {"none", {}},
      {"no loss", {{.step = 1}, {.step = 2}}},
      {"one", {{.step = 5, .tokens = 7, .loss = 3}}},
      {"one at 0", {{.step = 0, .loss = 0}}},
      {"validation alone", {{.step = 5, .tokens = 9, .validation_loss = 3}}},
      {"two alike", {{.step = 1, .loss = 3}, {.step = 1, .loss = 3}}},
      {"alternating NaN",
       {{.step = 1, .loss = 3}, {.step = 2, .loss = kNan}, {.step = 3, .loss = 2}}},
      {"NaN alone",
       {{.step = 1, .loss = kNan}, {.step = 2, .loss = -kInf, .validation_loss = kInf}}},
      {"huge", {{.step = 1, .loss = 1e308}, {.step = 2, .loss = -1e308}, {.step = 3, .loss = 1}}},
      {"huge alone", {{.step = 1, .loss = 1e300}}},
      {"tiny", {{.step = 1, .loss = 1e-320}, {.step = 2, .loss = 2e-320}}},
      {"all but equal", {{.step = 1, .loss = 3}, {.step = 2, .loss = std::nextafter(3.0, 4.0)}}},
      {"negative", {{.step = -9, .tokens = -5, .loss = -3}, {.step = -8, .loss = -2}}},
      {"ends of the integers",
       {{.step = kFirst, .tokens = kLast, .loss = 1},
        {.step = kLast, .tokens = kFirst, .loss = 2}}},
      {"neighbours at the end",
       {{.step = kLast - 1, .tokens = kLast - 9, .loss = 1},
        {.step = kLast, .tokens = kLast, .loss = 2}}},
      {"backwards", {{.step = 9, .loss = 1}, {.step = 5, .loss = 2}, {.step = 7, .loss = 3}}},
      {"a run", noisy_run(3000)},
  };
  for (const auto& c : cases) {
    for (const X x : {X::kStep, X::kTokens}) {
      for (const Scale scale : {Scale::kLinear, Scale::kLog}) {
        SCOPED_TRACE(c.name);
        const std::string svg = loss_chart(c.points, c.name, {.x = x, .x_scale = scale});
        EXPECT_EQ(xml_problem(svg), "") << svg;
        EXPECT_THAT(svg, StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\""));
        EXPECT_LT(texts_in(svg).size(), 40u);
        for (const auto& [colour, curve] : curves_in(svg)) {
          for (const auto& [px, py] : curve.points) {
            EXPECT_TRUE(px >= 64 && px <= 740 && py >= 88 && py <= 388) << px << "," << py;
          }
        }
        for (const std::string& label : texts_in(svg)) EXPECT_LT(label.size(), 120u);
      }
    }
  }
}

TEST(LossChart, EscapesItsTitle) {
  const struct {
    std::string title, shown;
  } cases[] = {
      {"a < b && \"c\"", "a &lt; b &amp;&amp; &quot;c&quot;"},
      {std::string("a\0b\x1b[1m\n", 8), "a b [1m "},
      {"größe \xff\xc3", "größe \xef\xbf\xbd\xef\xbf\xbd"},
      {"\xef\xbf\xbe\xef\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"</text><script>", "&lt;/text&gt;&lt;script&gt;"},
      {std::string(80, '&').append("x"),
       [] {
         std::string s;
         for (int i = 0; i < 80; ++i) s += "&amp;";
         return s + "…";
       }()},
  };
  for (const auto& c : cases) {
    const std::string svg = loss_chart({}, c.title);
    EXPECT_EQ(texts_in(svg).at(0), c.shown);
    EXPECT_EQ(xml_problem(svg), "");
  }
}

TEST(LossChart, DrawsFewPointsAndEverySpike) {
  std::vector<RunPoint> points = noisy_run(200'000);
  points[77'777].loss = 6;
  points[155'555].loss = 0.5;
  const std::string svg = loss_chart(points, "long");
  const auto curves = curves_in(svg);
  std::size_t drawn = 0;
  for (const auto& [colour, curve] : curves) drawn += curve.points.size();
  for (std::size_t at = 0; (at = svg.find("<circle", at)) != svg.npos; ++at) ++drawn;
  EXPECT_LE(drawn, 2000u);
  EXPECT_GT(drawn, 1000u);
  const auto& line = curves.at(kEachStep).points;
  const auto y_near = [&](double x, bool lowest) {
    double found = lowest ? 0 : 1e9;
    for (const auto& [px, py] : line) {
      if (std::abs(px - x) < 1) found = lowest ? std::max(found, py) : std::min(found, py);
    }
    return found;
  };
  // The axis: 0.5 and the first loss, 11 to 11.3, are the ends, with a margin of 4 %.
  const double high = *points[0].loss, margin = 0.04 * (high - 0.5);
  const auto y_of = [&](double loss) {
    const double low = 0.5 - margin;
    return 388 - 300 * (loss - low) / (high + margin - low);
  };
  const auto x_of = [](double step) { return 64 + 676 * step / 200'000; };
  EXPECT_NEAR(y_near(x_of(77'778), false), y_of(6), 0.06);
  EXPECT_NEAR(y_near(x_of(155'556), true), y_of(0.5), 0.06);
  // The points of a step may lie left of those before by what a stretch has of two orders.
  EXPECT_TRUE(std::is_sorted(line.begin(), line.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; }));
}

TEST(LossChart, OneSpikeDoesNotFlattenTheRun) {
  std::vector<RunPoint> points = noisy_run(1000);
  const auto before = curves_in(loss_chart(points, "")).at(kEachStep).points;
  points[499].loss = 1e9;
  const std::string svg = loss_chart(points, "");
  const auto after = curves_in(svg).at(kEachStep).points;
  const auto lowest = [](const auto& line) {
    double y = 0;
    for (const auto& p : line) y = std::max(y, p.second);
    return y;
  };
  EXPECT_NEAR(lowest(after), lowest(before), 20);
  EXPECT_GT(before[0].second + 100, after[0].second);
  EXPECT_THAT(texts_in(svg).at(1), HasSubstr("; highest 1e+09"));
  EXPECT_THAT(texts_in(loss_chart(noisy_run(1000), "")).at(1), Not(HasSubstr("highest")));
}

TEST(LossChart, ShowsAModelThatLearnsItsDataByHeart) {
  std::vector<RunPoint> points;
  for (int i = 1; i <= 100; ++i) {
    points.push_back({.step = i, .loss = 0.01 + 1.0 / i, .validation_loss = 1 + 0.1 * i});
  }
  const std::string svg = loss_chart(points, "");
  const auto line = curves_in(svg).at(kOnValidation).points;
  EXPECT_LT(line.back().second, line.front().second - 200);
  EXPECT_EQ(texts_in(svg).at(1), "step 100; training 0.02015; validation 11.00, lowest 1.100");
}

TEST(LossChart, LossesThatAreNotFiniteAreGaps) {
  std::vector<RunPoint> points;
  for (int i = 1; i <= 9; ++i)
    points.push_back({.step = i, .loss = i == 4 || i == 6 ? kNan : 3.0 - 0.1 * i});
  points.push_back({.step = 9, .validation_loss = 3});  // no gap: it only says nothing of training
  const std::string svg = loss_chart(points, "");
  const std::string d = curves_in(svg).at(kEachStep).d;
  EXPECT_EQ(std::count(d.begin(), d.end(), 'M'), 3) << d;
  EXPECT_EQ(std::count(d.begin(), d.end(), 'L'), 4) << d;
  EXPECT_THAT(texts_in(svg).at(1), EndsWith("; 2 losses not finite"));
}

TEST(LossChart, LastMeanIsThatOfTheDefinition) {
  for (const int steps : {1, 2, 5, 63, 64, 65, 500, 1000}) {
    const std::vector<RunPoint> points = noisy_run(steps);
    std::vector<double> y;
    for (const RunPoint& p : points) y.push_back(*p.loss);
    const int half = (steps + 63) / 64;
    for (int pass = 0; pass < 2; ++pass) {
      std::vector<double> mean;
      for (int i = 0; i < steps; ++i) {
        double sum = 0;
        int n = 0;
        const int reach = std::min(half, i / 4);
        for (int k = i - reach; k <= std::min(i + reach, steps - 1); ++k, ++n)
          sum += y[static_cast<std::size_t>(k)];
        mean.push_back(sum / n);
      }
      y = mean;
    }
    EXPECT_THAT(texts_in(loss_chart(points, "")).at(1),
                HasSubstr(fmt::format("; training {:#.4g}", y.back())));
  }
}

TEST(LossChart, HasRoundTicksAndALegend) {
  const struct {
    const char* name;
    std::vector<RunPoint> points;
    LossChartOptions options;
    std::vector<std::string> texts;  ///< all below the two lines on top
  } cases[] = {
      {"steps",
       {{.step = 1, .loss = 11}, {.step = 12'000, .loss = 3}},
       {},
       {"4", "6", "8", "10", "0", "2000", "4000", "6000", "8000", "10 k", "12 k", "step",
        "loss, nats a token", "each step", "running mean"}},
      {"tokens",
       {{.tokens = 1'000'000, .loss = 2.5, .validation_loss = 2.7},
        {.tokens = 2'500'000'000, .loss = 2.1}},
       {.x = LossChartOptions::X::kTokens},
       {"2.2", "2.4", "2.6", "0", "500 M", "1 G", "1.5 G", "2 G", "2.5 G", "tokens",
        "loss, nats a token", "each step", "running mean", "validation"}},
      {"log; step 0 is left out",
       {{.step = 0, .validation_loss = 11}, {.step = 1, .loss = 9}, {.step = 5000, .loss = 3}},
       {.x_scale = LossChartOptions::Scale::kLog},
       {"4", "6", "8", "1", "10", "100", "1000", "step", "loss, nats a token", "each step",
        "running mean"}},
      {"short log",
       {{.step = 10, .loss = 9}, {.step = 600, .loss = 3}},
       {.x_scale = LossChartOptions::Scale::kLog},
       {"4", "6", "8", "10", "20", "50", "100", "200", "500", "step", "loss, nats a token",
        "each step", "running mean"}},
      {"steps are whole",
       {{.step = 100, .loss = 0.001}, {.step = 102, .loss = 0.002}},
       {},
       {"0.0010", "0.0012", "0.0014", "0.0016", "0.0018", "0.0020", "100", "101", "102", "step",
        "loss, nats a token", "each step", "running mean"}},
      {"nothing",
       {},
       {},
       {"0.0", "0.2", "0.4", "0.6", "0.8", "1.0", "0", "1", "step", "loss, nats a token"}},
  };
  for (const auto& c : cases) {
    std::vector<std::string> texts = texts_in(loss_chart(c.points, "", c.options));
    texts.erase(texts.begin(), texts.begin() + 2);
    EXPECT_THAT(texts, ::testing::ElementsAreArray(c.texts)) << c.name;
  }
  EXPECT_EQ(texts_in(loss_chart({}, "")).at(1), "no step yet");
}

TEST(LossChart, DrawsTheCurvesWhereTheTicksAre) {
  const std::string svg =
      loss_chart({{.step = 0, .loss = 10}, {.step = 50, .loss = 5}, {.step = 100, .loss = 0}}, "");
  EXPECT_THAT(curves_in(svg).at(kEachStep).points,
              ElementsAre(::testing::Pair(64, ::testing::DoubleNear(99.5, 0.1)),
                          ::testing::Pair(402, ::testing::DoubleNear(243.8, 0.1)),
                          ::testing::Pair(740, 388)));
  EXPECT_THAT(svg, HasSubstr("<text x=\"56\" y=\"392.0\" text-anchor=\"end\" font-size=\"12\" "
                             "fill=\"#666666\">0</text>"));
  EXPECT_EQ(curves_in(svg).at(kMean).points, curves_in(svg).at(kEachStep).points);
}

}  // namespace
}  // namespace prwkv
