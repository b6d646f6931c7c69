/// The safetensors format: an 8-byte length, a JSON header, and the tensors without gaps.
#pragma once

#include <memory>

#include "formats/reader.h"

namespace prwkv {

/// Throws Error{kFormat | kUnsupported}.
std::unique_ptr<Reader> open_safetensors(MappedFile file);

}  // namespace prwkv
