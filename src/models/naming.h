/// How programs rename and reshape BlinkDL's tensors. One table a naming; no code with ifs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint.h"

namespace prwkv {

/// A rule for tensors whose name ends in `suffix`; the first rule that fits wins, no rule means "as
/// it is".
struct NamingRule {
  std::string_view suffix;
  /// Only in files that also hold a tensor ending in this, or (with a leading '!') that hold none;
  /// empty: always.
  std::string_view only_with;
  bool transposed = false;
  Transform transform = Transform::kNone;
  /// The tensor is a stack along its first dimension; these replace the suffix, one a slice.
  std::vector<std::string_view> slices{};
};

struct Naming {
  std::string_view name;
  std::string_view format;  ///< of files that use it; empty: any
  std::vector<NamingRule> rules;
};

/// The naming of a file; BlinkDL's own if nothing else fits.
const Naming& naming_of(const Reader& reader);

}  // namespace prwkv
