/// The model that comes with prwkv: models/default of the repository.
#pragma once

#include <string>

namespace prwkv {

/// Its file: $PRWKV_DEFAULT_MODEL, or share/prwkv/default beside the bin or lib folder that this code was installed into, or
/// that of the source tree. Throws Error{kFile} if it is nowhere.
std::string default_model_path();

}  // namespace prwkv
