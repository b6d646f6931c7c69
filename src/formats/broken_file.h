/// The form of the tables of broken files; for tests only. Each row is one file and the first line of
/// what the user reads about it. All messages, whole, stand in broken_files.txt.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <ostream>
#include <string>

#include "formats/test_files.h"

namespace prwkv::testing {

struct Broken {
  const char* name;
  std::function<Bytes()> build;
  const char* message;  ///< first line, without the "bad: " that every message begins with
};
inline std::ostream& operator<<(std::ostream& out, const Broken& b) { return out << b.name; }

/// Its one test is in broken_files_test.cc; each format's file has a table for it.
class BrokenFile : public ::testing::TestWithParam<Broken> {};

template <std::size_t N>
auto cases(const Broken (&table)[N]) {
  return ::testing::ValuesIn(table);
}
inline std::string case_name(const ::testing::TestParamInfo<Broken>& info) {
  return info.param.name;
}

/// Fails unless `error` is, word by word, what broken_files.txt has for the case `name`, with
/// expected, found and hint.
void expect_whole_message(const std::string& name, const std::string& error);

/// The characters of a literal, NUL bytes included.
template <std::size_t N>
Bytes literal(const char (&text)[N]) {
  return to_bytes({text, N - 1});
}

}  // namespace prwkv::testing
