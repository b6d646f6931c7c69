/// rwkv.cpp's own format, file versions 100 and 101, quantized types included.
#pragma once

#include <memory>

#include "formats/reader.h"

namespace prwkv {

/// Sizes come out slowest first, as everywhere here; the file has them the other way round. Names
/// and values stay as they are: what rwkv.cpp's converter transposed or transformed is undone where
/// the model is loaded. metadata() has the header: version, n_vocab, n_embed, n_layer, data_type.
/// Throws Error{kFormat | kUnsupported}.
std::unique_ptr<Reader> open_rwkvcpp_bin(MappedFile file);

}  // namespace prwkv
