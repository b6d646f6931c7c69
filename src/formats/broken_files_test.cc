// Files that are damaged or hostile: what is wrong with each, and what the user reads about it. Here
// are files of no known format, the test of all tables, and damage that is done byte by byte.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>

#include "formats/broken_file.h"

namespace prwkv::testing {

namespace {

constexpr const char* kMessages = PRWKV_SOURCE_DIR "/src/formats/broken_files.txt";

// A block of lines for each case: its name between brackets, then the message.
std::map<std::string, std::string> read_messages() {
  std::map<std::string, std::string> messages;
  std::ifstream in(kMessages);
  std::string line, name;
  while (std::getline(in, line)) {
    if (line.starts_with('[') && line.ends_with(']'))
      name = line.substr(1, line.size() - 2);
    else if (!line.empty())
      messages[name] += (messages[name].empty() ? "" : "\n") + line;
  }
  return messages;
}

// A part that a message leaves out, since it would say nothing.
struct LeftOut {
  std::string_view name, part, why;
};
constexpr LeftOut kLeftOut[] = {
    {"index_names_missing_file", "expected", "the system refuses; what is found is its reason"},
    {"index_names_folder", "expected", "the first line says it: a regular file"},
};

void expect_every_part(const std::string& name, const std::string& error) {
  for (const std::string_view part : {"expected", "found", "hint"}) {
    const bool left_out =
        std::any_of(std::begin(kLeftOut), std::end(kLeftOut),
                    [&](const LeftOut& l) { return l.name == name && l.part == part; });
    EXPECT_EQ(error.find(fmt::format("\n  {:10}", part)) == std::string::npos, left_out)
        << name << ": " << part << "\n"
        << error;
  }
}

}  // namespace

// PRWKV_NEW_MESSAGES names a file that gets all messages as they are now, for reading and taking over.
void expect_whole_message(const std::string& name, const std::string& error) {
  expect_every_part(name, error);
  if (const char* path = std::getenv("PRWKV_NEW_MESSAGES")) {
    std::ofstream(path, std::ios::app) << '[' << name << "]\n" << error << "\n\n";
    return;
  }
  static const std::map<std::string, std::string> messages = read_messages();
  const auto known = messages.find(name);
  ASSERT_NE(known, messages.end()) << name << " is not in " << kMessages << ":\n" << error;
  EXPECT_EQ(error, known->second);
}

TEST_P(BrokenFile, IsRefusedWithItsMessage) {
  const std::string error = error_of([&] { open_bytes(GetParam().build()); });
  EXPECT_EQ(first_line(error), std::string("bad: ") + GetParam().message) << error;
  expect_whole_message(GetParam().name, error);
}

namespace {

const Broken kUnknown[] = {
    {"empty", [] { return Bytes{}; }, "is empty"},
    {"one_byte", [] { return literal("P"); }, "is no weight file of a known format"},
    {"zeros", [] { return Bytes(4096); }, "is no weight file of a known format"},
    {"legacy_torch",
     [] { return literal("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."); },
     "is a PyTorch file in the format from before version 1.6"},
    {"bare_pickle",
     [] {
       return literal(
           "\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x01"
           "a\x94.");
     },
     "is a bare Python pickle, not a model"},
    {"lfs_pointer",
     [] {
       return literal("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n");
     },
     "is a Git LFS pointer, not the model that it points to"},
    {"html", [] { return literal("<!DOCTYPE html><html><head>"); }, "is a web page, not a model"},
    {"html_lower_case", [] { return literal("<!doctype html>\n<html>"); },
     "is a web page, not a model"},
    {"html_without_doctype", [] { return literal("<html lang=\"en\">"); },
     "is a web page, not a model"},
    {"xml", [] { return literal("<?xml version=\"1.0\"?><Error>"); },
     "is an XML text, not a model"},
    {"index_json", [] { return literal("{\"metadata\": {\"total_size\": 1}}"); },
     "is a JSON text, not a weight file"},
    {"gzip", [] { return literal("\x1f\x8b\x08\0\0\0\0\0\0\x03"); }, "is a gzip archive"},
    {"empty_zip", [] { return build_zip({}); }, "is an empty zip archive"},
};

INSTANTIATE_TEST_SUITE_P(Unknown, BrokenFile, cases(kUnknown), case_name);

struct Whole {
  const char* name;
  Bytes (*build)();
};
std::ostream& operator<<(std::ostream& out, const Whole& w) { return out << w.name; }

class Damage : public ::testing::TestWithParam<Whole> {};

TEST_P(Damage, EveryTruncationIsRefused) {
  const Bytes whole = GetParam().build();
  ASSERT_NO_THROW(open_bytes(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    // A file of records cannot be told from a shorter one when it ends between two of them.
    const bool at_record_end =
        GetParam().build == &valid_rwkvcpp && size == whole.size() - 4 - 7 - 16;
    EXPECT_EQ(error_of([&] { open_bytes(part); }).empty(), at_record_end) << size << " bytes";
  }
}

TEST_P(Damage, EveryFlippedBitIsRefusedOrHarmless) {
  const Bytes whole = GetParam().build();
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    Bytes damaged = whole;
    damaged[bit / 8] ^= std::byte{1} << bit % 8;
    error_of([&] { EXPECT_EQ(broken_promise(*open_bytes(damaged)), ""); });
  }
}

TEST_P(Damage, EveryByteSetToExtremesIsRefusedOrHarmless) {
  const Bytes whole = GetParam().build();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0x00, 0x7f, 0x80, 0xff}) {
      Bytes damaged = whole;
      for (std::size_t i = at; i < std::min(at + 4, whole.size()); ++i) {
        damaged[i] = static_cast<std::byte>(value);
        error_of([&] { EXPECT_EQ(broken_promise(*open_bytes(damaged)), ""); });
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Damage,
                         ::testing::Values(Whole{"safetensors", &valid_safetensors},
                                           Whole{"rwkvcpp", &valid_rwkvcpp},
                                           Whole{"gguf", &valid_gguf}, Whole{"pth", &valid_pth},
                                           Whole{"pth_zip64", &valid_zip64_pth}),
                         [](const auto& i) { return std::string(i.param.name); });

}  // namespace
}  // namespace prwkv::testing
