/// Where tests find files: the repository's own, and the optional reference material beside it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace prwkv::test {

inline std::string repository_file(const std::string& relative) {
  return std::string(PRWKV_SOURCE_DIR) + "/" + relative;
}

/// A file of the reference material, found at $PRWKV_SHARED or ../shared; empty if it is not there.
/// Tests that need it skip themselves and say so.
inline std::optional<std::string> shared_file(const std::string& relative) {
  const char* folder = std::getenv("PRWKV_SHARED");
  const std::string path =
      (folder != nullptr ? std::string(folder) : std::string(PRWKV_SOURCE_DIR) + "/../shared") +
      "/" + relative;
  if (std::filesystem::exists(path)) return path;
  return std::nullopt;
}

inline std::string why_shared_is_missing(const std::string& relative) {
  return relative + " is not here: set PRWKV_SHARED to a folder that has it";
}

/// A folder of its own for each test, gone afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "prwkv_test_XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace prwkv::test
