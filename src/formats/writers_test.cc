#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/test_folder.h"
#include "formats/byte_builder.h"
#include "formats/pickle.h"
#include "formats/reader.h"
#include "formats/test_files.h"
#include "formats/untrusted.h"
#include "formats/writer.h"

namespace prwkv {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  return to_bytes(text);
}

std::uint64_t total_bytes(const std::vector<TensorSpec>& specs) {
  std::uint64_t total = 0;
  for (const TensorSpec& t : specs) total += t.byte_count();
  return total;
}

/// Streams counting bytes in pieces that cross the ends of tensors.
template <class W, class... More>
Bytes write_all(const std::string& path, const std::vector<TensorSpec>& specs,
                const More&... more) {
  const Bytes data = counting_bytes(static_cast<std::size_t>(total_bytes(specs)));
  W writer(path, specs, more...);
  for (std::size_t at = 0; at < data.size(); at += 7)
    writer.write(std::span(data).subspan(at, std::min<std::size_t>(7, data.size() - at)));
  EXPECT_FALSE(std::filesystem::exists(path));
  writer.finish();
  return data;
}

/// Everything a reader says about the tensors, and their bytes one after the other.
std::pair<std::vector<std::string>, Bytes> read_all(const Reader& reader) {
  std::pair<std::vector<std::string>, Bytes> all;
  for (const StoredTensor& t : reader.tensors()) {
    all.first.push_back(fmt::format("{} {} {}", t.name, name_of(t.dtype), t.shape_str()));
    all.second.insert(all.second.end(), t.bytes.begin(), t.bytes.end());
  }
  return all;
}

/// The tensors that were declared, in their order, with the bytes that were written.
void expect_holds(const Reader& reader, const std::vector<TensorSpec>& specs, const Bytes& data) {
  const auto [tensors, bytes] = read_all(reader);
  ASSERT_EQ(tensors.size(), specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    EXPECT_EQ(tensors[i], fmt::format("{} {} {}", specs[i].name, name_of(specs[i].dtype),
                                      specs[i].shape_str()));
  }
  EXPECT_EQ(bytes, data);
}

const std::vector<DType> kPlainTypes = {DType::kF64, DType::kF32, DType::kF16, DType::kBF16,
                                        DType::kI64, DType::kI32, DType::kI16, DType::kI8,
                                        DType::kU8,  DType::kBool};
const std::vector<DType> kBlockTypes = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,   DType::kQ5_1,
                                        DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,
                                        DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS};

std::vector<DType> every_type() {
  std::vector<DType> all = kPlainTypes;
  all.insert(all.end(), kBlockTypes.begin(), kBlockTypes.end());
  return all;
}

std::vector<TensorSpec> one_of_each(const std::vector<DType>& dtypes) {
  std::vector<TensorSpec> specs;
  for (const DType d : dtypes)
    specs.push_back({std::string(name_of(d)), d, {3, info(d).block_size * 2}});
  return specs;
}

TEST(PthWriter, RoundTripsEveryTypeAndRank) {
  const TemporaryFolder folder;
  std::vector<TensorSpec> specs = one_of_each(kPlainTypes);
  specs.push_back({"scalar", DType::kF32, {}});
  specs.push_back({"empty", DType::kBF16, {0, 4}});
  specs.push_back({"eight", DType::kI16, {1, 2, 1, 2, 1, 1, 3, 1}});
  specs.push_back({"none", DType::kF32, {0}});
  const Bytes data = write_all<PthWriter>(folder / "m.pth", specs);
  const auto reader = open_weights(folder / "m.pth");
  EXPECT_EQ(reader->format(), "pth");
  expect_holds(*reader, specs, data);
}

TEST(PthWriter, AlignsEveryMemberAndSumsItUp) {
  const TemporaryFolder folder;
  const std::vector<TensorSpec> specs = {{"a", DType::kU8, {5}}, {"b", DType::kF32, {3}}};
  write_all<PthWriter>(folder / "m.pth", specs);
  const Bytes file = read_file(folder / "m.pth");
  // data.pkl, three small members, a, b, version
  for (int n = 0; n < 7; ++n) {
    const std::size_t entry = position_of(file, kEntry, n);
    std::uint32_t crc = 0, size = 0, offset = 0;
    std::uint16_t name = 0, extra = 0;
    std::memcpy(&crc, &file[entry + 16], 4);
    std::memcpy(&size, &file[entry + 24], 4);
    std::memcpy(&offset, &file[entry + 42], 4);
    std::memcpy(&name, &file[offset + 26], 2);
    std::memcpy(&extra, &file[offset + 28], 2);
    const std::size_t begin = offset + 30 + name + extra;
    EXPECT_EQ(begin % 64, 0u) << n;
    EXPECT_EQ(crc, crc32(std::span(file).subspan(begin, size))) << n;
  }
  EXPECT_THROW(position_of(file, kEntry, 7), std::logic_error);
}

TEST(PthWriter, WritesLargeNumbersIntoThePickle) {
  const std::int64_t huge = std::int64_t{1} << 33;
  const std::string pickle = write_state_dict({{"a", DType::kF16, {huge, 70000, 300}}});
  const auto read = read_state_dict(std::as_bytes(std::span(pickle)), "p");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_THAT(read[0].shape, ElementsAre(huge, 70000, 300));
  EXPECT_THAT(read[0].strides, ElementsAre(21000000, 300, 1));
  EXPECT_EQ(read[0].storage_numel, huge * 21000000);
}

TEST(PthWriter, RefusesBlockTypes) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_of([&] {
              PthWriter(folder / "m.pth", {{"w", DType::kQ4_0, {2, 32}}});
            }),
            folder / "m.pth" +
                ": tensor 'w' cannot be stored\n"
                "  found     q4_0; PyTorch has no type for it");
  EXPECT_EQ(folder.files(), 0);
}

TEST(PthWriter, WritesTheSameBytesTwice) {
  const TemporaryFolder folder;
  const std::vector<TensorSpec> specs = one_of_each(kPlainTypes);
  write_all<PthWriter>(folder / "1", specs);
  write_all<PthWriter>(folder / "2", specs);
  EXPECT_EQ(read_file(folder / "1"), read_file(folder / "2"));
}

constexpr RwkvCppWriter::Header kHeader{.n_vocab = 256, .n_embed = 8, .n_layer = 1};

TEST(RwkvCppWriter, RoundTripsPlainFilesInTheOldVersion) {
  const TemporaryFolder folder;
  const std::vector<TensorSpec> specs = {
      {"emb.weight", DType::kF16, {4, 3}}, {"x", DType::kF32, {6, 1, 3}}, {"y", DType::kF32, {2}}};
  const Bytes data = write_all<RwkvCppWriter>(folder / "m.bin", specs, kHeader);
  const auto reader = open_weights(folder / "m.bin");
  EXPECT_EQ(reader->format(), "rwkv.cpp");
  const auto [tensors, bytes] = read_all(*reader);
  EXPECT_THAT(tensors, ElementsAre("emb.weight f16 (4, 3)", "x f32 (6, 1, 3)", "y f32 (2)"));
  EXPECT_EQ(bytes, data);
  EXPECT_THAT(reader->metadata(),
              ElementsAre(Pair("data_type", "f32"), Pair("n_embed", "8"), Pair("n_layer", "1"),
                          Pair("n_vocab", "256"), Pair("version", "100")));
}

TEST(RwkvCppWriter, StatesBlockTypesInTheNewVersion) {
  const TemporaryFolder folder;
  const std::vector<TensorSpec> specs = {{"w", DType::kQ5_1, {2, 64}}};
  write_all<RwkvCppWriter>(folder / "m.bin", specs, kHeader);
  EXPECT_EQ(open_weights(folder / "m.bin")->find("w")->dtype, DType::kQ5_1);
  Bytes expected = build_rwkvcpp({.version = 101, .n_vocab = 256, .n_embed = 8, .n_layer = 1},
                                 {{"w", {64, 2}, 8, counting_bytes(96)}});
  EXPECT_EQ(read_file(folder / "m.bin"), expected);
}

TEST(RwkvCppWriter, RefusesWhatItsRecordsCannotState) {
  const TemporaryFolder folder;
  const std::string path = folder / "m.bin";
  const auto error = [&](const TensorSpec& t) {
    return error_of([&] { RwkvCppWriter(path, {t}, kHeader); });
  };
  EXPECT_EQ(error({"w", DType::kBF16, {2, 2}}),
            path +
                ": tensor 'w' cannot be stored\n"
                "  found     bf16; rwkv.cpp has no type for it");
  EXPECT_EQ(error({"w", DType::kF32, {1, 1, 2, 2}}), path +
                                                         ": tensor 'w' cannot be stored\n"
                                                         "  expected  1 to 3 dimensions\n"
                                                         "  found     (1, 1, 2, 2)");
  EXPECT_EQ(error({"w", DType::kF32, {0, 2}}),
            path + ": a size of tensor 'w' is 0, which an rwkv.cpp file cannot state");
  EXPECT_EQ(error_of([&] {
              RwkvCppWriter(path, {},
                            {.n_vocab = std::int64_t{1} << 31, .n_embed = 1, .n_layer = 1});
            }),
            path + ": n_vocab is 2147483648, which an rwkv.cpp file cannot state");
  EXPECT_EQ(folder.files(), 0);
}

TEST(GgufWriter, WritesEveryByteAsSpecified) {
  const TemporaryFolder folder;
  const std::vector<TensorSpec> specs = {
      {"a", DType::kF32, {2, 3}}, {"s", DType::kI8, {}}, {"b", DType::kQ8_0, {1, 32}}};
  const std::vector<GgufEntry> metadata = {{"arch", std::string("rwkv7")},
                                           {"n", std::uint32_t{7}},
                                           {"i", std::int32_t{-1}},
                                           {"f", 0.5F},
                                           {"yes", true},
                                           {"list", std::vector<std::string>{"x", ""}},
                                           {"ids", std::vector<std::int32_t>{3}}};
  write_all<GgufWriter>(folder / "m.gguf", specs, metadata);
  ByteWriter expected;
  const auto text = [&](std::string_view t) -> ByteWriter& {
    return expected.u64(t.size()).text(t);
  };
  expected.text("GGUF").u32(3).u64(3).u64(7);
  text("arch").u32(8), text("rwkv7");
  text("n").u32(4).u32(7);
  text("i").u32(5).u32(0xffffffff);
  text("f").u32(6).u32(0x3f000000);
  text("yes").u32(7).text("\1");
  text("list").u32(9).u32(8).u64(2), text("x"), text("");
  text("ids").u32(9).u32(5).u64(1).u32(3);
  text("a").u32(2).u64(3).u64(2).u32(0).u64(0);
  text("s").u32(1).u64(1).u32(24).u64(32);
  text("b").u32(2).u64(32).u64(1).u32(8).u64(64);
  const auto pad = [&] { expected.text(std::string(padding_to(32, expected.bytes.size()), '\0')); };
  const Bytes data = counting_bytes(24 + 1 + 34);
  pad(), expected.raw(std::span(data).subspan(0, 24));
  pad(), expected.raw(std::span(data).subspan(24, 1));
  pad(), expected.raw(std::span(data).subspan(25)), pad();
  EXPECT_EQ(read_file(folder / "m.gguf"), expected.bytes);
}

TEST(GgufWriter, RoundTripsEveryTypeAndValue) {
  const TemporaryFolder folder;
  std::vector<DType> dtypes;
  for (const DType d : every_type()) {
    if (GgufWriter::stores(d)) dtypes.push_back(d);
  }
  const std::vector<TensorSpec> specs = one_of_each(dtypes);
  const std::vector<GgufEntry> metadata = {{"general.architecture", std::string("rwkv7")},
                                           {"n", std::uint32_t{7}},
                                           {"list", std::vector<std::string>{"x", ""}},
                                           {"floats", std::vector<float>{0.5F, -1}}};
  const Bytes data = write_all<GgufWriter>(folder / "m.gguf", specs, metadata);
  const auto reader = open_weights(folder / "m.gguf");
  EXPECT_EQ(reader->format(), "gguf");
  expect_holds(*reader, specs, data);
  EXPECT_EQ(reader->value("n")->integer(), 7);
  EXPECT_THAT(reader->value("list")->texts().value(), ElementsAre("x", ""));
  EXPECT_THAT(reader->value("floats")->numbers().value(), ElementsAre(0.5, -1));

  // Values can go on to another file without being understood.
  std::vector<GgufEntry> raw;
  for (const NamedValue& v : reader->values()) {
    raw.push_back(
        {std::string(v.key), GgufRaw{v.value.type(), std::string(as_text(v.value.bytes()))}});
  }
  write_all<GgufWriter>(folder / "again.gguf", specs, raw);
  EXPECT_EQ(read_file(folder / "again.gguf"), read_file(folder / "m.gguf"));
}

TEST(GgufWriter, RefusesWhatItsTableCannotState) {
  const TemporaryFolder folder;
  const std::string path = folder / "m.gguf";
  const auto error = [&](const TensorSpec& t) {
    return error_of([&] { GgufWriter(path, {t}, {}); });
  };
  EXPECT_EQ(error({"w", DType::kBool, {2}}), path +
                                                 ": tensor 'w' cannot be stored\n"
                                                 "  found     bool; GGUF has no type for it");
  EXPECT_THAT(error({std::string(64, 'n'), DType::kF32, {2}}),
              HasSubstr("at most 4 dimensions and a name of 63 bytes"));
  EXPECT_THAT(error({"w", DType::kF32, {1, 1, 1, 1, 1}}), HasSubstr("(1, 1, 1, 1, 1)"));
  EXPECT_EQ(error({"w", DType::kQ4_K, {2, 128}}),
            path +
                ": tensor 'w' has rows that are no whole number of blocks\n"
                "  expected  a multiple of 256 for q4_k\n"
                "  found     (2, 128)");
  EXPECT_EQ(folder.files(), 0);
}

TEST(EveryWriter, StoresTheTypesThatItNames) {
  const TemporaryFolder folder;
  for (const DType d : every_type()) {
    const std::vector<TensorSpec> specs = {{"w", d, {2, info(d).block_size}}};
    const auto works = [&](const auto& write) { return error_of(write).empty(); };
    EXPECT_EQ(works([&] { GgufWriter(folder / "g", specs, {}); }), GgufWriter::stores(d));
    EXPECT_EQ(works([&] { RwkvCppWriter(folder / "b", specs, kHeader); }),
              RwkvCppWriter::stores(d));
    EXPECT_EQ(works([&] { PthWriter(folder / "p", specs); }), PthWriter::stores(d));
    EXPECT_EQ(works([&] { SafetensorsWriter(folder / "s", specs); }), SafetensorsWriter::stores(d));
  }
}

TEST(EveryWriter, LeavesTheOldFileWhenTheDiskIsFull) {
  // A limit on the size of files stands in for a full disk: both make write() fail.
  const TemporaryFolder folder;
  std::ofstream(folder / "m") << "old";
  struct rlimit limit {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  struct rlimit small = limit;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const std::vector<TensorSpec> specs = {{"w", DType::kU8, {10000}}, {"v", DType::kI8, {10000}}};
  const std::vector<TensorSpec> floats = {{"w", DType::kF32, {5000}}};
  std::vector<std::string> errors = {
      error_of([&] { write_all<SafetensorsWriter>(folder / "new", specs); }),
      error_of([&] { write_all<PthWriter>(folder / "new", specs); }),
      error_of([&] { write_all<GgufWriter>(folder / "new", floats, std::vector<GgufEntry>{}); }),
      error_of([&] { write_all<RwkvCppWriter>(folder / "new", floats, kHeader); }),
      error_of([&] {
        PthWriter writer(folder / "m", specs);
        writer.write(counting_bytes(20000));
      }),
  };
  std::signal(SIGXFSZ, handler);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  for (const std::string& e : errors) {
    EXPECT_THAT(e,
                HasSubstr(": cannot be written\n  found     File too large\n  hint      is there "
                          "room and write permission in that folder? Nothing was changed."));
  }
  EXPECT_EQ(read_file(folder / "m"), to_bytes("old"));
  EXPECT_EQ(folder.files(), 1);
}

}  // namespace
}  // namespace prwkv
