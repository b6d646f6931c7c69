#include "base/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace prwkv {

FolderLock::FolderLock(const std::string& folder)
    : file_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (file_ < 0) {
    throw Error(Code::kFile, folder + ": cannot be opened as a folder",
                {.found = std::generic_category().message(errno)});
  }
  if (::flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(file_);
  throw Error(Code::kFile, folder + ": another process is writing there",
              {.hint = "wait for it, or name another folder"});
}

FolderLock::~FolderLock() { ::close(file_); }

}  // namespace prwkv
