/// Writes a file under a temporary name and renames it at the end: a reader sees the old file or
/// the whole new one. A file that is replaced passes its permissions on; one that is write-protected is not
/// replaced; behind a link, it is the file that the link points to. Where the limit of file sizes
/// (ulimit -f) may be reached, the program should ignore SIGXFSZ: it would end the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace prwkv {

class AtomicFile {
 public:
  /// Creates PATH.tmp-PID-N beside `path`. Throws Error{kFile}, also for a write-protected `path`.
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  /// Without a commit the temporary file is removed and `path` stays what it was.
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Flushes to the disk and renames. Throws Error{kFile} (disk full, say) with `path` unchanged.
  void commit();

 private:
  [[noreturn]] void fail_with(const char* action) const;
  std::string path_, temporary_;
  int fd_ = -1;
  std::int64_t written_ = 0, asked_ = 0;  ///< bytes, and those that the disk was asked to take
};

}  // namespace prwkv
