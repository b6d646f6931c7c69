/// The only place that includes the JSON library; parsing here is bounded, so hostile files cost
/// little.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace prwkv {

using Json = nlohmann::json;
/// Keeps keys in the order they were written: for output that people read.
using OrderedJson = nlohmann::ordered_json;

/// Parses `text`; throws Error{kFormat} naming `where` for a syntax error, a duplicate key or
/// nesting beyond `max_depth`.
inline Json parse_json(std::string_view text, std::string_view where, int max_depth = 32) {
  std::vector<std::vector<std::string>> keys;  // of the objects that are open, to find duplicates
  auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= max_depth)
      fail(Code::kFormat, "{}: JSON is nested deeper than {} levels", where, max_depth);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::key) keys.back().push_back(parsed.get<std::string>());
    if (event == Json::parse_event_t::object_end) {
      auto& names = keys.back();
      std::sort(names.begin(), names.end());
      if (const auto twin = std::adjacent_find(names.begin(), names.end()); twin != names.end()) {
        std::string key = Json(*twin).dump(-1, ' ', true);  // control characters escaped
        key.front() = key.back() = '\'';
        fail(Code::kFormat, "{}: JSON key {} appears twice", where, key);
      }
      keys.pop_back();
    }
    return true;
  };
  // The library takes a NUL for the end of the text and would let anything follow it.
  if (text.find('\0') != std::string_view::npos)
    throw Error(Code::kFormat, std::string(where) + ": not valid JSON", {.found = "a NUL byte"});
  try {
    return Json::parse(text, check);
  } catch (const Json::exception& e) {
    // "[json.exception.parse_error.101] REASON; last read: '…'": the end is the file's own bytes.
    std::string reason = e.what();
    reason.erase(0, reason.find("] ") + 2);
    reason.resize(std::min(reason.size(), reason.find("; last read")));
    throw Error(Code::kFormat, std::string(where) + ": not valid JSON", {.found = reason});
  }
}

}  // namespace prwkv
