/// Fuzz target: the first byte says what the others are.
///   'f'   a state file as it is
///   'c'   a safetensors file whose checksum is put right first, so that what lies behind it is reached
/// A file may be refused only by prwkv::Error; what is accepted must be consistent.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "formats/test_files.h"
#include "runtime/state.h"

namespace {

using namespace prwkv;
using prwkv::testing::Bytes;

void require(bool condition) {
  if (!condition) std::abort();
}

/// The same tensors and facts with the checksum they should have; empty if it is no safetensors file.
Bytes with_right_checksum(Bytes bytes) {
  try {
    const auto file = open_weights(MappedFile::from_bytes("fuzz", std::move(bytes)));
    auto metadata = file->metadata();
    metadata["checksum"] = state_checksum(*file);
    OrderedJson header{{"__metadata__", metadata}};
    Bytes data;
    for (const StoredTensor& t : file->tensors()) {
      header[t.name] = {{"dtype", info(t.dtype).label},
                        {"shape", t.shape},
                        {"data_offsets", {data.size(), data.size() + t.bytes.size()}}};
      data.insert(data.end(), t.bytes.begin(), t.bytes.end());
    }
    return testing::build_safetensors(
        header.dump(-1, ' ', false, OrderedJson::error_handler_t::replace), data);
  } catch (const Error&) {
    return {};
  }
}

void check(Bytes bytes) {
  StateFile file;
  try {
    file = read_state_file(MappedFile::from_bytes("fuzz", std::move(bytes)));
  } catch (const Error& e) {
    require(std::string_view(e.what()).starts_with("fuzz: "));
    return;
  }
  const State& s = file.state;
  require(!s.tensors.empty() && s.header.L > 0 && s.header.C > 0);
  require(s.dtype == DType::kF32 || s.dtype == DType::kF64);
  for (const StateTensor& t : s.tensors) {
    std::int64_t n = 1;
    for (const std::int64_t size : t.shape) n *= size;
    require(t.bytes.size() == row_bytes(s.dtype, n));
  }
  for (const StateDifference& d : compare(s, s)) require(!(d.max_abs > 0));
  try {
    require(average({s, s}).bytes() == s.bytes());
  } catch (const Error& e) {
    require(e.code() == Code::kMismatch);  // aa, bb and pp of different sizes
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(data + 1, size - 1));
  if (data[0] == 'f') check({rest.begin(), rest.end()});
  if (data[0] == 'c') check(with_right_checksum({rest.begin(), rest.end()}));
  return 0;
}
