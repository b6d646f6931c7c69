/// Pieces of hostile files as error messages may show them.
#pragma once

#include <string>
#include <string_view>

namespace prwkv {

/// 'text': at most 80 characters of it, whatever is not printable ASCII as \xHH, so that no file can
/// send control characters to a terminal.
std::string in_quotes(std::string_view text);
/// "text": the same for JSON and for texts that hold single quotes themselves.
std::string in_double_quotes(std::string_view text);
/// One byte of UTF-8 as XML has it: markup as entities, control characters as spaces.
void append_xml(std::string& xml, char c);

}  // namespace prwkv
