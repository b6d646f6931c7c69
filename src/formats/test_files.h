/// Builders of small weight files, well-formed unless told otherwise; for tests and fuzz targets
/// only.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/test_folder.h"
#include "formats/reader.h"

namespace prwkv::testing {

using Bytes = std::vector<std::byte>;

inline Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// 00 01 02 …, so that every element of a tensor is different.
inline Bytes counting_bytes(std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

/// Appends little-endian values.
struct ByteWriter {
  Bytes bytes;

  template <std::integral T>
  ByteWriter& put(std::type_identity_t<T> value) {
    return raw(std::as_bytes(std::span(&value, 1)));
  }
  ByteWriter& u16(std::uint64_t value) { return put<std::uint16_t>(value & 0xffff); }
  ByteWriter& u32(std::uint64_t value) { return put<std::uint32_t>(value & 0xffffffff); }
  ByteWriter& u64(std::uint64_t value) { return put<std::uint64_t>(value); }
  ByteWriter& i32(std::int32_t value) { return put<std::int32_t>(value); }
  ByteWriter& text(std::string_view text) { return raw(std::as_bytes(std::span(text))); }
  // Not inserted at the end: the compiler, inlining that, warns of copies that cannot happen.
  ByteWriter& raw(std::span<const std::byte> part) {
    const std::size_t end = bytes.size();
    bytes.resize(end + part.size());
    std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(end));
    return *this;
  }
};

/// `header` is the JSON text, as it is.
inline Bytes build_safetensors(std::string_view header, std::span<const std::byte> data) {
  return ByteWriter{}.u64(header.size()).text(header).raw(data).bytes;
}

struct RwkvCppTensor {
  std::string name;
  std::vector<std::int32_t> dims;  ///< fastest first
  std::int32_t type = 0;
  Bytes data{};
};

struct RwkvCppHeader {
  std::int32_t version = 101, n_vocab = 4, n_embed = 3, n_layer = 1, type = 0;
};

inline Bytes build_rwkvcpp(const RwkvCppHeader& h, const std::vector<RwkvCppTensor>& tensors) {
  ByteWriter out;
  out.text("fmgg").i32(h.version).i32(h.n_vocab).i32(h.n_embed).i32(h.n_layer).i32(h.type);
  for (const RwkvCppTensor& t : tensors) {
    out.i32(static_cast<std::int32_t>(t.dims.size()));
    out.i32(static_cast<std::int32_t>(t.name.size())).i32(t.type);
    for (const std::int32_t dim : t.dims) out.i32(dim);
    out.text(t.name).raw(t.data);
  }
  return out.bytes;
}

/// `bytes` is the value as it lies in the file, behind its type.
struct GgufPair {
  std::string key;
  std::uint32_t type;
  Bytes bytes;
};
inline Bytes gguf_string(std::string_view text) {
  return ByteWriter{}.u64(text.size()).text(text).bytes;
}
inline GgufPair gguf_text(std::string key, std::string_view text) {
  return {std::move(key), 8, gguf_string(text)};
}
inline GgufPair gguf_u32(std::string key, std::uint32_t value) {
  return {std::move(key), 4, ByteWriter{}.u32(value).bytes};
}
inline GgufPair gguf_array(std::string key, std::uint32_t item_type, std::uint64_t count,
                           const Bytes& items) {
  return {std::move(key), 9, ByteWriter{}.u32(item_type).u64(count).raw(items).bytes};
}

struct GgufTensor {
  std::string name = "w";
  std::vector<std::uint64_t> dims{8};  ///< fastest first
  std::uint32_t type = 0, rank = static_cast<std::uint32_t>(dims.size());
  std::uint64_t offset = 0;
};

/// The counts are those of the lists unless they are given.
struct GgufFile {
  std::uint32_t version = 3;
  std::vector<GgufPair> values{};
  std::vector<GgufTensor> tensors{};
  Bytes data{};  ///< begins at the next multiple of the alignment
  std::size_t alignment = 32;
  std::uint64_t tensor_count = tensors.size(), value_count = values.size();
};

inline Bytes build_gguf(const GgufFile& f) {
  ByteWriter out;
  out.text("GGUF").u32(f.version).u64(f.tensor_count).u64(f.value_count);
  for (const GgufPair& v : f.values) out.raw(gguf_string(v.key)).u32(v.type).raw(v.bytes);
  for (const GgufTensor& t : f.tensors) {
    out.raw(gguf_string(t.name)).u32(t.rank);
    for (const std::uint64_t dim : t.dims) out.u64(dim);
    out.u32(t.type).u64(t.offset);
  }
  out.bytes.resize((out.bytes.size() + f.alignment - 1) / f.alignment * f.alignment);
  return out.raw(f.data).bytes;
}

inline std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0u;
  for (const std::byte b : bytes) {
    crc ^= std::to_integer<std::uint32_t>(b);
    for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
  }
  return ~crc;
}

/// Signatures of zip records: local header, data descriptor, directory entry, end, and the two of
/// ZIP64.
constexpr std::uint32_t kLocal = 0x04034b50, kDescriptor = 0x08074b50, kEntry = 0x02014b50,
                        kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator = 0x07064b50;

/// Where record number `n` of a kind begins.
inline std::size_t position_of(const Bytes& file, std::uint32_t signature, int n = 0) {
  for (std::size_t at = 0; at + 4 <= file.size(); ++at) {
    std::uint32_t found = 0;
    std::memcpy(&found, file.data() + at, 4);
    if (found == signature && n-- == 0) return at;
  }
  throw std::logic_error("no such record");
}

template <class Int>
void overwrite(Bytes& file, std::size_t at, Int value) {
  std::memcpy(file.data() + at, &value, sizeof value);
}

struct ZipEntry {
  std::string name;
  Bytes data;
};

/// kZip64 puts every size, offset and count into the 64-bit records, as in files beyond 4 GiB.
enum class ZipKind { kPlain, kZip64 };

/// Laid out as PyTorch does it: data descriptors, local headers without sizes, data at multiples of
/// 64 bytes.
inline Bytes build_zip(const std::vector<ZipEntry>& entries, ZipKind kind = ZipKind::kPlain,
                       std::string_view comment = "") {
  constexpr std::uint32_t kElsewhere = 0xffffffff;
  const bool wide = kind == ZipKind::kZip64;
  ByteWriter out, directory;
  for (const ZipEntry& e : entries) {
    const std::uint64_t offset = out.bytes.size(), size = e.data.size();
    const std::uint32_t crc = crc32(e.data);
    const std::size_t used = offset + 30 + e.name.size() + 4;
    const std::size_t padding = (64 - used % 64) % 64;
    out.u32(kLocal).u16(0).u16(0x0808).u16(0).u32(0).u32(0).u32(0).u32(0);
    out.u16(e.name.size()).u16(4 + padding).text(e.name);
    out.text("FB").u16(padding).text(std::string(padding, 'Z')).raw(e.data);
    out.u32(kDescriptor).u32(crc).u32(size).u32(size);
    directory.u32(kEntry).u16(0).u16(0).u16(0x0808).u16(0).u32(0).u32(crc);
    directory.u32(wide ? kElsewhere : size).u32(wide ? kElsewhere : size);
    directory.u16(e.name.size()).u16(wide ? 28 : 0).u16(0).u16(0).u16(0).u32(0);
    directory.u32(wide ? kElsewhere : offset).text(e.name);
    if (wide) directory.u16(1).u16(24).u64(size).u64(size).u64(offset);
  }
  const std::uint64_t begin = out.bytes.size(), length = directory.bytes.size();
  out.raw(directory.bytes);
  if (wide) {
    const std::uint64_t record = out.bytes.size();
    out.u32(kEnd64).u64(44).u16(45).u16(45).u32(0).u32(0);
    out.u64(entries.size()).u64(entries.size()).u64(length).u64(begin);
    out.u32(kLocator).u32(0).u64(record).u32(1);
  }
  out.u32(kEnd).u16(0).u16(0);
  out.u16(wide ? 0xffff : entries.size()).u16(wide ? 0xffff : entries.size());
  out.u32(wide ? kElsewhere : length).u32(wide ? kElsewhere : begin);
  return out.u16(comment.size()).text(comment).bytes;
}

/// Writes pickles opcode by opcode; the argument of a method follows its opcode in the stream.
class PickleWriter {
 public:
  /// Begins with PROTO 2; pass "" to begin with nothing.
  explicit PickleWriter(std::string_view first = "\x80\x02") { op(first); }

  /// Opcodes without arguments, or anything at all.
  PickleWriter& op(std::string_view raw) {
    out_.text(raw);
    return *this;
  }
  PickleWriter& text(std::string_view text) {
    out_.text("X").u32(text.size()).text(text);
    return *this;
  }
  /// The shortest opcode that has room for the value.
  PickleWriter& integer(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (bits < 0x100)
      out_.text("K").put<std::uint8_t>(static_cast<std::uint8_t>(bits));
    else if (bits < 0x10000)
      out_.text("M").u16(bits);
    else if (value == static_cast<std::int32_t>(value))
      out_.text("J").i32(static_cast<std::int32_t>(value));
    else
      out_.text("\x8a\x08").u64(bits);
    return *this;
  }
  PickleWriter& integers(const std::vector<std::int64_t>& values) {
    op("(");
    for (const std::int64_t v : values) integer(v);
    return op("t");
  }
  PickleWriter& global(std::string_view module, std::string_view name) {
    out_.text("c").text(module).text("\n").text(name).text("\n");
    return *this;
  }
  PickleWriter& ordered_dict() { return global("collections", "OrderedDict").op(")R"); }
  PickleWriter& storage(std::string_view type, std::string_view key, std::int64_t numel) {
    op("(").text("storage").global("torch", type).text(key).text("cpu").integer(numel);
    return op("tQ");
  }

  struct Tensor {
    std::string_view type = "FloatStorage", key = "0";
    std::int64_t storage_numel = 6, offset = 0;
    std::vector<std::int64_t> sizes{2, 3}, strides{3, 1};
  };
  PickleWriter& tensor(const Tensor& t) {
    global("torch._utils", "_rebuild_tensor_v2").op("(").storage(t.type, t.key, t.storage_numel);
    integer(t.offset).integers(t.sizes).integers(t.strides);
    return op("\x89").ordered_dict().op("tR");
  }

  /// Ends with STOP.
  Bytes finish() {
    op(".");
    return out_.bytes;
  }
  /// A dict on the stack, filled by `items` (keys and values), is the whole pickle.
  template <class Items>
  static Bytes state_dict(const Items& items) {
    PickleWriter p;
    p.ordered_dict().op("(");
    items(p);
    return p.op("u").finish();
  }

 private:
  ByteWriter out_;
};

struct NamedStorage {
  std::string key;
  Bytes data;
};

inline Bytes build_pth(const Bytes& pickle, const std::vector<NamedStorage>& storages,
                       ZipKind kind = ZipKind::kPlain) {
  std::vector<ZipEntry> entries{{"m/data.pkl", pickle}, {"m/byteorder", to_bytes("little")}};
  for (const NamedStorage& s : storages) entries.push_back({"m/data/" + s.key, s.data});
  entries.push_back({"m/version", to_bytes("3\n")});
  return build_zip(entries, kind);
}

constexpr std::string_view kTwoTensors =
    R"({"__metadata__":{"made_by":"a test"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]}})";

inline Bytes safetensors(std::string_view header, std::size_t data_bytes) {
  return build_safetensors(header, counting_bytes(data_bytes));
}
inline Bytes valid_safetensors() { return safetensors(kTwoTensors, 28); }

inline Bytes valid_rwkvcpp() {
  return build_rwkvcpp(
      {}, {{"emb.weight", {3, 2}, 0, counting_bytes(24)}, {"ln.bias", {2}, 1, counting_bytes(4)}});
}

inline Bytes valid_gguf() {
  const Bytes tokens = ByteWriter{}.raw(gguf_string("<s>")).raw(gguf_string("\\n")).bytes;
  return build_gguf({.values = {gguf_text("general.architecture", "rwkv7"),
                                gguf_u32("rwkv7.block_count", 12),
                                gguf_array("tokenizer.ggml.tokens", 8, 2, tokens),
                                {"flag", 7, counting_bytes(1)}},
                     .tensors = {{.name = "a", .dims = {3, 2}},
                                 {.name = "b", .dims = {32}, .type = 8, .offset = 32}},
                     .data = counting_bytes(32 + 34)});
}

/// A state dict of two tensors for two_storages().
inline Bytes valid_pickle() {
  return PickleWriter::state_dict([](PickleWriter& p) {
    p.text("a").tensor({});
    p.text("b").tensor(
        {.type = "BFloat16Storage", .key = "1", .storage_numel = 2, .sizes = {2}, .strides = {1}});
  });
}
inline std::vector<NamedStorage> two_storages() {
  return {{"0", counting_bytes(24)}, {"1", counting_bytes(4)}};
}
inline Bytes pth(const Bytes& pickle) { return build_pth(pickle, two_storages()); }
/// A pickle of these opcodes and STOP.
inline Bytes pth_ops(std::string_view opcodes) { return pth(PickleWriter().op(opcodes).finish()); }
inline Bytes valid_pth() { return pth(valid_pickle()); }
inline Bytes valid_zip64_pth() {
  return build_pth(valid_pickle(), two_storages(), ZipKind::kZip64);
}
/// A state dict of one tensor.
inline Bytes pth_with(const PickleWriter::Tensor& tensor) {
  return pth(PickleWriter::state_dict([&](PickleWriter& p) { p.text("a").tensor(tensor); }));
}

inline std::unique_ptr<Reader> open_bytes(Bytes bytes) {
  return open_weights(MappedFile::from_bytes("bad", std::move(bytes)));
}

/// What a reader promises about every file that it lets through; "" if it keeps its word. Touches
/// the ends of each tensor, so that the sanitizers see whether its bytes exist.
inline std::string broken_promise(const Reader& reader) {
  for (const StoredTensor& t : reader.tensors()) {
    if (reader.find(t.name) != &t) return t.name + " is not found by its name";
    if (t.shape.size() > kMaxStoredRank) return t.name + " has too many dimensions";
    if (t.bytes.size() != t.byte_count()) return t.name + " has a wrong byte count";
    if (t.bytes.empty()) continue;
    for (const MappedFile* file : reader.files()) {
      const std::byte *begin = file->bytes().data(), *end = begin + file->bytes().size();
      const std::byte *first = t.bytes.data(), *last = first + t.bytes.size();
      if (first >= begin && first < end && last > end) return t.name + " reaches beyond the file";
    }
    [[maybe_unused]] const volatile std::byte front = t.bytes.front(), back = t.bytes.back();
  }
  for (const NamedValue& v : reader.values()) {
    if (reader.value(v.key) != &v.value) return std::string(v.key) + " is not found by its key";
    std::uint64_t items = 0;
    v.value.for_each_item([&](const FileValue& item) {
      items += item.type() == v.value.item_type() ? 1 : 0;
      [[maybe_unused]] const std::string text = item.str();
    });
    if (items != v.value.count()) return std::string(v.key) + " has a wrong number of items";
    const auto texts = v.value.texts();
    const auto integers = v.value.integers();
    const auto numbers = v.value.numbers();
    if ((texts && texts->size() != items) || (integers && integers->size() != items) ||
        (numbers && numbers->size() != items))
      return std::string(v.key) + " has other items than it says";
    if (v.value.text() && v.value.number()) return std::string(v.key) + " is text and number";
  }
  return "";
}

inline std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace prwkv::testing
