/// Fuzz target: a whole rwkv.cpp file.
#include <cstddef>
#include <cstdint>

#include "formats/rwkvcpp_bin.h"
#include "fuzz_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prwkv;
  using namespace prwkv::testing;
  const auto bytes = std::as_bytes(std::span(data, size));
  check_open(&open_rwkvcpp_bin, Bytes(bytes.begin(), bytes.end()));
  return 0;
}
