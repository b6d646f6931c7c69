/// GGUF, versions 2 and 3, little-endian.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "formats/reader.h"

namespace prwkv {

/// Sizes come out slowest first, as everywhere here; the file has them the other way round. All keys
/// are in values(), those with one number or text in metadata() as well. Names and values stay as they
/// are. Throws Error{kFormat | kUnsupported}.
std::unique_ptr<Reader> open_gguf(MappedFile file);

/// ggml's number for a type; empty if it has none.
std::optional<std::uint32_t> gguf_number(DType dtype);

}  // namespace prwkv
