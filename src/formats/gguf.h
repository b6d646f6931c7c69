/// GGUF, versions 2 and 3, little-endian.
#pragma once

#include <memory>

#include "formats/reader.h"

namespace prwkv {

/// Sizes come out slowest first, as everywhere here; the file has them the other way round. All keys
/// are in values(), those with one number or text in metadata() as well. Names and values stay as they
/// are. Throws Error{kFormat | kUnsupported}.
std::unique_ptr<Reader> open_gguf(MappedFile file);

}  // namespace prwkv
