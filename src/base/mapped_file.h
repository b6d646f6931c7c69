/// A file mapped read-only into memory. Pages come in when they are touched and can be given back.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prwkv {

class MappedFile {
 public:
  MappedFile() = default;
  /// Throws Error{kFile} when the file cannot be opened or mapped, or is not a regular file.
  explicit MappedFile(const std::string& path);
  /// The same interface over bytes that are in memory already; `name` stands for the path in error
  /// messages.
  static MappedFile from_bytes(std::string name, std::vector<std::byte> bytes);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// The same bytes; nothing says that they are text.
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(data_), size_};
  }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// Asks the kernel to read ahead / to drop the pages that lie wholly inside `part` of this
  /// mapping. Dropped pages come back from the file when they are touched. Memory that is no part
  /// of the mapping is left alone.
  void will_need(std::span<const std::byte> part) const noexcept;
  void done_with(std::span<const std::byte> part) const noexcept;

  /// Copies `part` into `to`, of the same size, by reading the file: none of its pages is mapped for
  /// that, which costs more than the copy. False, and nothing copied, if it is no part of a mapping.
  /// Throws Error{kFile} when it cannot be read.
  [[nodiscard]] bool read(std::span<const std::byte> part, std::span<std::byte> to) const;

 private:
  [[nodiscard]] bool has_mapped(std::span<const std::byte> part) const noexcept;
  void advise(std::span<const std::byte> part, int advice) const noexcept;

  std::string path_;
  std::vector<std::byte> owned_;  // empty for a real mapping
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  int fd_ = -1;  // of a real mapping
};

}  // namespace prwkv
