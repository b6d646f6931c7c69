#include <zlib.h>

#include <algorithm>

#include "formats/byte_builder.h"
#include "formats/pickle.h"
#include "formats/writer.h"
#include "formats/zip_records.h"

namespace prwkv {
namespace {

using namespace zip;

// The folder that all members are in; its name means nothing to PyTorch.
constexpr std::string_view kRoot = "archive/";
constexpr std::uint16_t kVersion64 = 45;  // "needed to extract": one that knows ZIP64

bool is_wide(std::uint64_t n) { return n >= kElsewhere32; }
std::uint32_t narrow32(std::uint64_t n) {
  return is_wide(n) ? kElsewhere32 : static_cast<std::uint32_t>(n);
}
std::uint16_t narrow16(std::uint64_t n) {
  return n >= kElsewhere16 ? kElsewhere16 : static_cast<std::uint16_t>(n);
}

}  // namespace

PthWriter::PthWriter(std::string path, std::vector<TensorSpec> tensors)
    : Writer(std::move(path), std::move(tensors)) {
  expect_types(&stores, "PyTorch");
  // The members that torch.save() writes, in its order.
  put_member("data.pkl", write_state_dict(Writer::tensors()));
  put_member(".format_version", "1");
  put_member(".storage_alignment", std::to_string(kAlignment));
  put_member("byteorder", "little");
}

// Checksums are known only behind the bytes, so they follow each member and stand in the directory.
// The extra field "FB" is padding; the name is PyTorch's.
void PthWriter::begin_member(std::string_view name, std::uint64_t size) {
  members_.push_back({std::string(kRoot).append(name), size, position(),
                      static_cast<std::uint32_t>(::crc32(0, nullptr, 0))});
  const std::string& full_name = members_.back().name;
  ByteBuilder extra;
  if (is_wide(size)) {
    extra.put<std::uint16_t>(kExtra64).put<std::uint16_t>(16);
    extra.put<std::uint64_t>(0).put<std::uint64_t>(0);  // they follow the bytes, 64 bits wide
  }
  constexpr std::size_t kFieldHeader = 4;
  const std::size_t padding = padding_to(
      kAlignment, position() + kLocalHeaderBytes + full_name.size() + extra.size() + kFieldHeader);
  extra.text("FB").put<std::uint16_t>(static_cast<std::uint16_t>(padding)).fill(padding, 'Z');
  put(ByteBuilder()
          .put<std::uint32_t>(kLocalHeader)
          .put<std::uint16_t>(is_wide(size) ? kVersion64 : 0)
          .put<std::uint16_t>(kStreamed)
          .put<std::uint16_t>(0)  // stored
          .put<std::uint32_t>(0)  // no time and date: equal models give equal files
          .put<std::uint32_t>(0)
          .put<std::uint32_t>(is_wide(size) ? kElsewhere32 : 0)
          .put<std::uint32_t>(is_wide(size) ? kElsewhere32 : 0)
          .put<std::uint16_t>(static_cast<std::uint16_t>(full_name.size()))
          .put<std::uint16_t>(static_cast<std::uint16_t>(extra.size()))
          .text(full_name)
          .text(extra.bytes())
          .bytes());
}

void PthWriter::add_bytes(std::span<const std::byte> bytes) {
  std::uint32_t& crc = members_.back().crc;
  crc = static_cast<std::uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  put(bytes);
}

void PthWriter::end_member() {
  const Member& m = members_.back();
  ByteBuilder descriptor;
  descriptor.put<std::uint32_t>(kDescriptor).put<std::uint32_t>(m.crc);
  if (is_wide(m.size))
    descriptor.put<std::uint64_t>(m.size).put<std::uint64_t>(m.size);
  else
    descriptor.put<std::uint32_t>(narrow32(m.size)).put<std::uint32_t>(narrow32(m.size));
  put(descriptor.bytes());
}

void PthWriter::put_member(std::string_view name, std::string_view content) {
  begin_member(name, content.size());
  add_bytes(std::as_bytes(std::span(content)));
  end_member();
}

void PthWriter::begin_tensor(const TensorSpec& t) {
  begin_member("data/" + std::to_string(storages_++), t.byte_count());
}

void PthWriter::end_tensor(const TensorSpec&) { end_member(); }

void PthWriter::end_file() {
  put_member("version", "3\n");
  ByteBuilder out;
  const std::uint64_t begin = position();
  for (const Member& m : members_) {
    ByteBuilder extra;
    if (is_wide(m.size)) extra.put<std::uint64_t>(m.size).put<std::uint64_t>(m.size);
    if (is_wide(m.offset)) extra.put<std::uint64_t>(m.offset);
    const bool wide = extra.size() > 0;
    out.put<std::uint32_t>(kDirectoryEntry)
        .put<std::uint16_t>(0)  // made by
        .put<std::uint16_t>(wide ? kVersion64 : 0)
        .put<std::uint16_t>(kStreamed)
        .put<std::uint16_t>(0)
        .put<std::uint32_t>(0)
        .put<std::uint32_t>(m.crc)
        .put<std::uint32_t>(narrow32(m.size))
        .put<std::uint32_t>(narrow32(m.size))
        .put<std::uint16_t>(static_cast<std::uint16_t>(m.name.size()))
        .put<std::uint16_t>(static_cast<std::uint16_t>(wide ? 4 + extra.size() : 0))
        .put<std::uint16_t>(0)  // no comment
        .put<std::uint16_t>(0)  // disk
        .put<std::uint16_t>(0)  // attributes
        .put<std::uint32_t>(0)
        .put<std::uint32_t>(narrow32(m.offset))
        .text(m.name);
    if (wide) {
      out.put<std::uint16_t>(kExtra64)
          .put<std::uint16_t>(static_cast<std::uint16_t>(extra.size()))
          .text(extra.bytes());
    }
  }
  const std::uint64_t bytes = out.size(), end = begin + bytes, count = members_.size();
  if (is_wide(begin) || is_wide(bytes) || count >= kElsewhere16) {
    out.put<std::uint32_t>(kEndRecord64)
        .put<std::uint64_t>(kEndRecord64Bytes - 12)  // what follows
        .put<std::uint16_t>(kVersion64)
        .put<std::uint16_t>(kVersion64)
        .put<std::uint32_t>(0)
        .put<std::uint32_t>(0)
        .put<std::uint64_t>(count)
        .put<std::uint64_t>(count)
        .put<std::uint64_t>(bytes)
        .put<std::uint64_t>(begin);
    out.put<std::uint32_t>(kLocator64)
        .put<std::uint32_t>(0)
        .put<std::uint64_t>(end)
        .put<std::uint32_t>(1);
  }
  out.put<std::uint32_t>(kEndRecord)
      .put<std::uint16_t>(0)
      .put<std::uint16_t>(0)
      .put<std::uint16_t>(narrow16(count))
      .put<std::uint16_t>(narrow16(count))
      .put<std::uint32_t>(narrow32(bytes))
      .put<std::uint32_t>(narrow32(begin))
      .put<std::uint16_t>(0);
  put(out.bytes());
}

}  // namespace prwkv
