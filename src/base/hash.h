/// Checksums (XXH3, 64 bit): fast, not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace prwkv {

/// XXH3 of `bytes`; chain calls by passing the previous result as `seed`.
std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed = 0);

}  // namespace prwkv
