#include "base/error.h"

namespace prwkv {

std::string_view name_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "invalid_argument";
    case Code::kFile: return "file";
    case Code::kFormat: return "format";
    case Code::kUnsupported: return "unsupported";
    case Code::kMismatch: return "mismatch";
    case Code::kOutOfMemory: return "out_of_memory";
    case Code::kCancelled: return "cancelled";
    case Code::kInternal: return "internal";
  }
  return "internal";
}

Error::Error(Code code, std::string what, const Detail& detail)
    : code_(code), message_(std::move(what)), has_hint_(!detail.hint.empty()) {
  if (!detail.expected.empty()) message_ += "\n  expected  " + detail.expected;
  if (!detail.found.empty()) message_ += "\n  found     " + detail.found;
  if (has_hint_) message_ += "\n  hint      " + detail.hint;
}

Error Error::or_hint(std::string_view hint) const {
  return has_hint_ ? *this : Error(code_, message_, {.hint = std::string(hint)});
}

#ifdef PRWKV_DCHECKS
namespace detail {
void dcheck_failed(const char* condition, const char* file, int line) {
  fail(Code::kInternal, "{}:{}: internal check failed: {}", file, line, condition);
}
}  // namespace detail
#endif

}  // namespace prwkv
