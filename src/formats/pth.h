/// PyTorch checkpoints as torch.save writes them since version 1.6: a zip archive with a pickle.
#pragma once

#include <memory>

#include "formats/reader.h"

namespace prwkv {

/// Reads a state dict, bare or inside {'state_dict': …} or {'model': …}. No code in the file is
/// run. Entries that are no tensors are left out. Tensors that are not contiguous are copied into
/// row-major order; the others, shared storages included, are views of the file.
/// Throws Error{kFormat | kUnsupported}.
std::unique_ptr<Reader> open_pth(MappedFile file);

}  // namespace prwkv
