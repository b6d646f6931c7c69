#include "formats/binidx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/test_folder.h"
#include "formats/binidx_test_files.h"

namespace prwkv {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Ids = std::vector<std::int32_t>;

/// Five ids as u16: three documents of 3, 0 and 2.
const Bytes kFiveIds = ByteWriter{}.u16(1).u16(2).u16(300).u16(4).u16(65535).bytes;

Binidx binidx_of(const Bytes& index, const Bytes& tokens = kFiveIds) {
  return {MappedFile::from_bytes("d.bin", tokens), MappedFile::from_bytes("d.idx", index)};
}

Ids all_ids(const Binidx& data, std::int64_t vocabulary = 65536) {
  Ids ids(static_cast<std::size_t>(data.tokens()));
  data.read(0, ids, vocabulary);
  return ids;
}

template <class F>
std::string binidx_error(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    return fmt::format("{}: {}", name_of(e.code()), e.what());
  }
  return "no error";
}

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Binidx, ReadsWhatTheFormatSays) {
  const Binidx data = binidx_of(build_index({}));
  EXPECT_EQ(data.type(), TokenType::kU16);
  EXPECT_EQ(data.tokens(), 5);
  EXPECT_EQ(data.documents(), 3);
  EXPECT_EQ(data.document(0), (TokenRange{0, 3}));
  EXPECT_EQ(data.document(1), (TokenRange{3, 0}));
  EXPECT_EQ(data.document(2), (TokenRange{3, 2}));
  EXPECT_THAT(all_ids(data), ElementsAre(1, 2, 300, 4, 65535));
  Ids two(2);
  data.read(2, two, 65536);
  EXPECT_THAT(two, ElementsAre(300, 4));
}

TEST(Binidx, DocumentsOfSeveralPieces) {
  const Binidx data = binidx_of(build_index({.marks = {0, 2, 3, 3}}));
  EXPECT_EQ(data.documents(), 3);
  EXPECT_EQ(data.document(0), (TokenRange{0, 3}));
  EXPECT_EQ(data.document(1), (TokenRange{3, 2}));
  EXPECT_EQ(data.document(2), (TokenRange{5, 0}));
}

TEST(Binidx, NothingIsAPairToo) {
  const Binidx data = binidx_of(build_index({.sizes = {}, .pointers = {}, .marks = {0}}), {});
  EXPECT_EQ(data.tokens(), 0);
  EXPECT_EQ(data.documents(), 0);
  EXPECT_THAT(all_ids(data), IsEmpty());
}

TEST(Binidx, ReadsEveryTypeOfIntegers) {
  struct Row {
    TokenType type;
    Bytes tokens;
  };
  for (const Row& row : std::vector<Row>{
           {TokenType::kU8, ByteWriter{}.put<std::uint8_t>(7).put<std::uint8_t>(200).bytes},
           {TokenType::kI8, ByteWriter{}.put<std::int8_t>(7).put<std::int8_t>(100).bytes},
           {TokenType::kI16, ByteWriter{}.put<std::int16_t>(7).put<std::int16_t>(30000).bytes},
           {TokenType::kI32, ByteWriter{}.i32(7).i32(1000000).bytes},
           {TokenType::kI64, ByteWriter{}.u64(7).u64(1000001).bytes},
           {TokenType::kU16, ByteWriter{}.u16(7).u16(60000).bytes}}) {
    const auto width = static_cast<std::int64_t>(row.tokens.size()) / 2;
    EXPECT_EQ(width_of(row.type), width);
    const Binidx data = binidx_of(build_index({.type = static_cast<std::uint8_t>(row.type),
                                               .sizes = {1, 1},
                                               .pointers = {0, width},
                                               .marks = {0, 1, 2}}),
                                  row.tokens);
    const Ids ids = all_ids(data, 2000000);
    EXPECT_EQ(ids[0], 7) << name_of(row.type);
    EXPECT_GE(ids[1], 100) << name_of(row.type);
    EXPECT_EQ(data.document(1), (TokenRange{1, 1}));
  }
}

TEST(Binidx, NamesThePositionOfAnIdThatIsNotInTheVocabulary) {
  const Binidx data = binidx_of(build_index({}));
  EXPECT_EQ(binidx_error([&] { all_ids(data, 300); }),
            "mismatch: d.bin: token 2 is not in the vocabulary\n"
            "  expected  an id from 0 to 299\n"
            "  found     300\n"
            "  hint      was the data made for another tokenizer?");
  EXPECT_EQ(binidx_error([&] { data.check({0, 2}, 300); }), "no error");
  EXPECT_EQ(binidx_error([&] { data.check({0, 5}, 65536); }), "no error");
  // Ids that are negative, or too large to be read.
  const Binidx wide =
      binidx_of(build_index({.type = 5, .sizes = {2}, .pointers = {0}, .marks = {0, 1}}),
                ByteWriter{}.u64(~std::uint64_t{0}).u64(std::uint64_t{1} << 40).bytes);
  constexpr std::int64_t kEverything = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(wide.check({0, 1}, kEverything), Error);
  EXPECT_THROW(wide.check({1, 1}, kEverything), Error);
}

TEST(Binidx, RefusesRangesThatAreNotThere) {
  const Binidx data = binidx_of(build_index({}));
  Ids two(2);
  for (const std::int64_t first : {std::int64_t{-1}, std::int64_t{4}, std::int64_t{6},
                                   std::numeric_limits<std::int64_t>::max()})
    EXPECT_THROW(data.read(first, two, 65536), Error) << first;
  for (const std::int64_t number : {-1, 3}) EXPECT_THROW((void)data.document(number), Error);
}

TEST(Binidx, RefusesBrokenIndices) {
  struct Row {
    const char* name;
    IndexParts parts;
    std::string message;
  };
  const std::uint64_t huge = std::uint64_t{1} << 62;
  for (const Row& row : std::vector<Row>{
           {"magic",
            {.magic = "MMIDIDX\1"},
            "format: d.idx: is not the index of token data\n"
            "  expected  MMIDIDX at the start\n"
            "  found     'MMIDIDX\\x01\\x01'"},
           {"version",
            {.version = 2},
            "unsupported: d.idx: is of an unknown version\n  expected  1\n  found     2"},
           {"unknown type",
            {.type = 9},
            "format: d.idx: has an unknown type of ids\n  expected  1 to 8\n  found     9"},
           {"type 0",
            {.type = 0},
            "format: d.idx: has an unknown type of ids\n  expected  1 to 8\n  found     0"},
           {"floats",
            {.type = 6},
            "unsupported: d.idx: has ids that are no integers\n"
            "  expected  integers, of RWKV's data u16\n"
            "  found     type 6, float\n"
            "  hint      make the data anew with integers"},
           {"negative size",
            {.sizes = {3, -1, 3}, .pointers = {0, 6, 4}},
            "format: d.idx: piece 1 has a negative size\n  expected  at least 0\n  found     -1"},
           {"gap",
            {.pointers = {0, 6, 8}},
            "format: d.idx: piece 2 is not where the one before ends\n"
            "  expected  byte 6\n  found     byte 8"},
           {"overlap",
            {.pointers = {0, 4, 4}},
            "format: d.idx: piece 1 is not where the one before ends\n"
            "  expected  byte 6\n  found     byte 4"},
           {"start",
            {.pointers = {-2, 4, 4}},
            "format: d.idx: piece 0 is not where the one before ends\n"
            "  expected  byte 0\n  found     byte -2"},
           {"more tokens",
            {.sizes = {3, 0, 3}},
            "mismatch: d.bin: is not of the size that d.idx says\n"
            "  expected  12 bytes\n  found     10 bytes\n"
            "  hint      do the two files belong together, and were both copied to their end?"},
           {"fewer tokens",
            {.sizes = {3, 0, 1}},
            "mismatch: d.bin: is not of the size that d.idx says\n"
            "  expected  8 bytes\n  found     10 bytes\n"
            "  hint      do the two files belong together, and were both copied to their end?"},
           {"no marks",
            {.marks = {}},
            "format: d.idx: does not say where documents begin\n  expected  a 0 at least"},
           {"first mark",
            {.marks = {1, 2, 3}},
            "format: d.idx: mark 0 of the documents is impossible\n  expected  0\n  found     1"},
           {"marks that fall",
            {.marks = {0, 2, 1, 3}},
            "format: d.idx: mark 2 of the documents is impossible\n"
            "  expected  2 to 3\n  found     1"},
           {"marks beyond",
            {.marks = {0, 4}},
            "format: d.idx: mark 1 of the documents is impossible\n"
            "  expected  0 to 3\n  found     4"},
           {"marks that end early",
            {.marks = {0, 1, 2}},
            "format: d.idx: has pieces behind the last document\n"
            "  expected  2\n  found     3 pieces"},
           {"goes on",
            {.behind = "x"},
            "format: d.idx: goes on behind its last table\n"
            "  expected  102 bytes\n  found     103 bytes"},
           {"claims pieces", {.claimed_pieces = huge}, ""},
           {"claims all pieces", {.claimed_pieces = ~std::uint64_t{0}}, ""},
           {"claims marks", {.claimed_marks = huge}, ""},
           {"claims one piece more", {.claimed_pieces = 4}, ""}}) {
    const std::string message = binidx_error([&] { (void)binidx_of(build_index(row.parts)); });
    if (row.message.empty()) {
      EXPECT_THAT(message, ::testing::StartsWith("format: d.idx: the index is cut off"))
          << row.name;
    } else {
      EXPECT_EQ(message, row.message) << row.name;
    }
  }
}

TEST(Binidx, RefusesAnIndexThatIsCutOffAnywhere) {
  const Bytes whole = build_index({});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW((void)binidx_of(part), Error) << size;
  }
}

TEST(Binidx, KnowsThePairByEachOfItsNames) {
  const TemporaryFolder folder;
  for (const char* name : {"a.bin", "a.idx", "text.txt", "b.txt", "c.bin"})
    std::ofstream(folder / name) << "x";
  const auto pair = [&](const char* name) {
    const auto found = Binidx::pair_name(folder / name);
    return found ? found->substr(found->rfind('/') + 1) : "none";
  };
  EXPECT_EQ(pair("a"), "a");
  EXPECT_EQ(pair("a.bin"), "a");
  EXPECT_EQ(pair("a.idx"), "a");
  EXPECT_EQ(pair("missing.bin"), "missing");
  EXPECT_EQ(pair("b"), "none");
  EXPECT_EQ(pair("c"), "none");  // half a pair
  EXPECT_EQ(pair("text.txt"), "none");
  EXPECT_EQ(binidx_error([&] { (void)Binidx::open(folder / "c"); }),
            fmt::format("file: {}: there is no such file\n"
                        "  expected  token data as a pair of files, NAME.bin and NAME.idx\n"
                        "  hint      is the path right?",
                        folder / "c.idx"));
}

TEST(BinidxWriter, WritesTheBytesOfTheFormat) {
  const TemporaryFolder folder;
  BinidxWriter writer(folder / "d", TokenType::kU16);
  writer.add(Ids{1, 2});
  writer.add(Ids{300});
  writer.end_document();
  writer.end_document();
  writer.add(Ids{4, 65535});
  writer.end_document();
  EXPECT_EQ(writer.tokens(), 5);
  EXPECT_EQ(writer.documents(), 3);
  writer.finish();
  EXPECT_EQ(to_bytes(content_of(folder / "d.bin")), kFiveIds);
  EXPECT_EQ(to_bytes(content_of(folder / "d.idx")), build_index({}));
}

TEST(BinidxWriter, WhatItWritesComesBack) {
  const TemporaryFolder folder;
  // More than a buffer, and documents of all kinds of sizes.
  for (const TokenType type : {TokenType::kU16, TokenType::kI32, TokenType::kI64}) {
    std::vector<Ids> documents;
    Ids all;
    for (int i = 0; i < 300; ++i) {
      Ids ids(static_cast<std::size_t>(i * i % 7919));
      std::iota(ids.begin(), ids.end(), i);
      all.insert(all.end(), ids.begin(), ids.end());
      documents.push_back(std::move(ids));
    }
    BinidxWriter writer(folder / "d", type);
    for (const Ids& ids : documents) {
      writer.add(ids);
      writer.end_document();
    }
    writer.finish();
    const Binidx data = Binidx::open(folder / "d");
    EXPECT_EQ(data.type(), type);
    EXPECT_EQ(all_ids(data), all);
    ASSERT_EQ(data.documents(), 300);
    for (std::int64_t i = 0; i < 300; ++i) {
      const TokenRange range = data.document(i);
      Ids ids(static_cast<std::size_t>(range.count));
      data.read(range.first, ids, 65536);
      EXPECT_EQ(ids, documents[static_cast<std::size_t>(i)]);
    }
  }
}

TEST(BinidxWriter, WritesLongIndices) {
  const TemporaryFolder folder;
  constexpr std::int32_t kDocuments = 200000;  // tables of more than a megabyte
  BinidxWriter writer(folder / "d", TokenType::kI32);
  for (std::int32_t i = 0; i < kDocuments; ++i) {
    writer.add(Ids{i});
    writer.end_document();
  }
  writer.finish();
  const Binidx data = Binidx::open(folder / "d");
  EXPECT_EQ(data.documents(), kDocuments);
  for (std::int64_t i = 0; i < kDocuments; ++i) ASSERT_EQ(data.document(i), (TokenRange{i, 1}));
}

TEST(BinidxWriter, LeavesWhatWasThereUntilItIsFinished) {
  const TemporaryFolder folder;
  std::ofstream(folder / "d.bin") << "old";
  std::ofstream(folder / "d.idx") << "old";
  {
    BinidxWriter writer(folder / "d", TokenType::kU16);
    writer.add(Ids{1});
    writer.end_document();
  }
  EXPECT_EQ(content_of(folder / "d.bin"), "old");
  EXPECT_EQ(content_of(folder / "d.idx"), "old");
  EXPECT_EQ(folder.files(), 2);
}

TEST(BinidxWriter, RefusesWhatCannotBeStored) {
  const TemporaryFolder folder;
  struct Row {
    TokenType type;
    std::int32_t id;
    bool fits;
  };
  for (const Row& row : std::vector<Row>{{TokenType::kU16, 65535, true},
                                         {TokenType::kU16, 65536, false},
                                         {TokenType::kU16, -1, false},
                                         {TokenType::kU8, 256, false},
                                         {TokenType::kI8, 128, false},
                                         {TokenType::kI16, 32768, false},
                                         {TokenType::kI32, 65536, true},
                                         {TokenType::kI64, -1, false}}) {
    BinidxWriter writer(folder / "d", row.type);
    EXPECT_EQ(binidx_error([&] { writer.add(Ids{row.id}); }),
              row.fits ? "no error"
                       : fmt::format("invalid_argument: {}: id {} cannot be stored as {}",
                                     folder / "d", row.id, name_of(row.type)));
  }
  BinidxWriter open_ended(folder / "d", TokenType::kU16);
  open_ended.add(Ids{1});
  EXPECT_EQ(binidx_error([&] { open_ended.finish(); }),
            fmt::format("invalid_argument: {}: document 0 was not ended", folder / "d"));
  EXPECT_THROW(BinidxWriter(folder / "none/d", TokenType::kU16), Error);
}

}  // namespace
}  // namespace prwkv
