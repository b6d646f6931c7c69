// Small files that claim, or make, as much as they can: each is refused within a stated amount of
// memory, whatever the numbers in it say.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <ostream>
#include <string>

#include "base/test_folder.h"
#include "formats/broken_file.h"
#include "formats/untrusted.h"

namespace prwkv::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::uint64_t kHalfOfAll = std::uint64_t{1} << 63;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// `first`, and `count` times `c`.
std::string then_many(std::string first, std::size_t count, char c) {
  first.append(count, c);
  return first;
}
Bytes gguf_value(const GgufPair& value) {
  return build_gguf({.values = {value}, .tensors = {{}}, .data = counting_bytes(32)});
}
Bytes with_directory_field(std::size_t field, std::uint16_t value) {
  Bytes file = valid_pth();
  overwrite(file, position_of(file, kEntry) + field, value);
  return file;
}

struct Bomb {
  const char* name;
  std::function<Bytes()> build;
  const char* message;
  std::size_t memory =
      32 * kMiB;  ///< beyond what the process has already, the mapped file included
};
std::ostream& operator<<(std::ostream& out, const Bomb& b) { return out << b.name; }

const Bomb kBombs[] = {
    {"safetensors_header_of_2_63_bytes",
     [] { return ByteWriter{}.u64(kHalfOfAll).text("{}").bytes; }, "the header is impossibly long"},
    {"safetensors_header_of_100_MiB", [] { return ByteWriter{}.u64(100 * kMiB).text("{}").bytes; },
     "the header is cut off"},
    {"safetensors_size_of_2_62",
     [] {
       return safetensors(
           R"({"a":{"dtype":"U8","shape":[4611686018427387904],"data_offsets":[0,4611686018427387904]}})",
           8);
     },
     "is incomplete"},
    {"safetensors_a_million_lists_deep",
     [] { return safetensors(then_many(R"({"a":)", 1000000, '['), 0); },
     "the header has a list in the wrong place"},
    {"safetensors_metadata_a_million_objects_deep",
     [] {
       std::string deep = R"({"__metadata__":)";
       for (int i = 0; i < 1000000; ++i) deep += R"({"a":)";
       return safetensors(deep, 0);
     },
     "the header has an object in the wrong place"},
    {"gguf_array_of_10_9_numbers", [] { return gguf_value(gguf_array("k", 4, 1000000000, {})); },
     "the header is cut off"},
    {"gguf_array_of_10_9_texts", [] { return gguf_value(gguf_array("k", 8, 1000000000, {})); },
     "the header is cut off"},
    {"gguf_array_of_10_9_arrays", [] { return gguf_value(gguf_array("k", 9, 1000000000, {})); },
     "the header is cut off"},
    {"gguf_array_of_2_63_texts", [] { return gguf_value(gguf_array("k", 8, kHalfOfAll, {})); },
     "the header is cut off"},
    {"gguf_text_of_2_63_bytes",
     [] {
       return gguf_value({"k", 8, ByteWriter{}.u64(kHalfOfAll).bytes});
     },
     "the header is cut off"},
    {"gguf_a_million_arrays_deep",
     [] {
       ByteWriter items;
       for (int i = 0; i < 1000000; ++i) items.u32(9).u64(1);
       return gguf_value({"k", 9, items.bytes});
     },
     "is nested too deeply"},
    {"gguf_all_counts_at_their_limits",
     [] {
       return build_gguf(
           {.alignment = 1, .tensor_count = kMaxTensors, .value_count = kMaxMetadata});
     },
     "the header is cut off"},
    {"gguf_tensor_of_2_62_bytes",
     [] { return build_gguf({.tensors = {{.dims = {kHalfOfAll / 2}, .type = 24}}}); },
     "is incomplete"},
    {"gguf_alignment_of_2_31",
     [] { return gguf_value(gguf_u32("general.alignment", std::uint32_t{1} << 31)); },
     "is incomplete"},
    {"rwkvcpp_tensor_of_2_62_bytes",
     [] {
       return build_rwkvcpp({}, {{"w", {INT32_MAX, INT32_MAX}, 0, {}}});
     },
     "larger than any file can be"},
    {"rwkvcpp_tensor_of_2_31_numbers",
     [] {
       return build_rwkvcpp({}, {{"w", {INT32_MAX}, 0, counting_bytes(8)}});
     },
     "is cut off"},
    {"zip_bomb", [] { return with_directory_field(10, 8); }, "is compressed"},
    {"zip_member_of_2_63_bytes",
     [] {
       Bytes file = valid_zip64_pth();
       const std::size_t sizes = position_of(file, kEntry) + 46 + 10 + 4;
       overwrite(file, sizes, kHalfOfAll);
       overwrite(file, sizes + 8, kHalfOfAll);
       return file;
     },
     "lies outside the archive"},
    {"zip_of_2_60_members",
     [] {
       Bytes file = valid_zip64_pth();
       overwrite(file, position_of(file, kEnd64) + 24, kHalfOfAll / 8);
       overwrite(file, position_of(file, kEnd64) + 32, kHalfOfAll / 8);
       return file;
     },
     "too many members"},
    {"pickled_stride_of_0",
     [] {
       return pth_with({.sizes = {1 << 20, 1 << 20}, .strides = {0, 0}});
     },
     "repeats its storage too often"},
    {"pickled_text_of_4_GiB", [] { return pth_ops("X\xff\xff\xff\xff"); }, "the pickle is cut off"},
    {"pickled_memo_slot_2_32", [] { return pth_ops("}r\xff\xff\xff\xff"); },
     "a memo slot is out of range"},
    {"pickled_memo_of_all_slots", [] { return pth_ops(std::string("}r\xff\xff\x3f\0q\1", 8)); },
     "holds no tensors"},
    {"pickled_marks_a_million_deep", [] { return pth_ops(std::string(1000000, '(')); },
     "too many MARKs in one another"},
    {"pickled_tuples_five_million_deep",
     [] { return pth_ops(then_many(")", std::size_t{5} << 20, '\x85')); }, "too many values",
     512 * kMiB},
    {"index_a_million_lists_deep",
     [] { return to_bytes(then_many(R"({"metadata":)", 1000000, '[')); },
     "JSON is nested too deeply"},
    {"index_of_ten_million_values",
     [] {
       std::string index = R"({"metadata":[0)";
       for (int i = 0; i < 10000000; ++i) index += ",0";
       return to_bytes(index + "]}");
     },
     "is a JSON text, not a model"},
};

class MemoryBomb : public ::testing::TestWithParam<Bomb> {};

// Lets the process have `more` bytes of address space beyond what it has.
void limit_memory(std::size_t more) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t limit = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + more;
  const rlimit both{limit, limit};
  if (::setrlimit(RLIMIT_AS, &both) != 0) std::abort();
}

TEST_P(MemoryBomb, IsRefusedWithinItsMemory) {
  if (kSanitized) GTEST_SKIP() << "sanitizers take more address space than any limit";
  const TemporaryFolder folder;
  std::ofstream(folder / "bomb", std::ios::binary) << as_text(GetParam().build());
  const auto open = [&] {
    limit_memory(GetParam().memory);
    std::fputs(error_of([&] { open_weights(folder / "bomb"); }).c_str(), stderr);
    std::exit(0);
  };
  EXPECT_EXIT(open(), ::testing::ExitedWithCode(0), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(Limits, MemoryBomb, ::testing::ValuesIn(kBombs),
                         [](const auto& i) { return std::string(i.param.name); });

TEST(Limits, ManyNamesOfOneTensorAreRefused) {
  PickleWriter p;
  p.ordered_dict().op("(").text("n").op("q\x02").tensor({}).op("q\x03u");
  for (std::size_t i = 0; i < kMaxTensors; ++i) p.op("h\x02h\x03s");
  EXPECT_THAT(error_of([&] { open_bytes(pth(p.finish())); }),
              StartsWith("bad: pickle: too many tensors"));
}

TEST(Limits, ATupleOfItselfManyTimesOverIsHarmless) {
  // Each tuple has the one before it twice: 2³⁰ leaves for whoever would walk them.
  PickleWriter p;
  p.op("}").text("a").tensor({}).op("s").text("deep").op(")");
  for (int i = 0; i < 30; ++i) p.op("q\x01h\x01\x86");
  p.op("s");
  EXPECT_EQ(open_bytes(pth(p.finish()))->tensors().size(), 1u);
}

TEST(Limits, ALongPickleIsRefused) {
  Bytes pickle((std::size_t{64} << 20) + 1, std::byte{'N'});
  EXPECT_THAT(error_of([&] { open_bytes(pth(pickle)); }),
              StartsWith("bad: the pickle is too long"));
}

}  // namespace
}  // namespace prwkv::testing
