#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace prwkv {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK a named pipe would block here for ever; regular files do not care.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    throw Error(Code::kFile, path + ": cannot be opened",
                {.found = reason(errno), .hint = "is the path right and the file readable?"});
  }
  struct stat st {};
  int error = ::fstat(fd, &st) != 0 ? errno : 0;
  if (error == 0 && !S_ISREG(st.st_mode)) {
    ::close(fd);
    throw Error(Code::kFile, path + ": is not a regular file",
                {.found = S_ISDIR(st.st_mode) ? "a folder" : "a device, pipe or socket",
                 .hint = S_ISDIR(st.st_mode) ? "give the path of a file"
                                             : "write what comes from there to a file first"});
  }
  void* p = nullptr;
  if (error == 0 && st.st_size > 0) {
    p = ::mmap(nullptr, static_cast<std::size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) error = errno;
  }
  if (error != 0) {
    ::close(fd);
    throw Error(Code::kFile, path + ": cannot be mapped",
                {.found = reason(error),
                 .hint = "does its file system let files be mapped? Copy it to a local disk"});
  }
  data_ = static_cast<const std::byte*>(p);
  size_ = static_cast<std::size_t>(st.st_size);
  fd_ = fd;
}

MappedFile MappedFile::from_bytes(std::string name, std::vector<std::byte> bytes) {
  MappedFile file;
  file.path_ = std::move(name);
  file.owned_ = std::move(bytes);
  file.data_ = file.owned_.empty() ? nullptr : file.owned_.data();
  file.size_ = file.owned_.size();
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      owned_(std::move(other.owned_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      fd_(std::exchange(other.fd_, -1)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(owned_, other.owned_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(fd_, other.fd_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr && owned_.empty()) ::munmap(const_cast<std::byte*>(data_), size_);
  if (fd_ >= 0) ::close(fd_);
}

bool MappedFile::has_mapped(std::span<const std::byte> part) const noexcept {
  if (!owned_.empty()) return false;
  const auto first = reinterpret_cast<std::uintptr_t>(data_);
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data());
  return begin >= first && begin - first <= size_ && part.size() <= size_ - (begin - first);
}

bool MappedFile::read(std::span<const std::byte> part, std::span<std::byte> to) const {
  if (fd_ < 0 || !has_mapped(part)) return false;
  auto at = static_cast<off_t>(part.data() - data_);
  while (!to.empty()) {
    const ssize_t n = ::pread(fd_, to.data(), to.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      throw Error(Code::kFile, path_ + ": cannot be read",
                  {.found = n < 0 ? reason(errno) : "an end before the size it had",
                   .hint = "did another program change it meanwhile?"});
    }
    to = to.subspan(static_cast<std::size_t>(n));
    at += n;
  }
  return true;
}

void MappedFile::advise(std::span<const std::byte> part, int advice) const noexcept {
  // Dropping pages of ordinary memory would zero them, so whatever is not file-backed stays out of
  // this.
  if (!has_mapped(part)) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto part_begin = reinterpret_cast<std::uintptr_t>(part.data());
  const auto begin = (part_begin + page - 1) / page * page;
  const auto end = (part_begin + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

void MappedFile::will_need(std::span<const std::byte> part) const noexcept {
  advise(part, MADV_WILLNEED);
}

void MappedFile::done_with(std::span<const std::byte> part) const noexcept {
  advise(part, MADV_DONTNEED);
}

}  // namespace prwkv
