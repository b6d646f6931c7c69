/// The records of a zip archive, for reading and writing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prwkv::zip {

/// Signatures.
inline constexpr std::uint32_t kLocalHeader = 0x04034b50, kDescriptor = 0x08074b50,
                               kDirectoryEntry = 0x02014b50, kEndRecord = 0x06054b50,
                               kEndRecord64 = 0x06064b50, kLocator64 = 0x07064b50;
/// Bytes of each, without names, extra fields and comments.
inline constexpr std::size_t kLocalHeaderBytes = 30, kDirectoryEntryBytes = 46,
                             kEndRecordBytes = 22, kEndRecord64Bytes = 56, kLocator64Bytes = 20,
                             kMaxCommentBytes = 0xffff;
/// The extra field with 64-bit values.
inline constexpr std::uint16_t kExtra64 = 1;
/// In a 16- or 32-bit field: the value stands in the ZIP64 record instead.
inline constexpr std::uint16_t kElsewhere16 = 0xffff;
inline constexpr std::uint32_t kElsewhere32 = 0xffffffff;
/// Flags: plain, strong, masked headers.
inline constexpr std::uint16_t kEncrypted = 1 | 1 << 6 | 1 << 13;
/// Flags: sizes and checksum follow the member; its name is UTF-8.
inline constexpr std::uint16_t kStreamed = 1 << 3 | 1 << 11;

}  // namespace prwkv::zip
