#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/memory.h"
#include "base/test_folder.h"
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
using ::testing::StartsWith;

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary) << as_text(bytes);
}

template <class T>
std::vector<T> values(const StoredTensor* t) {
  if (t == nullptr) return {};
  std::vector<T> result(t->bytes.size() / sizeof(T));
  std::memcpy(result.data(), t->bytes.data(), t->bytes.size());
  return result;
}

template <class T>
Bytes bytes_of(const std::vector<T>& numbers) {
  const auto bytes = std::as_bytes(std::span(numbers));
  return {bytes.begin(), bytes.end()};
}

TEST(Safetensors, ListsTensorsAndMetadata) {
  const auto reader = open_bytes(valid_safetensors());
  EXPECT_EQ(reader->format(), "safetensors");
  ASSERT_EQ(reader->tensors().size(), 2u);
  const StoredTensor& a = reader->tensors()[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.dtype, DType::kF32);
  EXPECT_EQ(a.shape_str(), "(2, 3)");
  EXPECT_EQ(a.numel(), 6);
  EXPECT_EQ(Bytes(a.bytes.begin(), a.bytes.end()), counting_bytes(24));
  EXPECT_EQ(reader->find("b")->dtype, DType::kBF16);
  EXPECT_EQ(std::to_integer<int>(reader->find("b")->bytes[0]), 24);
  EXPECT_EQ(reader->find("c"), nullptr);
  EXPECT_THAT(reader->metadata(), ElementsAre(Pair("made_by", "a test")));
  EXPECT_EQ(broken_promise(*reader), "");
}

TEST(Safetensors, KeepsTheFilesOrderWhateverTheHeadersOrder) {
  const auto reader =
      open_bytes(safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},)"
                             R"("b":{"shape":[],"data_offsets":[1,2],"dtype":"I8"},)"
                             R"("empty":{"dtype":"F64","shape":[0,7],"data_offsets":[1,1]},)"
                             R"( "c" : {"dtype":"BOOL","shape":[1,1],"data_offsets":[0,1]} }    )",
                             3));
  std::vector<std::string> names;
  for (const StoredTensor& t : reader->tensors()) names.push_back(t.name);
  EXPECT_THAT(names, ElementsAre("c", "empty", "b", "a"));
  EXPECT_EQ(reader->find("b")->shape_str(), "()");
  EXPECT_EQ(reader->find("b")->numel(), 1);
  EXPECT_EQ(reader->find("empty")->numel(), 0);
}

TEST(Safetensors, KnowsEveryTypeOfTheTable) {
  for (const char* label : {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}) {
    const DType dtype = *dtype_from_name(label);
    const auto bytes = row_bytes(dtype, 2);
    const auto reader = open_bytes(safetensors(
        fmt::format(R"({{"t":{{"dtype":"{}","shape":[2],"data_offsets":[0,{}]}}}})", label, bytes),
        bytes));
    EXPECT_EQ(reader->find("t")->dtype, dtype) << label;
  }
}

TEST(RwkvCpp, ReversesSizesAndKeepsBytes) {
  const auto reader = open_bytes(valid_rwkvcpp());
  EXPECT_EQ(reader->format(), "rwkv.cpp");
  ASSERT_EQ(reader->tensors().size(), 2u);
  EXPECT_EQ(reader->tensors()[0].name, "emb.weight");
  EXPECT_EQ(reader->tensors()[0].shape_str(), "(2, 3)");
  EXPECT_EQ(reader->find("ln.bias")->dtype, DType::kF16);
  const auto bytes = reader->find("emb.weight")->bytes;
  EXPECT_EQ(Bytes(bytes.begin(), bytes.end()), counting_bytes(24));
  EXPECT_THAT(reader->metadata(),
              ElementsAre(Pair("data_type", "f32"), Pair("n_embed", "3"), Pair("n_layer", "1"),
                          Pair("n_vocab", "4"), Pair("version", "101")));
  EXPECT_EQ(broken_promise(*reader), "");
}

TEST(Pth, ListsTensorsAsViewsOfTheFile) {
  const auto reader = open_bytes(valid_pth());
  EXPECT_EQ(reader->format(), "pth");
  ASSERT_EQ(reader->tensors().size(), 2u);
  EXPECT_EQ(reader->tensors()[0].name, "a");
  EXPECT_EQ(reader->tensors()[0].shape_str(), "(2, 3)");
  EXPECT_EQ(reader->find("b")->dtype, DType::kBF16);
  const auto file = reader->files()[0]->bytes(), a = reader->find("a")->bytes;
  EXPECT_EQ(Bytes(a.begin(), a.end()), counting_bytes(24));
  EXPECT_GE(a.data(), file.data());
  EXPECT_LE(a.data() + a.size(), file.data() + file.size());
  EXPECT_EQ((a.data() - file.data()) % 64, 0) << "the builder aligns like PyTorch";
  EXPECT_EQ(broken_promise(*reader), "");
}

TEST(Pth, ReadsZip64Records) {
  const auto reader = open_bytes(build_pth(valid_pickle(), two_storages(), ZipKind::kZip64));
  EXPECT_EQ(reader->tensors().size(), 2u);
  EXPECT_EQ(broken_promise(*reader), "");
}

TEST(Pth, ReadsAnArchiveWithAComment) {
  const auto file =
      build_zip({{"x/data.pkl", valid_pickle()},
                 {"x/data/0", counting_bytes(24)},
                 {"x/data/1", counting_bytes(4)}},
                ZipKind::kPlain, "a comment that ends the file PK\5\6 or so it seems");
  EXPECT_EQ(open_bytes(file)->tensors().size(), 2u);
}

TEST(Pth, KnowsEveryStorageClass) {
  const std::pair<const char*, DType> kClasses[] = {
      {"DoubleStorage", DType::kF64}, {"FloatStorage", DType::kF32},
      {"HalfStorage", DType::kF16},   {"BFloat16Storage", DType::kBF16},
      {"LongStorage", DType::kI64},   {"IntStorage", DType::kI32},
      {"ShortStorage", DType::kI16},  {"CharStorage", DType::kI8},
      {"ByteStorage", DType::kU8},    {"BoolStorage", DType::kBool}};
  for (const auto& [type, dtype] : kClasses) {
    const auto numel = static_cast<std::int64_t>(24 / info(dtype).block_bytes);
    const auto reader = open_bytes(
        pth_with({.type = type, .storage_numel = numel, .sizes = {numel}, .strides = {1}}));
    EXPECT_EQ(reader->find("a")->dtype, dtype) << type;
    EXPECT_EQ(reader->find("a")->bytes.size(), 24u) << type;
  }
}

TEST(Pth, GathersStridedTensorsIntoRowMajorOrder) {
  std::vector<float> numbers(24);
  std::iota(numbers.begin(), numbers.end(), 0.0f);
  const Bytes pickle = PickleWriter::state_dict([](PickleWriter& p) {
    p.text("whole").tensor({.storage_numel = 24, .sizes = {4, 6}, .strides = {6, 1}});
    p.text("transposed").tensor({.storage_numel = 24, .sizes = {6, 4}, .strides = {1, 6}});
    p.text("rows").tensor({.storage_numel = 24, .offset = 6, .sizes = {2, 6}, .strides = {6, 1}});
    p.text("columns").tensor(
        {.storage_numel = 24, .offset = 4, .sizes = {4, 2}, .strides = {6, 1}});
    p.text("permuted")
        .tensor({.storage_numel = 24, .sizes = {2, 2, 3, 2}, .strides = {2, 12, 4, 1}});
    p.text("expanded")
        .tensor({.storage_numel = 24, .offset = 23, .sizes = {2, 2}, .strides = {0, 0}});
    p.text("scalar").tensor({.storage_numel = 24, .offset = 5, .sizes = {}, .strides = {}});
    p.text("empty").tensor({.storage_numel = 24, .offset = 24, .sizes = {0, 5}, .strides = {9, 9}});
    p.text("one").tensor({.storage_numel = 24,
                          .offset = 7,
                          .sizes = {1, 3, 1},
                          .strides = {INT64_MAX, 1, INT64_MAX}});
    p.text("odd").tensor({.storage_numel = 24,
                          .offset = 1,
                          .sizes = {1, 3, 1},
                          .strides = {INT64_MAX, 2, INT64_MAX}});
  });
  const auto reader = open_bytes(build_pth(pickle, {{"0", bytes_of(numbers)}}));
  using Floats = std::vector<float>;
  EXPECT_EQ(values<float>(reader->find("whole")), numbers);
  Floats transposed;
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 4; ++j) transposed.push_back(static_cast<float>(6 * j + i));
  EXPECT_EQ(values<float>(reader->find("transposed")), transposed);
  EXPECT_EQ(values<float>(reader->find("rows")), Floats(&numbers[6], &numbers[18]));
  EXPECT_EQ(values<float>(reader->find("columns")), (Floats{4, 5, 10, 11, 16, 17, 22, 23}));
  EXPECT_EQ(values<float>(reader->find("permuted")),
            (Floats{0, 1, 4, 5, 8,  9,  12, 13, 16, 17, 20, 21,
                    2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23}));
  EXPECT_EQ(values<float>(reader->find("expanded")), (Floats{23, 23, 23, 23}));
  EXPECT_EQ(values<float>(reader->find("scalar")), (Floats{5}));
  EXPECT_EQ(reader->find("empty")->shape_str(), "(0, 5)");
  EXPECT_EQ(values<float>(reader->find("one")), (Floats{7, 8, 9}));
  EXPECT_EQ(values<float>(reader->find("odd")), (Floats{1, 3, 5}));
  const auto in_file = [&](const char* name) {
    const auto file = reader->files()[0]->bytes();
    const std::byte* const p = reader->find(name)->bytes.data();
    return p >= file.data() && p < file.data() + file.size();
  };
  for (const char* name : {"whole", "rows", "scalar", "one"}) EXPECT_TRUE(in_file(name)) << name;
  for (const char* name : {"transposed", "columns", "odd"}) EXPECT_FALSE(in_file(name)) << name;
  EXPECT_EQ(broken_promise(*reader), "");
}

TEST(Pth, FindsTheStateDictInATrainersDump) {
  for (const char* wrapper : {"state_dict", "model"}) {
    PickleWriter p;
    p.op("}(").text("epoch").integer(70000).text("loss").op("G?\xf0").op(
        std::string_view("\0\0\0\0\0\0", 6));
    p.text("best").op("\x88").text("name").text("rwkv").text("steps").op("](").integer(1).op("e");
    p.text(wrapper).ordered_dict().op("(").text("a").tensor({}).op("u").op("u");
    const auto reader = open_bytes(pth(p.finish()));
    ASSERT_EQ(reader->tensors().size(), 1u) << wrapper;
    EXPECT_EQ(reader->tensors()[0].name, "a");
  }
}

TEST(Pth, LeavesOutEntriesThatAreNoTensorsAndAttributesOfTheDict) {
  PickleWriter p;
  p.ordered_dict().op("q\x01(").text("version").integer(-7).text("none").op("N");
  p.text("big").op("\x8a\x01\xff").text("nothing").op(std::string_view("\x8a\0", 2));
  p.text("list").op("]").integer(300).op("a").text("nested").op("}").text("k").op("\x89s");
  p.text("a").tensor({}).op("u");
  p.op("}").text("_metadata").ordered_dict().op("sb");
  const auto reader = open_bytes(pth(p.finish()));
  ASSERT_EQ(reader->tensors().size(), 1u);
  EXPECT_EQ(reader->tensors()[0].name, "a");
}

TEST(Pth, UnderstandsParametersMemoAndNewObj) {
  PickleWriter p;
  p.global("collections", "OrderedDict")
      .op("q\x05")
      .op(")\x81")
      .op(std::string_view("r\x06\0\0\0", 5));
  p.op("(").text("a");
  p.global("torch._utils", "_rebuild_parameter").tensor({}).op("q\x07\x88h\x05)R\x87R");
  p.text("tied").op("h\x07").text("again").op(std::string_view("j\x07\0\0\0", 5)).op("u");
  const auto reader = open_bytes(pth(p.finish()));
  ASSERT_EQ(reader->tensors().size(), 3u);
  EXPECT_EQ(reader->find("a")->bytes.data(), reader->find("tied")->bytes.data());
  EXPECT_EQ(reader->find("a")->bytes.data(), reader->find("again")->bytes.data());
}

TEST(Gguf, ListsTensorsWithSizesSlowestFirst) {
  const auto reader = open_bytes(valid_gguf());
  EXPECT_EQ(reader->format(), "gguf");
  ASSERT_EQ(reader->tensors().size(), 2u);
  const StoredTensor &a = reader->tensors()[0], &b = reader->tensors()[1];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.dtype, DType::kF32);
  EXPECT_EQ(a.shape_str(), "(2, 3)");
  EXPECT_EQ(Bytes(a.bytes.begin(), a.bytes.end()), counting_bytes(24));
  EXPECT_EQ(b.dtype, DType::kQ8_0);
  EXPECT_EQ(b.shape_str(), "(32)");
  EXPECT_EQ(b.bytes.size(), 34u);
  EXPECT_EQ(std::to_integer<int>(b.bytes[0]), 32);
  EXPECT_EQ(broken_promise(*reader), "");
}

TEST(Gguf, KnowsTheTypesThatEnginesComputeWith) {
  const std::pair<std::uint32_t, const char*> kTypes[] = {
      {0, "F32"},   {1, "F16"},   {2, "Q4_0"},    {3, "Q4_1"},    {6, "Q5_0"},
      {7, "Q5_1"},  {8, "Q8_0"},  {10, "Q2_K"},   {11, "Q3_K"},   {12, "Q4_K"},
      {13, "Q5_K"}, {14, "Q6_K"}, {20, "IQ4_NL"}, {23, "IQ4_XS"}, {24, "I8"},
      {25, "I16"},  {26, "I32"},  {27, "I64"},    {28, "F64"},    {30, "BF16"}};
  for (const auto& [number, label] : kTypes) {
    const std::size_t bytes = row_bytes(*dtype_from_name(label), 512);
    const auto reader = open_bytes(build_gguf(
        {.tensors = {{.dims = {256, 2}, .type = number}}, .data = counting_bytes(bytes)}));
    EXPECT_EQ(info(reader->find("w")->dtype).label, label);
    EXPECT_EQ(reader->find("w")->bytes.size(), bytes) << label;
  }
}

TEST(Gguf, ReadsBothVersionsAndAnyAlignment) {
  for (const std::uint32_t version : {2u, 3u}) {
    for (const std::uint32_t alignment : {1u, 8u, 4096u}) {
      const std::uint64_t second = std::max(alignment, 4u);  // behind a tensor of 4 bytes
      const auto reader = open_bytes(
          build_gguf({.version = version,
                      .values = {gguf_u32("general.alignment", alignment)},
                      .tensors = {{.name = "b", .dims = {4}, .type = 24, .offset = second},
                                  {.name = "a", .dims = {4}, .type = 24}},
                      .data = counting_bytes(second + 4),
                      .alignment = alignment}));
      EXPECT_EQ(reader->tensors()[0].name, "a");
      EXPECT_EQ(reader->tensors()[1].name, "b");
      EXPECT_EQ(broken_promise(*reader), "");
    }
  }
}

TEST(Gguf, HandsOutValuesOfEveryType) {
  const auto plain = [](std::uint32_t type, auto value) {
    ByteWriter out;
    out.raw(std::as_bytes(std::span(&value, 1)));
    return GgufPair{std::to_string(type), type, out.bytes};
  };
  const auto reader = open_bytes(
      build_gguf({.values = {plain(0, std::uint8_t{200}), plain(1, std::int8_t{-1}),
                             plain(2, std::uint16_t{65535}), plain(3, std::int16_t{-2}),
                             plain(4, std::uint32_t{4294967295}), plain(5, std::int32_t{-3}),
                             plain(6, 0.5f), plain(7, std::uint8_t{1}), gguf_text("8", "a text"),
                             plain(10, UINT64_MAX), plain(11, INT64_MIN), plain(12, -0.1)},
                  .tensors = {{}},
                  .data = counting_bytes(32)}));
  EXPECT_THAT(
      reader->metadata(),
      ElementsAre(Pair("0", "200"), Pair("1", "-1"), Pair("10", "18446744073709551615"),
                  Pair("11", "-9223372036854775808"), Pair("12", "-0.1"), Pair("2", "65535"),
                  Pair("3", "-2"), Pair("4", "4294967295"), Pair("5", "-3"), Pair("6", "0.5"),
                  Pair("7", "true"), Pair("8", "a text")));
  EXPECT_EQ(reader->value("0")->integer(), 200);
  EXPECT_EQ(reader->value("7")->integer(), 1);
  EXPECT_EQ(reader->value("7")->number(), std::nullopt);
  EXPECT_EQ(reader->value("11")->integer(), INT64_MIN);
  EXPECT_EQ(reader->value("10")->integer(), std::nullopt);
  EXPECT_EQ(reader->value("10")->number(), 0x1p64);
  EXPECT_EQ(reader->value("6")->number(), 0.5);
  EXPECT_EQ(reader->value("6")->integer(), std::nullopt);
  EXPECT_EQ(reader->value("8")->text(), "a text");
  EXPECT_EQ(reader->value("8")->number(), std::nullopt);
  EXPECT_EQ(reader->value("8")->texts(), std::nullopt);
  EXPECT_EQ(reader->value("9"), nullptr);
  EXPECT_EQ(reader->values()[8].key, "8");
  EXPECT_EQ(reader->values()[4].value.type(), ValueType::kU32);
}

TEST(Gguf, HandsOutArraysWithoutUnpackingThem) {
  const Bytes texts = ByteWriter{}.raw(gguf_string("")).raw(gguf_string("\\x00\"")).bytes;
  const Bytes pair = ByteWriter{}.u32(0).u64(2).text("\1\2").bytes;
  const Bytes pairs = ByteWriter{}.raw(pair).raw(pair).bytes;
  const auto reader = open_bytes(
      build_gguf({.values = {gguf_array("texts", 8, 2, texts),
                             gguf_array("numbers", 5, 2, ByteWriter{}.i32(-1).i32(6).bytes),
                             gguf_array("none", 6, 0, {}), gguf_array("pairs", 9, 2, pairs)},
                  .tensors = {{}},
                  .data = counting_bytes(32)}));
  EXPECT_EQ(reader->value("texts")->texts(), (std::vector<std::string_view>{"", "\\x00\""}));
  EXPECT_EQ(reader->value("texts")->integers(), std::nullopt);
  EXPECT_EQ(reader->value("numbers")->integers(), (std::vector<std::int64_t>{-1, 6}));
  EXPECT_EQ(reader->value("numbers")->numbers(), (std::vector<double>{-1, 6}));
  EXPECT_EQ(reader->value("none")->numbers(), std::vector<double>{});
  EXPECT_EQ(reader->value("none")->count(), 0u);
  EXPECT_EQ(reader->value("pairs")->count(), 2u);
  EXPECT_EQ(reader->value("pairs")->item_type(), ValueType::kArray);
  EXPECT_EQ(reader->value("pairs")->str(), "[2 of array]");
  reader->value("pairs")->for_each_item([](const FileValue& item) {
    EXPECT_EQ(item.integers(), (std::vector<std::int64_t>{1, 2}));
  });
  const auto raw = reader->value("texts")->bytes();  // behind the type: item type, count, items
  EXPECT_EQ(Bytes(raw.begin() + 12, raw.end()), texts);
  EXPECT_THAT(reader->metadata(), ElementsAre());
  EXPECT_EQ(broken_promise(*reader), "");
}

Bytes one_tensor(const std::string& name) {
  return safetensors(fmt::format(R"({{"__metadata__":{{"of":"{0}"}},)"
                                 R"("{0}":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}}})",
                                 name),
                     2);
}

class Sharded : public ::testing::Test {
 protected:
  void put(const std::string& name, const Bytes& bytes) { write_file(folder_ / name, bytes); }
  std::string opened(const std::string& name) {
    const std::string path = open_weights(folder_ / name)->path();
    return path.substr(path.rfind('/') + 1);
  }
  TemporaryFolder folder_;
};

TEST_F(Sharded, OpensAllFilesOfAnIndex) {
  put("x.index.json", to_bytes(R"({"metadata":{"total_size":4,"odd":[[{}],null,true,-1,0.5]},)"
                               R"("weight_map":{"b":"2.safetensors","a":"1.safetensors"}})"));
  put("1.safetensors", one_tensor("a"));
  put("2.safetensors", one_tensor("b"));
  const auto reader = open_weights(folder_ / "x.index.json");
  EXPECT_EQ(reader->format(), "safetensors");
  EXPECT_EQ(reader->path(), folder_ / "x.index.json");
  ASSERT_EQ(reader->tensors().size(), 2u);
  ASSERT_EQ(reader->files().size(), 2u);
  EXPECT_EQ(reader->files()[1]->path(), folder_ / "2.safetensors");
  EXPECT_EQ(reader->file_bytes(), one_tensor("a").size() + one_tensor("b").size());
  for (const StoredTensor& t : reader->tensors()) {
    reader->will_need(t.bytes);
    EXPECT_EQ(Bytes(t.bytes.begin(), t.bytes.end()), counting_bytes(2)) << t.name;
    reader->done_with(t.bytes);
    EXPECT_EQ(Bytes(t.bytes.begin(), t.bytes.end()), counting_bytes(2)) << t.name;
  }
  EXPECT_THAT(reader->metadata(), ElementsAre(Pair("of", "a")));
  EXPECT_EQ(broken_promise(*reader), "");
}

TEST_F(Sharded, IsToldFromSafetensorsWithALengthLikeJson) {
  std::string header(kTwoTensors);
  header.resize(0x17b, ' ');
  put("model.safetensors", safetensors(header, 28));
  EXPECT_EQ(open_weights(folder_ / "model.safetensors")->tensors().size(), 2u);
  put("1", one_tensor("a"));
  put("x.index.json", to_bytes(R"({"four":{},"weight_map":{"a":"1"}})"));  // a brace at byte 8, too
  EXPECT_EQ(open_weights(folder_ / "x.index.json")->tensors().size(), 1u);
}

TEST_F(Sharded, OpensPyTorchFilesWhereverTheirBytesAre) {
  put("pytorch_model.bin.index.json",
      to_bytes(R"({"weight_map":{"a":"1.bin","b":"1.bin","t":"2.bin"}})"));
  put("1.bin", valid_pth());
  put("2.bin", pth(PickleWriter::state_dict([](PickleWriter& p) {
        p.text("t").tensor({.sizes = {3, 2}, .strides = {1, 3}});  // copied, since transposed
      })));
  const auto reader = open_weights(folder_ / "");
  EXPECT_EQ(reader->format(), "pth");
  EXPECT_EQ(reader->tensors().size(), 3u);
  EXPECT_EQ(reader->find("t")->bytes.size(), 24u);
  EXPECT_EQ(broken_promise(*reader), "");
}

TEST_F(Sharded, FollowsLinksOutOfTheFolder) {
  // The cache of Hugging Face is made of them.
  put("blob", one_tensor("a"));
  std::filesystem::create_directory(folder_ / "snapshot");
  std::filesystem::create_symlink("../blob", folder_ / "snapshot/model.safetensors");
  EXPECT_EQ(open_weights(folder_ / "snapshot")->tensors().size(), 1u);
}

TEST_F(Sharded, PrefersTheUsualNamesInAFolder) {
  put("training_args.bin", {});
  put("some.safetensors", one_tensor("a"));
  EXPECT_EQ(opened(""), "some.safetensors");
  put("pytorch_model.bin", valid_pth());
  EXPECT_EQ(opened(""), "pytorch_model.bin");
  put("pytorch_model.bin.index.json", to_bytes(R"({"weight_map":{"a":"some.safetensors"}})"));
  EXPECT_EQ(opened(""), "pytorch_model.bin.index.json");
  put("model.safetensors", one_tensor("a"));
  EXPECT_EQ(opened(""), "model.safetensors");
  put("model.safetensors.index.json", to_bytes(R"({"weight_map":{"a":"some.safetensors"}})"));
  EXPECT_EQ(opened(""), "model.safetensors.index.json");
  std::filesystem::create_directory(folder_ / "global_step10");  // a trainer's folder, but complete
  EXPECT_EQ(opened(""), "model.safetensors.index.json");
}

class LargeFile : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kDataBytes = std::uint64_t{5} << 30;

  /// `head`, a hole of `hole` bytes, `tail`: takes a few blocks on the disk.
  std::string write_sparse(const std::string& name, const Bytes& head, std::uint64_t hole,
                           const Bytes& tail) {
    std::string path = folder_ / name;
    write_file(path, head);
    if (::truncate(path.c_str(), static_cast<off_t>(head.size() + hole)) != 0) return "";
    std::ofstream(path, std::ios::binary | std::ios::app) << as_text(tail);
    struct stat st {};
    if (::stat(path.c_str(), &st) != 0 || st.st_blocks * 512 > (std::int64_t{1} << 30)) return "";
    return path;
  }
  TemporaryFolder folder_;
};

TEST_F(LargeFile, SafetensorsBeyond4GiBOpensWithoutReadingTheData) {
  const std::string header =
      fmt::format(R"({{"w":{{"dtype":"F16","shape":[{},1024],"data_offsets":[0,{}]}}}})",
                  kDataBytes / 2048, kDataBytes);
  const std::string path = write_sparse("big", build_safetensors(header, {}), kDataBytes, {});
  if (path.empty()) GTEST_SKIP() << "no sparse files of 5 GiB here";
  const std::size_t before = peak_resident_bytes();
  const auto reader = open_weights(path);
  EXPECT_EQ(reader->find("w")->bytes.size(), kDataBytes);
  EXPECT_EQ(std::to_integer<int>(reader->find("w")->bytes.back()), 0);
  EXPECT_LT(peak_resident_bytes() - before, std::size_t{16} << 20);
}

TEST_F(LargeFile, PthBeyond4GiBOpensWithoutReadingTheData) {
  // The archive is built around an empty storage; then the storage grows by a hole and the records
  // that follow it, being 64-bit, are corrected.
  const auto numel = static_cast<std::int64_t>(kDataBytes / 2);
  const Bytes pickle = PickleWriter::state_dict([&](PickleWriter& p) {
    p.text("w").tensor({.type = "HalfStorage",
                        .storage_numel = numel,
                        .sizes = {numel / 1024, 1024},
                        .strides = {1024, 1}});
  });
  Bytes small = build_zip(
      {{"m/data.pkl", pickle}, {"m/data/0", {}}, {"m/version", to_bytes("3\n")}}, ZipKind::kZip64);
  const auto add = [&](std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, small.data() + at, 8);
    overwrite(small, at, value + kDataBytes);
  };
  const std::size_t storage = position_of(small, kEntry, 1) + 46 + 8 + 4;  // its ZIP64 field
  add(storage);
  add(storage + 8);
  add(position_of(small, kEntry, 2) + 46 + 9 + 4 + 16);  // where the member after it begins
  add(position_of(small, kEnd64) + 48);
  add(position_of(small, kLocator) + 8);
  const auto cut =
      static_cast<std::ptrdiff_t>(position_of(small, kDescriptor, 1));  // its descriptor
  const std::string path = write_sparse("big", Bytes(small.begin(), small.begin() + cut),
                                        kDataBytes, Bytes(small.begin() + cut, small.end()));
  if (path.empty()) GTEST_SKIP() << "no sparse files of 5 GiB here";
  const std::size_t before = peak_resident_bytes();
  const auto reader = open_weights(path);
  ASSERT_NE(reader->find("w"), nullptr);
  EXPECT_EQ(reader->find("w")->bytes.size(), kDataBytes);
  EXPECT_EQ(reader->find("w")->shape_str(), fmt::format("({}, 1024)", numel / 1024));
  EXPECT_EQ(std::to_integer<int>(reader->find("w")->bytes.back()), 0);
  EXPECT_LT(peak_resident_bytes() - before, std::size_t{16} << 20);
}

TEST(OpenWeights, NamesAMissingFile) {
  EXPECT_THAT(error_of([] { open_weights("/no/such/file.pth"); }),
              StartsWith("/no/such/file.pth: cannot be opened\n  found     No such file"));
}

TEST(OpenWeights, RefusesADeepSpeedFolderWithAHint) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "global_step10");
  write_file(folder / "model_states.pt", {});
  EXPECT_EQ(error_of([&] { open_weights(folder / ""); }),
            folder / "" +
                ": is a DeepSpeed checkpoint folder\n  expected  one weight file\n"
                "  found     'global_step10'\n"
                "  hint      merge its shards first: python zero_to_fp32.py FOLDER rwkv.pth");
}

TEST(OpenWeights, RefusesPipesWithoutWaitingForAWriter) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { open_weights(folder / "pipe"); }), HasSubstr("is not a regular file"));
}

TEST(OpenWeights, GoesByContentNotByName) {
  const TemporaryFolder folder;
  write_file(folder / "a.pth", valid_safetensors());
  write_file(folder / "b.safetensors", valid_pth());
  write_file(folder / "c", valid_rwkvcpp());
  EXPECT_EQ(open_weights(folder / "a.pth")->format(), "safetensors");
  EXPECT_EQ(open_weights(folder / "b.safetensors")->format(), "pth");
  EXPECT_EQ(open_weights(folder / "c")->format(), "rwkv.cpp");
}

TEST(OpenWeights, TellsTheWholeStoryOfARefusal) {
  EXPECT_EQ(error_of([] { open_bytes(pth(PickleWriter().global("posix", "system").finish())); }),
            "bad: the pickle asks for 'posix.system', which is not allowed\n"
            "  expected  tensors in plain dicts: collections.OrderedDict, "
            "torch._utils._rebuild_tensor_v2 and the storage classes of torch\n"
            "  found     its name before byte 16 of data.pkl\n"
            "  hint      nothing in it was run. If you trust the file, load it with PyTorch and "
            "torch.save the state dict alone");
}

TEST(SafetensorsWriter, RoundTrips) {
  const TemporaryFolder folder;
  const std::string path = folder / "out.safetensors";
  const Bytes data = counting_bytes(24 + 0 + 8 + 1);
  {
    SafetensorsWriter writer(path,
                             {{"emb", DType::kF32, {2, 3}},
                              {"none", DType::kBF16, {0, 4}},
                              {"x", DType::kF64, {}},
                              {"flag", DType::kBool, {1, 1, 1}}},
                             {{"made by", "a \"test\"\n"}, {"ünï", "\xff is no UTF-8"}});
    EXPECT_FALSE(std::filesystem::exists(path));
    for (std::size_t at = 0; at < data.size(); at += 7)  // pieces that cross tensor ends
      writer.write(std::span(data).subspan(at, std::min<std::size_t>(7, data.size() - at)));
    writer.write({});
    writer.finish();
  }
  const auto reader = open_weights(path);
  std::vector<std::string> tensors;
  Bytes read;
  for (const StoredTensor& t : reader->tensors()) {
    tensors.push_back(fmt::format("{} {} {}", t.name, name_of(t.dtype), t.shape_str()));
    read.insert(read.end(), t.bytes.begin(), t.bytes.end());
  }
  EXPECT_THAT(tensors,
              ElementsAre("emb f32 (2, 3)", "none bf16 (0, 4)", "x f64 ()", "flag bool (1, 1, 1)"));
  EXPECT_EQ(read, data);
  EXPECT_THAT(reader->metadata(), ElementsAre(Pair("made by", "a \"test\"\n"),
                                              Pair("ünï", "\xef\xbf\xbd is no UTF-8")));
  const auto offset = reader->tensors()[0].bytes.data() - reader->files()[0]->bytes().data();
  EXPECT_EQ(offset % 8, 0);
}

TEST(SafetensorsWriter, PadsEveryHeaderToEightBytes) {
  const TemporaryFolder folder;
  for (std::size_t n = 1; n <= 17; ++n) {
    const std::string path = folder / std::to_string(n);
    SafetensorsWriter writer(path, {{std::string(n, 'n'), DType::kU8, {1}}});
    writer.write(counting_bytes(1));
    writer.finish();
    EXPECT_EQ((std::filesystem::file_size(path) - 1) % 8, 0u);
    EXPECT_EQ(open_weights(path)->tensors()[0].name.size(), n);
  }
}

TEST(SafetensorsWriter, LeavesTheOldFileUnlessFinished) {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  write_file(path, to_bytes("old"));
  {
    SafetensorsWriter writer(path, {{"a", DType::kU8, {2}}, {"b", DType::kU8, {2}}});
    writer.write(counting_bytes(3));
    EXPECT_EQ(error_of([&] { writer.finish(); }),
              path +
                  ": tensor 'b' was not written to its end\n  expected  4 bytes of all tensors\n"
                  "  found     3 bytes");
    EXPECT_EQ(first_line(error_of([&] { writer.write(counting_bytes(2)); })),
              path + ": more bytes than the declared tensors have");
  }
  EXPECT_EQ(std::filesystem::file_size(path), 3u);
  EXPECT_EQ(folder.files(), 1);
}

TEST(SafetensorsWriter, RefusesImpossibleDeclarations) {
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  const auto error = [&](std::vector<TensorSpec> tensors) {
    return first_line(error_of([&] { SafetensorsWriter(path, std::move(tensors)); }));
  };
  const std::int64_t huge = std::int64_t{1} << 60;
  EXPECT_EQ(error({{"a", DType::kF32, {1}}, {"a", DType::kF32, {1}}}),
            path + ": tensor name 'a' is taken");
  EXPECT_EQ(error({{"__metadata__", DType::kF32, {1}}}),
            path + ": tensor name '__metadata__' is taken");
  EXPECT_EQ(error({{"", DType::kF32, {1}}}), path + ": tensor name '' is not usable");
  EXPECT_EQ(error({{"a", DType::kF32, {-1}}}), path + ": tensor 'a' has a negative size");
  EXPECT_EQ(error({{"a", DType::kF32, {huge, huge}}}),
            path + ": tensor 'a' is larger than any file can be");
  EXPECT_EQ(error({{"a", DType::kF32, {huge}}, {"b", DType::kF32, {huge}}}),
            path + ": the tensors are larger than any file can be");
  EXPECT_EQ(folder.files(), 0);
}

std::string reference_folder() {
  const char* const shared = std::getenv("PRWKV_SHARED");
  return (shared != nullptr ? std::string(shared) : std::string(PRWKV_SOURCE_DIR) + "/../shared") +
         "/reference/test-vectors";
}

class ReferenceFile : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::is_directory(reference_folder()))
      GTEST_SKIP() << "no reference material in " << reference_folder() << "; set PRWKV_SHARED";
  }
};

TEST_F(ReferenceFile, RwkvCppModelsOpen) {
  struct Model {
    const char* name;
    std::size_t tensors;
    std::int64_t elements;
    const char *version, *n_embed, *n_layer, *data_type;
  };
  const Model kModels[] = {
      {"4v0-660K-FP32", 78, 661504, "100", "128", "4", "f32"},
      {"4v0-660K-FP16", 78, 661504, "100", "128", "4", "f16"},
      {"5v1-730K-FP32", 246, 680640, "101", "64", "12", "f32"},
      {"5v2-730K-FP32", 270, 731904, "101", "64", "12", "f32"},
      {"5v2-730K-FP16", 270, 731904, "101", "64", "12", "f16"},
      {"7v0-834K-FP32", 339, 829888, "101", "64", "12", "f32"},
  };
  for (const Model& m : kModels) {
    const auto reader =
        open_weights(fmt::format("{}/tiny-rwkv-{}.bin", reference_folder(), m.name));
    EXPECT_EQ(reader->format(), "rwkv.cpp");
    EXPECT_EQ(reader->tensors().size(), m.tensors) << m.name;
    std::int64_t elements = 0;
    for (const StoredTensor& t : reader->tensors()) elements += t.numel();
    EXPECT_EQ(elements, m.elements) << m.name;
    EXPECT_THAT(reader->metadata(),
                ElementsAre(Pair("data_type", m.data_type), Pair("n_embed", m.n_embed),
                            Pair("n_layer", m.n_layer), Pair("n_vocab", "256"),
                            Pair("version", m.version)));
    EXPECT_EQ(reader->find("head.weight")->shape_str(), fmt::format("(256, {})", m.n_embed));
    EXPECT_EQ(broken_promise(*reader), "");
  }
}

TEST_F(ReferenceFile, QuantizedRwkvCppModelsOpen) {
  for (const auto& [name, type] :
       {std::pair("5v2-730K-Q5_0", DType::kQ5_0), std::pair("5v2-730K-Q5_1", DType::kQ5_1),
        std::pair("6v0-3m-Q5_1", DType::kQ5_1)}) {
    const auto reader = open_weights(fmt::format("{}/tiny-rwkv-{}.bin", reference_folder(), name));
    EXPECT_EQ(reader->metadata().at("data_type"), name_of(type));
    EXPECT_EQ(reader->find("blocks.0.ffn.key.weight")->dtype, type) << name;
    EXPECT_EQ(reader->find("blocks.0.ln1.weight")->dtype, DType::kF32) << name;
    EXPECT_EQ(broken_promise(*reader), "");
  }
}

TEST_F(ReferenceFile, PthCheckpointsOpen) {
  const std::pair<const char*, const char*> kFiles[] = {
      {"251024_rosaQKV_L2_digit20", "(13, 128)"},
      {"251105_reverse_L2", "(12, 32)"},
      {"260123_reverse_L2", "(12, 32)"},
      {"260123_reverse_L2_only_rwkv7", "(12, 32)"},
  };
  for (const auto& [name, shape] : kFiles) {
    const auto reader = open_weights(fmt::format("{}/{}.pth", reference_folder(), name));
    EXPECT_EQ(reader->format(), "pth");
    EXPECT_EQ(reader->tensors().size(), 99u) << name;
    EXPECT_EQ(reader->tensors()[0].name, "e.weight");
    EXPECT_EQ(reader->tensors()[0].shape_str(), shape) << name;
    EXPECT_EQ(reader->tensors()[0].dtype, DType::kF32);
    EXPECT_EQ(broken_promise(*reader), "");
  }
}

TEST(GoldenFile, EverySafetensorsFileOpens) {
  int files = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(PRWKV_SOURCE_DIR) + "/tests/golden")) {
    if (file.path().extension() != ".safetensors") continue;
    const auto reader = open_weights(file.path().string());
    EXPECT_NE(reader->find("emb.weight"), nullptr) << file.path();
    EXPECT_EQ(broken_promise(*reader), "");
    ++files;
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace prwkv
