#include "tokenizer/embedded.h"

#include <zstd.h>

#include <cstddef>

#include "base/error.h"

extern "C" {
// Defined in vocabularies.S.
extern const char prwkv_world_zst[], prwkv_world_zst_end[];
extern const char prwkv_neox_zst[], prwkv_neox_zst_end[];
}

namespace prwkv {
namespace {

std::string decompress(const char* begin, const char* end, const char* name) {
  constexpr unsigned long long kMost = 16 << 20;
  const auto size = static_cast<std::size_t>(end - begin);
  const unsigned long long full_size = ZSTD_getFrameContentSize(begin, size);
  if (full_size > kMost) fail(Code::kInternal, "the embedded {} is damaged", name);
  std::string text(full_size, '\0');
  if (ZSTD_decompress(text.data(), text.size(), begin, size) != full_size) {
    fail(Code::kInternal, "the embedded {} is damaged", name);
  }
  return text;
}

}  // namespace

std::string embedded_world_vocab() {
  return decompress(prwkv_world_zst, prwkv_world_zst_end, "World vocabulary");
}

std::string embedded_neox_json() {
  return decompress(prwkv_neox_zst, prwkv_neox_zst_end, "GPT-NeoX vocabulary");
}

}  // namespace prwkv
