/// Pieces of a vocabulary file as error messages show them.
#pragma once

#include <string>
#include <string_view>

namespace prwkv {

/// `bytes` between quotes, cut after some 60 characters; whatever is not printable ASCII becomes
/// \xHH, so that a hostile file cannot send control characters to a terminal.
std::string in_quotes(std::string_view bytes);

}  // namespace prwkv
