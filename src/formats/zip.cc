#include "formats/zip.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "formats/reader.h"
#include "formats/untrusted.h"
#include "formats/zip_records.h"

namespace prwkv {
namespace {

using namespace zip;

// A checkpoint has one member a tensor and a handful of others.
constexpr std::size_t kMaxMembers = kMaxTensors + 64;

/// Where the central directory lies, from the records at the end of the archive.
struct Directory {
  std::uint64_t count = 0, bytes = 0, offset = 0;
  std::uint64_t end = 0;  ///< the directory must end here or before: the first of those records
};

struct Entry {
  std::string_view name;
  std::uint16_t flags = 0, method = 0;
  std::uint64_t packed = 0, unpacked = 0, offset = 0;
};

struct Extent {
  std::uint64_t begin, end;
  std::string_view name;
};

class ZipParser {
 public:
  ZipParser(std::span<const std::byte> archive, const std::string& path)
      : archive_(archive), path_(path) {}

  std::vector<ZipMember> members();

 private:
  [[nodiscard]] std::size_t find_end_record() const;
  [[nodiscard]] Directory find_directory() const;
  void read_end_record64(std::size_t locator, Directory& d) const;
  Entry read_entry(ByteCursor& in) const;
  void read_sizes64(std::span<const std::byte> extra, Entry& e) const;
  [[nodiscard]] Extent locate(const Entry& e, const Directory& d) const;
  [[nodiscard]] std::uint32_t u32_at(std::size_t position) const {
    return ByteCursor(archive_.subspan(position), path_, "a zip record").read<std::uint32_t>();
  }
  [[noreturn]] void broken(std::string_view what, Detail detail = {}) const {
    detail.hint = "the file is damaged: fetch it again";
    throw Error(Code::kFormat, fmt::format("{}: zip archive: {}", path_, what), detail);
  }
  [[noreturn]] void several_disks(std::string found) const {
    broken("it is spread over several disks",
           {.expected = "everything on disk 0", .found = std::move(found)});
  }
  void expect_one_disk(std::uint32_t disk, std::uint32_t directory_disk, std::uint64_t count_here,
                       std::uint64_t count) const {
    if (disk == 0 && directory_disk == 0 && count_here == count) return;
    several_disks(fmt::format("disk {}, the directory from disk {}, {} of its {} entries here",
                              disk, directory_disk, count_here, count));
  }

  std::span<const std::byte> archive_;
  const std::string& path_;
};

std::vector<ZipMember> ZipParser::members() {
  const Directory d = find_directory();
  if (d.count > kMaxMembers) {
    throw Error(
        Code::kFormat, path_ + ": zip archive: too many members",
        {.expected = fmt::format("at most {}", kMaxMembers), .found = std::to_string(d.count)});
  }
  if (d.bytes > d.end || d.offset > d.end - d.bytes)
    broken("the directory lies outside the archive",
           {.expected = fmt::format("that it ends at byte {} or before", d.end),
            .found = fmt::format("{} bytes from byte {}", d.bytes, d.offset)});
  if (d.bytes / kDirectoryEntryBytes < d.count)
    broken("the directory is too short for its entries",
           {.expected = fmt::format("at least {} bytes an entry", kDirectoryEntryBytes),
            .found = fmt::format("{} bytes for {} entries", d.bytes, d.count)});

  ByteCursor in(archive_.subspan(d.offset, d.bytes), path_, "the zip directory");
  std::vector<ZipMember> members;
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < d.count; ++i) {
    const Entry e = read_entry(in);
    extents.push_back(locate(e, d));
    members.push_back({e.name, archive_.subspan(extents.back().end - e.unpacked, e.unpacked)});
  }
  if (!in.at_end())
    broken("the directory has bytes after its last entry",
           {.expected = fmt::format("{} bytes for {} entries", in.position(), d.count),
            .found = fmt::format("{} bytes", d.bytes)});

  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      broken(fmt::format("members {} and {} overlap", in_quotes(extents[i - 1].name),
                         in_quotes(extents[i].name)),
             {.expected = fmt::format("the second at byte {} or after it", extents[i - 1].end),
              .found = fmt::format("byte {}", extents[i].begin)});
    }
  }
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.name, a.begin) < std::pair(b.name, b.begin);
  });
  const auto twin =
      std::adjacent_find(extents.begin(), extents.end(),
                         [](const Extent& a, const Extent& b) { return a.name == b.name; });
  if (twin != extents.end())
    broken(fmt::format("member {} appears twice", in_quotes(twin->name)),
           {.expected = "each name once",
            .found = fmt::format("at bytes {} and {}", twin[0].begin, twin[1].begin)});
  return members;
}

// The record is the last thing in the archive but for a comment of the length that it states.
std::size_t ZipParser::find_end_record() const {
  const std::size_t size = archive_.size();
  for (std::size_t comment = 0; comment <= kMaxCommentBytes && comment + kEndRecordBytes <= size;
       ++comment) {
    const std::size_t at = size - kEndRecordBytes - comment;
    if (u32_at(at) != kEndRecord) continue;
    ByteCursor in(archive_.subspan(at + kEndRecordBytes - 2), path_, "the end record");
    if (in.read<std::uint16_t>() == comment) return at;
  }
  throw Error(Code::kFormat, path_ + ": zip archive: no end record found",
              {.expected = "one at the end of the file",
               .found = fmt::format("none in a file of {} bytes", size),
               .hint = "is the download complete? Compare its size, or fetch it again"});
}

Directory ZipParser::find_directory() const {
  Directory d;
  d.end = find_end_record();
  ByteCursor in(archive_.subspan(d.end), path_, "the end record");
  in.take(4);
  const auto disk = in.read<std::uint16_t>(), directory_disk = in.read<std::uint16_t>();
  const auto count_here = in.read<std::uint16_t>(), count = in.read<std::uint16_t>();
  const auto bytes = in.read<std::uint32_t>(), offset = in.read<std::uint32_t>();
  d.count = count;
  d.bytes = bytes;
  d.offset = offset;
  if (d.end >= kLocator64Bytes && u32_at(d.end - kLocator64Bytes) == kLocator64) {
    read_end_record64(d.end - kLocator64Bytes, d);
    if ((count != kElsewhere16 && count != d.count) ||
        (bytes != kElsewhere32 && bytes != d.bytes) ||
        (offset != kElsewhere32 && offset != d.offset))
      broken("its two end records contradict each other",
             {.expected = fmt::format("{} entries, {} bytes from byte {}, as in the ZIP64 record",
                                      d.count, d.bytes, d.offset),
              .found = fmt::format("{} entries, {} bytes from byte {}", count, bytes, offset)});
  } else if (count == kElsewhere16 || bytes == kElsewhere32 || offset == kElsewhere32) {
    broken(
        "the ZIP64 end record is missing",
        {.expected = "one, for the numbers that are 0xffff or 0xffffffff",
         .found = fmt::format("{:#x} entries, {:#x} bytes from byte {:#x}", count, bytes, offset)});
  }
  expect_one_disk(disk, directory_disk, count_here, count);
  return d;
}

void ZipParser::read_end_record64(std::size_t locator, Directory& d) const {
  ByteCursor in(archive_.subspan(locator + 4), path_, "the ZIP64 locator");
  const auto disk = in.read<std::uint32_t>();
  const auto at = in.read<std::uint64_t>();
  const auto disks = in.read<std::uint32_t>();
  if (disk != 0 || disks > 1)
    several_disks(fmt::format("{} disks, the ZIP64 end record on disk {}", disks, disk));
  const bool has_room = at <= locator && locator - at >= kEndRecord64Bytes;
  if (!has_room || u32_at(at) != kEndRecord64)
    broken("the ZIP64 end record is not where it should be",
           {.expected = fmt::format("{:#010x} at byte {}, as its locator says", kEndRecord64, at),
            .found = has_room ? fmt::format("{:#010x}", u32_at(at))
                              : fmt::format("no room there: the locator is at byte {}", locator)});
  in = ByteCursor(archive_.subspan(at + 4, locator - at - 4), path_, "the ZIP64 end record");
  if (const auto size = in.read<std::uint64_t>(); size != locator - at - 12)
    broken("the ZIP64 end record has a wrong size",
           {.expected = fmt::format("{} bytes, up to its locator", locator - at - 12),
            .found = fmt::format("{} bytes", size)});
  in.take(4);  // versions
  const auto disk_here = in.read<std::uint32_t>(), directory_disk = in.read<std::uint32_t>();
  const auto count_here = in.read<std::uint64_t>();
  d.count = in.read<std::uint64_t>();
  d.bytes = in.read<std::uint64_t>();
  d.offset = in.read<std::uint64_t>();
  d.end = at;
  expect_one_disk(disk_here, directory_disk, count_here, d.count);
}

Entry ZipParser::read_entry(ByteCursor& in) const {
  const std::size_t begin = in.position();
  if (const auto signature = in.read<std::uint32_t>(); signature != kDirectoryEntry)
    broken("a directory entry has no signature",
           {.expected = fmt::format("{:#010x} at byte {} of the directory", kDirectoryEntry, begin),
            .found = fmt::format("{:#010x}", signature)});
  Entry e;
  in.take(4);  // versions
  e.flags = in.read<std::uint16_t>();
  e.method = in.read<std::uint16_t>();
  in.take(8);  // time, date, checksum
  e.packed = in.read<std::uint32_t>();
  e.unpacked = in.read<std::uint32_t>();
  const auto name = in.read<std::uint16_t>(), extra = in.read<std::uint16_t>(),
             comment = in.read<std::uint16_t>();
  const auto disk = in.read<std::uint16_t>();
  in.take(6);  // attributes
  e.offset = in.read<std::uint32_t>();
  e.name = in.take_text(name);
  read_sizes64(in.take(extra), e);
  in.take(comment);
  if (disk != 0) several_disks(fmt::format("member {} on disk {}", in_quotes(e.name), disk));
  if ((e.flags & kEncrypted) != 0) {
    throw Error(Code::kUnsupported,
                fmt::format("{}: zip archive: member {} is encrypted", path_, in_quotes(e.name)),
                {.expected = "members that are stored as they are, as torch.save does it",
                 .found = "one that needs a password",
                 .hint = "decrypt it with the program that encrypted it"});
  }
  if (e.method != 0) {
    throw Error(
        Code::kUnsupported,
        fmt::format("{}: zip archive: member {} is compressed", path_, in_quotes(e.name)),
        {.expected = "members that are stored as they are, as torch.save does it",
         .found = fmt::format("compression method {}", e.method),
         .hint =
             "unpack an archive that contains the model; a TorchScript program is no model file"});
  }
  if (e.packed != e.unpacked)
    broken(fmt::format("member {} states two different sizes", in_quotes(e.name)),
           {.expected = "the same size packed and unpacked",
            .found = fmt::format("{} and {} bytes", e.packed, e.unpacked)});
  return e;
}

// The ZIP64 extra field has a 64-bit value for each field that has no room for its own, in this
// order.
void ZipParser::read_sizes64(std::span<const std::byte> extra, Entry& e) const {
  ByteCursor fields(extra, path_, "an extra field of the zip directory");
  bool seen = false;
  // A few bytes of padding that are too short for a field are tolerated, as everywhere.
  while (fields.left() >= 4) {
    const auto id = fields.read<std::uint16_t>(), size = fields.read<std::uint16_t>();
    ByteCursor field(fields.take(size), path_, "the ZIP64 field of the zip directory");
    if (id != kExtra64) continue;
    if (std::exchange(seen, true))
      broken(fmt::format("member {} has two ZIP64 fields", in_quotes(e.name)),
             {.expected = "one", .found = fmt::format("another of {} bytes", size)});
    for (std::uint64_t* value : {&e.unpacked, &e.packed, &e.offset}) {
      if (*value == kElsewhere32) *value = field.read<std::uint64_t>();
    }
  }
  if (!seen && (e.unpacked == kElsewhere32 || e.packed == kElsewhere32 || e.offset == kElsewhere32))
    broken(fmt::format("member {} lacks its ZIP64 field", in_quotes(e.name)),
           {.expected = fmt::format("one, for each number that is {:#x}", kElsewhere32),
            .found = fmt::format("none in {} bytes of extra fields", extra.size())});
}

// From the member's local header to the end of its bytes. The header's own sizes may be 0 and its
// extra field is padding, but its name must agree: other programs may go by this header.
Extent ZipParser::locate(const Entry& e, const Directory& d) const {
  const auto outside = [&] {
    broken(fmt::format("member {} lies outside the archive", in_quotes(e.name)),
           {.expected = fmt::format("that it ends at byte {} or before", d.offset),
            .found = fmt::format("{} bytes from byte {}", e.unpacked, e.offset)});
  };
  const std::uint64_t limit = d.offset;
  if (e.offset > limit || limit - e.offset < kLocalHeaderBytes) outside();
  ByteCursor in(archive_.subspan(e.offset, limit - e.offset), path_, "a member's local header");
  const auto signature = in.read<std::uint32_t>();
  in.take(2);  // version
  const auto flags = in.read<std::uint16_t>(), method = in.read<std::uint16_t>();
  in.take(16);  // time, date, checksum, sizes
  const auto name_bytes = in.read<std::uint16_t>(), extra_bytes = in.read<std::uint16_t>();
  std::string found;
  if (signature != kLocalHeader)
    found = fmt::format("signature {:#010x}", signature);
  else if (const auto local_name = in.take_text(name_bytes); local_name != e.name)
    found = "the header of " + in_quotes(local_name);
  else if (method != e.method || (flags & kEncrypted) != 0)
    found = fmt::format("a header with compression method {} and flags {:#06x}", method, flags);
  if (!found.empty())
    broken(fmt::format("member {} is not where the directory says", in_quotes(e.name)),
           {.expected = fmt::format("its header at byte {}", e.offset), .found = found});
  in.take(extra_bytes);
  if (e.unpacked > in.left()) outside();
  return {e.offset, e.offset + in.position() + e.unpacked, e.name};
}

}  // namespace

std::vector<ZipMember> read_zip(std::span<const std::byte> archive, const std::string& path) {
  return ZipParser(archive, path).members();
}

}  // namespace prwkv
