/// Files that are well-formed but hold something else than a model that can be run: told by their
/// tensors and metadata, and refused by name.
#pragma once

#include "models/checkpoint.h"

namespace prwkv {

/// Throws Error{kUnsupported} that says what the file is and what can be done, if it is something that
/// is known here. `detect` of a generation refuses variants of its own.
void refuse_known(const Checkpoint& file);

/// Throws Error{kUnsupported} for a file that holds no generation.
[[noreturn]] void refuse_unknown(const Checkpoint& file);

}  // namespace prwkv
