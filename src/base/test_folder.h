/// Files and messages of tests; for tests only.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/temporary_folder.h"

namespace prwkv::testing {

using prwkv::TemporaryFolder;

/// The message of the Error that `action` throws, "" without one. Other exceptions pass through.
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

inline void write_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}
inline std::string read_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace prwkv::testing
