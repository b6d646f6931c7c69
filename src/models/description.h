/// The small JSON files that describe a model beside its weights: config.json and the like.
#pragma once

#include <cstddef>
#include <filesystem>

#include "base/json.h"

namespace prwkv {

/// What to do about one that is broken. Not to read on: what it says may matter, an eps for example.
inline constexpr const char* kMayBeRemoved =
    "fetch it again, or remove it: a model runs without it, with what is usual for its generation";

/// The JSON of such a file; null if there is none. Throws Error{kFile | kFormat} with a hint.
Json description(const std::filesystem::path& path, std::size_t most_bytes = std::size_t{1} << 20);

}  // namespace prwkv
