/// Fuzz target: the first byte says what the others are.
///   'f'   a whole file
///   'v'   a number of metadata entries and the entries, which get a header in front and a tensor behind
///   't'   a number of tensor records and the records, which get a header in front and data behind
///   'g'   choices: a file whose parts fit each other, but for the places where a choice says otherwise
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/gguf.h"
#include "fuzz_reader.h"

namespace prwkv::testing {
namespace {

/// Bytes taken one by one from the fuzzer's; zeros after their end.
class Choices {
 public:
  explicit Choices(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  /// Rarely anything, mostly `usual`.
  std::uint64_t mostly(std::uint64_t usual) {
    constexpr std::uint64_t kOften = 250;
    if (next() < kOften) return usual;
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | next();
    return value;
  }
  Bytes bytes(std::size_t count) {
    Bytes out(count);
    for (std::byte& b : out) b = static_cast<std::byte>(next());
    return out;
  }

 private:
  std::uint64_t next() {
    if (bytes_.empty()) return 0;
    const auto first = std::to_integer<std::uint64_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return first;
  }
  std::span<const std::byte> bytes_;
};

Bytes value_of_type(Choices& choose, std::uint32_t type, int depth) {
  constexpr std::size_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8, 3};
  constexpr std::uint64_t kText = 8, kArray = 9, kTypes = std::size(kSizes), kMostItems = 5;
  ByteWriter out;
  if (type == kText) {
    const Bytes text = choose.bytes(choose.below(12));
    return out.u64(choose.mostly(text.size())).raw(text).bytes;
  }
  if (type != kArray) return choose.bytes(kSizes[std::min<std::uint64_t>(type, kTypes - 1)]);
  const auto item = static_cast<std::uint32_t>(choose.below(kTypes));
  const std::uint64_t count = choose.below(kMostItems);
  out.u32(item).u64(choose.mostly(count));
  for (std::uint64_t i = 0; i < count && depth < 6; ++i)
    out.raw(value_of_type(choose, item, depth + 1));
  return out.bytes;
}

Bytes generated(Choices choose) {
  GgufFile file;
  file.version = static_cast<std::uint32_t>(choose.mostly(3));
  for (std::uint64_t i = choose.below(6); i > 0; --i) {
    const auto type = static_cast<std::uint32_t>(choose.mostly(choose.below(13)));
    file.values.push_back({std::to_string(choose.mostly(i)), type, value_of_type(choose, type, 0)});
  }
  if (choose.below(4) == 0) {
    file.alignment = std::size_t{1} << choose.below(9);
    file.values.push_back(
        gguf_u32("general.alignment", static_cast<std::uint32_t>(choose.mostly(file.alignment))));
  }
  const auto aligned = [&](std::uint64_t n) {
    return (n + file.alignment - 1) / file.alignment * file.alignment;
  };
  std::uint64_t end = 0;
  for (std::uint64_t i = choose.below(6); i > 0; --i) {
    struct Type {
      std::uint32_t number;
      DType dtype;
    };
    constexpr Type kTypes[] = {{0, DType::kF32},   {1, DType::kF16},     {8, DType::kQ8_0},
                               {12, DType::kQ4_K}, {20, DType::kIQ4_NL}, {30, DType::kBF16}};
    const Type& type = kTypes[choose.below(std::size(kTypes))];
    GgufTensor t{.name = std::to_string(choose.mostly(i)), .dims = {}};
    t.type = static_cast<std::uint32_t>(choose.mostly(type.number));
    std::int64_t numel = info(type.dtype).block_size;
    t.dims.push_back(choose.mostly(static_cast<std::uint64_t>(numel)));
    for (std::uint64_t rank = choose.below(4); rank > 0; --rank) {
      const std::uint64_t size = choose.below(4);
      t.dims.push_back(choose.mostly(size));
      numel *= static_cast<std::int64_t>(size);
    }
    t.rank = static_cast<std::uint32_t>(choose.mostly(t.dims.size()));
    t.offset = choose.mostly(aligned(end));
    end = aligned(end) + row_bytes(type.dtype, numel);
    file.tensors.push_back(t);
  }
  file.tensor_count = choose.mostly(file.tensors.size());
  file.value_count = choose.mostly(file.values.size());
  file.data = counting_bytes(end + (choose.below(16) == 0 ? choose.below(256) : 0));
  return build_gguf(file);
}

Bytes framed(char mode, std::span<const std::byte> rest) {
  const auto count = std::to_integer<std::uint64_t>(rest[0]);
  const bool values = mode == 'v';
  ByteWriter out;
  out.text("GGUF").u32(3).u64(values ? 1 : count).u64(values ? count : 0).raw(rest.subspan(1));
  if (values) out.raw(gguf_string("w")).u32(1).u64(8).u32(0).u64(0);
  out.bytes.resize((out.bytes.size() + 31) / 32 * 32);
  return out.raw(counting_bytes(values ? 32 : 256)).bytes;
}

}  // namespace
}  // namespace prwkv::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prwkv;
  using namespace prwkv::testing;
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(data + 1, size - 1));
  switch (const auto mode = static_cast<char>(data[0])) {
    case 'f': check_open(&open_weights, Bytes(rest.begin(), rest.end())); break;
    case 'v':
    case 't':
      if (!rest.empty()) check_open(&open_gguf, framed(mode, rest));
      break;
    case 'g': check_open(&open_gguf, generated(Choices(rest))); break;
    default: break;
  }
  return 0;
}
