/// Models in several files, as Hugging Face stores them: an index that says which tensor is in which
/// file; and folders with a model in them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "formats/reader.h"

namespace prwkv {

/// Opens all files that the index (JSON with a "weight_map") names, which lie beside it. Each tensor
/// must be in the file where the index has it, and all tensors of the files in the index.
/// Throws Error{kFile | kFormat | kUnsupported}.
std::unique_ptr<Reader> open_sharded(const MappedFile& index);

/// Whether a file of this name may hold weights, by its ending (".safetensors", ".pth", ".pt", ".bin",
/// ".gguf").
bool has_weight_extension(std::string_view name);

/// What to open when the user gives a folder: the index or the weight file with Hugging Face's name,
/// safetensors first, else the only weight file in it. Throws Error{kFile | kUnsupported} if there is
/// none, or a choice.
std::string weight_file_in(const std::string& folder);

}  // namespace prwkv
