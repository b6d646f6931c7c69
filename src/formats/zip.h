/// The part of the zip format that PyTorch uses: members stored as they are, ZIP64 for large files.
/// Whatever PyTorch does not write (compression, encryption, several disks) is refused.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prwkv {

struct ZipMember {
  std::string_view name;
  std::span<const std::byte> bytes;
};

/// The members in the order of the central directory: unique names, each member's header and bytes
/// inside the archive, no two of them overlapping. Checksums are not looked at: that would read the
/// whole file, and torch.save can be told to leave them out. Throws Error{kFormat | kUnsupported}
/// naming `path`.
std::vector<ZipMember> read_zip(std::span<const std::byte> archive, const std::string& path);

}  // namespace prwkv
