/// Fuzz target: the first byte says what the others are.
///   'f'   a whole file
///   'h'   a header, which gets its length in front and 64 bytes of tensors behind
#include <cstddef>
#include <cstdint>

#include "formats/safetensors.h"
#include "fuzz_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prwkv;
  using namespace prwkv::testing;
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(data + 1, size - 1));
  if (data[0] == 'f') check_open(&open_weights, Bytes(rest.begin(), rest.end()));
  if (data[0] == 'h') {
    const std::string_view header(reinterpret_cast<const char*>(rest.data()), rest.size());
    check_open(&open_safetensors, build_safetensors(header, counting_bytes(64)));
  }
  return 0;
}
