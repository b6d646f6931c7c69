#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/folder_lock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/memory.h"
#include "base/quote.h"
#include "base/test_folder.h"
#include "base/thread_pool.h"

namespace prwkv {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::read_text;
using ::testing::StartsWith;
using testing::TemporaryFolder;
using testing::write_text;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Error, LeavesOutEmptyLines) {
  EXPECT_STREQ(Error(Code::kFile, "x: what").what(), "x: what");
  EXPECT_STREQ(Error(Code::kFile, "x: what", {.found = "f"}).what(), "x: what\n  found     f");
  EXPECT_STREQ(Error(Code::kFile, "x: what", {.expected = "e", .found = "f", .hint = "h"}).what(),
               "x: what\n  expected  e\n  found     f\n  hint      h");
}

TEST(Error, CarriesItsCodeAndFormats) {
  try {
    fail(Code::kMismatch, "{} is not {}", 1, "two");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kMismatch);
    EXPECT_STREQ(e.what(), "1 is not two");
    return;
  }
  ADD_FAILURE() << "nothing was thrown";
}

TEST(Error, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const Code code : {Code::kInvalidArgument, Code::kFile, Code::kFormat, Code::kUnsupported,
                          Code::kMismatch, Code::kOutOfMemory, Code::kCancelled, Code::kInternal})
    names.insert(name_of(code));
  EXPECT_EQ(names.size(), 8u);
  EXPECT_EQ(name_of(Code::kOutOfMemory), "out_of_memory");
}

TEST(Quote, EscapesWhateverIsNotPrintable) {
  EXPECT_EQ(in_quotes("emb.weight"), "'emb.weight'");
  EXPECT_EQ(in_quotes(std::string_view("a\0\n\x1b\x7f\xff", 6)), R"('a\x00\x0a\x1b\x7f\xff')");
  EXPECT_EQ(in_quotes(std::string(81, 'x')), "'" + std::string(80, 'x') + "...'");
}

TEST(Hash, MatchesPublishedXxh3Values) {
  // XXH3_64bits of the empty input and of "abc", from the XXH3 specification's reference code.
  EXPECT_EQ(hash64({}), 0x2d06800538d394c2u);
  const std::string abc = "abc";
  EXPECT_EQ(hash64(std::as_bytes(std::span(abc))), 0x78af5f94892f3950u);
  EXPECT_NE(hash64(std::as_bytes(std::span(abc)), 1), hash64(std::as_bytes(std::span(abc))));
}

TEST(Json, ParsesAndRoundTrips) {
  const Json parsed = parse_json(R"({"b": [1, -2, 3.5, "x\u00e9", null, true], "a": {}})", "t");
  EXPECT_EQ(parsed["b"][3].get<std::string>(), "xé");
  EXPECT_EQ(parsed.dump(), R"({"a":{},"b":[1,-2,3.5,"xé",null,true]})");
}

TEST(Json, RefusesDuplicateKeysAtEveryLevel) {
  EXPECT_EQ(error_of([] { parse_json(R"({"a":1,"b":2,"a":3})", "t"); }),
            "t: JSON key 'a' appears twice");
  EXPECT_EQ(error_of([] { parse_json(R"([{"x":{"k":[],"k":{}}}])", "t"); }),
            "t: JSON key 'k' appears twice");
  EXPECT_EQ(error_of([] { parse_json("{\"\\u0061\":1,\"a\":3}", "t"); }),
            "t: JSON key 'a' appears twice");
  EXPECT_EQ(error_of([] { parse_json(R"({"\u001b":1,"\u001b":3})", "t"); }),
            R"(t: JSON key '\u001b' appears twice)");
  EXPECT_NO_THROW(parse_json(R"([{"a":{"a":1}},{"a":2}])", "t"));
}

TEST(Json, BoundsTheNesting) {
  const auto nested = [](int levels) {
    return std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']');
  };
  EXPECT_NO_THROW(parse_json(nested(32), "t"));
  EXPECT_EQ(error_of([&] { parse_json(nested(33), "t"); }),
            "t: JSON is nested deeper than 32 levels");
  EXPECT_EQ(error_of([&] { parse_json(std::string(1 << 20, '['), "t"); }),
            "t: JSON is nested deeper than 32 levels");
  EXPECT_NO_THROW(parse_json(nested(3), "t", 3));
  EXPECT_THROW(parse_json(nested(4), "t", 3), Error);
  EXPECT_NO_THROW(parse_json(R"([[{"a":1}]])", "t", 3));
}

TEST(Json, RefusesWhatIsNotJson) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "{"sv, "[1,]"sv, "{} {}"sv, "'a'"sv, "NaN"sv, "1e999"sv, "\"\xff\""sv,
        "\"\\ud800\""sv, "{}\0"sv, "\0"sv, "// c\n1"sv, "01"sv, "\"\x01\""sv}) {
    EXPECT_THAT(error_of([&] { parse_json(text, "t"); }),
                StartsWith("t: not valid JSON\n  found     "))
        << text;
  }
}

TEST(Json, KeepsForeignBytesOutOfItsMessages) {
  EXPECT_EQ(
      error_of([] { parse_json("{\"a\xff\x1b[2J\":1}", "t"); }),
      "t: not valid JSON\n  found     parse error at line 1, column 4: syntax error while parsing "
      "object key - invalid string: ill-formed UTF-8 byte");
}

TEST(MappedFile, ShowsTheBytes) {
  const TemporaryFolder folder;
  write_text(folder / "a", "hello");
  const MappedFile file(folder / "a");
  EXPECT_EQ(as_text(file.bytes()), "hello");
  EXPECT_EQ(file.path(), folder / "a");
}

TEST(MappedFile, AcceptsAnEmptyFile) {
  const TemporaryFolder folder;
  write_text(folder / "a", "");
  EXPECT_TRUE(MappedFile(folder / "a").bytes().empty());
}

TEST(MappedFile, NamesWhatItCannotMap) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { MappedFile(folder / "none"); }),
              StartsWith(folder / "none" + ": cannot be opened\n  found     No such file"));
  EXPECT_EQ(error_of([&] { MappedFile(folder / ""); }),
            folder / "" +
                ": is not a regular file\n  found     a folder\n"
                "  hint      give the path of a file");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { MappedFile(folder / "pipe"); }),
            folder / "pipe" +
                ": is not a regular file\n  found     a device, pipe or socket\n"
                "  hint      write what comes from there to a file first");
  EXPECT_THAT(error_of([] { MappedFile("/dev/null"); }), HasSubstr("is not a regular file"));
}

TEST(MappedFile, MovesAndSurvivesDeletion) {
  const TemporaryFolder folder;
  write_text(folder / "a", "hello");
  write_text(folder / "b", "other");
  MappedFile a(folder / "a");
  std::filesystem::remove(folder / "a");
  MappedFile moved = std::move(a);
  EXPECT_EQ(as_text(moved.bytes()), "hello");
  MappedFile b(folder / "b");
  b = std::move(moved);
  EXPECT_EQ(as_text(b.bytes()), "hello");
  EXPECT_TRUE(MappedFile().bytes().empty());
}

TEST(MappedFile, WrapsBytesInMemory) {
  const std::vector<std::byte> bytes(3 << 12, std::byte{7});
  MappedFile file = MappedFile::from_bytes("name", bytes);
  EXPECT_EQ(file.path(), "name");
  const MappedFile moved = std::move(file);
  EXPECT_TRUE(std::equal(moved.bytes().begin(), moved.bytes().end(), bytes.begin(), bytes.end()));
  moved.done_with(moved.bytes());
  moved.will_need(moved.bytes());
  EXPECT_EQ(moved.bytes()[1 << 12], std::byte{7}) << "dropping pages must not zero ordinary memory";
  EXPECT_TRUE(MappedFile::from_bytes("name", {}).bytes().empty());
}

TEST(MappedFile, ReadsItsOwnParts) {
  const TemporaryFolder folder;
  write_text(folder / "a", "hello world");
  MappedFile file(folder / "a");
  std::vector<std::byte> to(5);
  EXPECT_TRUE(file.read(file.bytes().subspan(6), to));
  EXPECT_EQ(as_text(to), "world");
  const std::vector<std::byte> elsewhere(5, std::byte{1});
  EXPECT_FALSE(file.read(elsewhere, to));
  EXPECT_EQ(as_text(to), "world");
  const MappedFile moved = std::move(file);
  EXPECT_TRUE(moved.read(moved.bytes().first(5), to));
  EXPECT_EQ(as_text(to), "hello");
  const MappedFile in_memory = MappedFile::from_bytes("name", elsewhere);
  EXPECT_FALSE(in_memory.read(in_memory.bytes(), to)) << "there is no file to read";
  std::filesystem::resize_file(folder / "a", 3);
  EXPECT_THROW((void)moved.read(moved.bytes().first(5), to), Error);
}

TEST(MappedFile, DropsOnlyItsOwnPages) {
  const TemporaryFolder folder;
  const std::string text(5 << 12, 'x');
  write_text(folder / "a", text);
  const MappedFile file(folder / "a");
  const std::vector<std::byte> elsewhere(4 << 12, std::byte{1});
  file.done_with(elsewhere);
  EXPECT_EQ(std::count(elsewhere.begin(), elsewhere.end(), std::byte{1}), 4 << 12);
  file.will_need(file.bytes());
  file.done_with(file.bytes().subspan(1));
  file.done_with({});
  EXPECT_EQ(as_text(file.bytes()), text) << "dropped pages come back from the file";
}

TEST(AtomicFile, ReplacesTheFileAtTheEndOnly) {
  const TemporaryFolder folder;
  const std::string path = folder / "a";
  write_text(path, "old");
  AtomicFile file(path);
  file.write("new ");
  file.write(std::as_bytes(std::span("text", 4)));
  file.write("");
  EXPECT_EQ(read_text(path), "old");
  file.commit();
  EXPECT_EQ(read_text(path), "new text");
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicFile, WithoutACommitNothingHappens) {
  const TemporaryFolder folder;
  write_text(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new");
    EXPECT_EQ(folder.files(), 2);
  }
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicFile, SeveralWritersDoNotMix) {
  const TemporaryFolder folder;
  AtomicFile first(folder / "a"), second(folder / "a");
  first.write("first");
  second.write("second");
  second.commit();
  EXPECT_EQ(read_text(folder / "a"), "second");
  first.commit();
  EXPECT_EQ(read_text(folder / "a"), "first");
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicFile, RespectsTheUmask) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(027);
  AtomicFile file(folder / "a");
  ::umask(before);
  file.commit();
  struct stat st {};
  ASSERT_EQ(::stat((folder / "a").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0640u);
}

TEST(AtomicFile, KeepsThePermissionsOfTheFileThatItReplaces) {
  const TemporaryFolder folder;
  for (const mode_t mode : {0640u, 0600u, 0666u, 0644u}) {
    write_text(folder / "a", "old");
    ASSERT_EQ(::chmod((folder / "a").c_str(), mode), 0);
    AtomicFile file(folder / "a");
    struct stat st {};
    for (const auto& entry : std::filesystem::directory_iterator(folder / "")) {
      ASSERT_EQ(::stat(entry.path().c_str(), &st), 0);
      EXPECT_EQ(st.st_mode & 0777, mode) << entry.path();  // while it is being written, too
    }
    file.write("new");
    file.commit();
    ASSERT_EQ(::stat((folder / "a").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, mode);
    EXPECT_EQ(read_text(folder / "a"), "new");
    std::filesystem::remove(folder / "a");
  }
}

TEST(AtomicFile, LeavesAWriteProtectedFileAlone) {
  const TemporaryFolder folder;
  write_text(folder / "a", "old");
  ASSERT_EQ(::chmod((folder / "a").c_str(), 0444), 0);
  ASSERT_EQ(::chmod((folder / "").c_str(), 0777), 0);
  const uid_t user = ::geteuid();
  constexpr uid_t kNobody = 65534;  // root may write what is protected
  if (user == 0) {
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  const std::string message = error_of([&] { AtomicFile(folder / "a"); });
  if (user == 0) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_EQ(message, folder / "a" +
                         ": is write-protected\n"
                         "  expected  a file that may be written, or none of that name\n"
                         "  found     Permission denied\n"
                         "  hint      make it writable (chmod u+w), or give another name");
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_EQ(folder.files(), 1);
}

TEST(AtomicFile, ReplacesTheFileBehindALink) {
  const TemporaryFolder folder;
  write_text(folder / "a", "old");
  std::filesystem::create_symlink("a", folder / "link");
  AtomicFile file(folder / "link");
  file.write("new");
  file.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_text(folder / "a"), "new");
}

TEST(AtomicFile, NamesAFolderThatIsNotThere) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      error_of([&] { AtomicFile(folder / "none/a"); }),
      folder / "none/a" +
          ": cannot be created\n  found     No such file or directory\n"
          "  hint      is there room and write permission in that folder? Nothing was changed.");
}

TEST(AtomicFile, AFailedRenameLeavesEverythingAsItWas) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a/b");
  {
    AtomicFile file(folder / "a");
    file.write("x");
    EXPECT_THAT(error_of([&] { file.commit(); }), HasSubstr("cannot be renamed into place"));
  }
  EXPECT_EQ(folder.files(), 1);
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b"));
}

TEST(AtomicFile, AFullDiskLeavesTheOldFile) {
  const TemporaryFolder folder;
  write_text(folder / "a", "old");
  // A limit on the size of files stands in for a full disk.
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit small = before;
  small.rlim_cur = 1000;
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  std::string error;
  {
    AtomicFile file(folder / "a");
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    error = error_of([&] { file.write(std::string(2000, 'x')); });
    ::setrlimit(RLIMIT_FSIZE, &before);
  }
  ::signal(SIGXFSZ, handler);
  EXPECT_THAT(error, HasSubstr("cannot be written"));
  EXPECT_EQ(read_text(folder / "a"), "old");
  EXPECT_EQ(folder.files(), 1);
}

TEST(Memory, ReportsPlausibleNumbers) {
  const std::size_t before = peak_resident_bytes();
  EXPECT_GT(before, std::size_t{1} << 20);
  EXPECT_GT(available_memory_bytes(), std::size_t{1} << 20);
  std::vector<char> block(std::size_t{32} << 20, 1);
  EXPECT_GE(peak_resident_bytes() + block[0], before);
}

TEST(Memory, SpreadOverNodesIsMemoryAsBefore) {
  constexpr std::size_t kBytes = std::size_t{4} << 20;
  void* mapping =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapping, MAP_FAILED);
  auto* bytes = static_cast<unsigned char*>(mapping);
  bytes[0] = 7;  // a page that is there already
  spread_over_nodes(mapping, kBytes);
  EXPECT_EQ(bytes[0], 7);
  for (std::size_t i = 1; i < kBytes; i += 4096) EXPECT_EQ(bytes[i], 0);
  std::memset(mapping, 1, kBytes);
  ::munmap(mapping, kBytes);
}

TEST(Stopwatch, RunsForward) {
  const Stopwatch watch;
  const double first = watch.seconds();
  EXPECT_GE(first, 0.0);
  EXPECT_GE(watch.seconds(), first);
}

class ThreadPoolOf : public ::testing::TestWithParam<int> {};

TEST_P(ThreadPoolOf, CoversEachItemOnceInPiecesOfAtMostTheGrain) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.size(), GetParam());
  for (const std::int64_t count : {0, 1, 2, 7, 64, 1000}) {
    for (const std::int64_t grain : {-1, 0, 1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      std::atomic<bool> too_long{false};
      pool.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
        if (begin >= end || end - begin > std::max<std::int64_t>(grain, 1)) too_long = true;
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      EXPECT_TRUE(std::all_of(visits.begin(), visits.end(), [](const auto& v) { return v == 1; }))
          << count << " items, grain " << grain;
      EXPECT_FALSE(too_long) << count << " items, grain " << grain;
    }
  }
}

TEST_P(ThreadPoolOf, WritesAreVisibleToTheCallerAndToTheNextRegion) {
  ThreadPool pool(GetParam());
  std::vector<int> values(500, 0);  // deliberately not atomic
  for (int round = 0; round < 2000; ++round) {
    pool.parallel_for(500, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++values[static_cast<std::size_t>(i)];
    });
  }
  EXPECT_EQ(std::count(values.begin(), values.end(), 2000), 500);
}

TEST_P(ThreadPoolOf, ServesSeveralCallersAtOnce) {
  ThreadPool pool(GetParam());
  std::vector<std::int64_t> sums(4, 0);
  {
    std::vector<std::jthread> callers;
    for (std::size_t c = 0; c < sums.size(); ++c) {
      callers.emplace_back([&pool, &sum = sums[c]] {
        for (int round = 0; round < 300; ++round) {
          std::atomic<std::int64_t> part{0};
          pool.parallel_for(100, 7, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) part += i;
          });
          sum += part;
        }
      });
    }
  }
  for (const std::int64_t sum : sums) EXPECT_EQ(sum, 300 * 4950);
}

TEST_P(ThreadPoolOf, WakesUpAfterARest) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // long enough for workers to sleep
    std::atomic<int> items{0};
    pool.parallel_for(50, 1, [&](std::int64_t, std::int64_t) { ++items; });
    EXPECT_EQ(items, 50);
  }
}

TEST_P(ThreadPoolOf, IsBornAndDiesQuickly) {
  for (int round = 0; round < 50; ++round) ThreadPool pool(GetParam());
  for (int round = 0; round < 50; ++round) {
    ThreadPool pool(GetParam());
    pool.parallel_for(8, 1, [](std::int64_t, std::int64_t) {});
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolOf, ::testing::Values(1, 2, 3, 4));

TEST(ThreadPool, SleepsWhenThereIsNothingToDo) {
  ThreadPool pool(4);
  pool.parallel_for(64, 1, [](std::int64_t, std::int64_t) {});
  const double before = processor_seconds();
  constexpr double kIdle = 0.5;
  std::this_thread::sleep_for(std::chrono::duration<double>(kIdle));
  EXPECT_LT(processor_seconds() - before, kIdle / 2) << "one spinning thread takes all of it";
}

TEST(ThreadPool, PinsItsOwnThreadsWhenAskedTo) {
  const auto cores = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
  };
  const int before = cores();
  ThreadPool pool(3, Pinning::kCores);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> others{0};
  // Each piece waits until two more threads have come, so all three get one.
  std::atomic<int> arrived{0};
  pool.parallel_for(3, 1, [&](std::int64_t, std::int64_t) {
    ++arrived;
    while (arrived < 3) std::this_thread::yield();
    if (std::this_thread::get_id() == caller) return;
    EXPECT_EQ(cores(), 1);
    ++others;
  });
  EXPECT_EQ(others, 2);
  EXPECT_EQ(cores(), before) << "the caller's thread is its own business";
}

TEST(ThreadPool, TakesAllUsableCoresByDefault) {
  cpu_set_t set;
  CPU_ZERO(&set);
  ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(ThreadPool().size(), CPU_COUNT(&set));
}

TEST(ThreadPool, ASinglePieceStaysOnTheCallingThread) {
  ThreadPool pool(4);
  std::thread::id id;
  pool.parallel_for(10, 10, [&](std::int64_t, std::int64_t) { id = std::this_thread::get_id(); });
  EXPECT_EQ(id, std::this_thread::get_id());
}

TEST(FolderLock, KeepsOthersOutUntilItEnds) {
  const TemporaryFolder folder;
  {
    const FolderLock lock(folder.path());
    EXPECT_NE(error_of([&] { FolderLock(folder.path()); }).find("another process is writing there"),
              std::string::npos);
  }
  EXPECT_EQ(error_of([&] { FolderLock(folder.path()); }), "");
  EXPECT_NE(error_of([&] { FolderLock(folder / "absent"); }).find("cannot be opened as a folder"),
            std::string::npos);
}

}  // namespace
}  // namespace prwkv
