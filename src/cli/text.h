/// Numbers, JSON and texts as the commands read and print them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/reader.h"

namespace prwkv::cli {

/// "912 MiB"
std::string bytes(double n);
/// "1.52 G" for 1.52e9; whole numbers below 10,000 as they are.
std::string count(double n);
/// "3:07", "2:15:09"
std::string duration(double seconds);

/// The shortest decimal number that reads back as the same float or double. What JSON has no number
/// for becomes a text: "nan", "inf", "-inf".
void append_number(std::string& json, float x);
void append_number(std::string& json, double x);
template <class T>
void append_list(std::string& json, const T& numbers) {
  json += '[';
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) json += ',';
    append_number(json, numbers[i]);
  }
  json += ']';
}

/// One line on standard output. Bytes that are no UTF-8, as in strange file names, become U+FFFD.
void print_json(const OrderedJson& json);
/// A text in quotes, as JSON has it.
std::string json_text(std::string_view text);

/// The whole of a file, or of standard input for "-". Throws Error{kFile}.
std::string read_text(const std::string& path);

/// "1, 2,3", "1 2 3", "[1,2,3]" or {"ids":[1,2,3]}; `what` names it in messages. Throws
/// Error{kInvalidArgument}.
std::vector<std::int32_t> parse_ids(std::string_view text, std::string_view what);

/// 'text' with control characters, quotes and backslashes escaped, for one line of a table.
std::string one_line(std::string_view text);

/// Throws Error{kFile} if nothing can be written at `path`: better now than after an hour's work.
void expect_writable(const std::string& path);
/// Throws Error{kInvalidArgument} if `out` is one of the files that are being read: the new file would
/// take its place. `done` is what is done to it: "converted".
void expect_other_file(const Reader& in, const std::string& out, std::string_view done);
/// Throws Error{kFile} if the disk that `path` is on has no room for so many bytes.
void expect_room(const std::string& path, std::size_t needed);

}  // namespace prwkv::cli
