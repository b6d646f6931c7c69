/// One process at a time writes into a folder.
#pragma once

#include <string>

namespace prwkv {

/// Holds a folder from construction to destruction; the system lets go of it when the process ends, however it ends.
class FolderLock {
 public:
  /// Throws Error{kFile} if the folder cannot be opened or somebody holds it. File systems without locks are not
  /// refused: nobody is kept out there.
  explicit FolderLock(const std::string& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  int file_ = -1;
};

}  // namespace prwkv
