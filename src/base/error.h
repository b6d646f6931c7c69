/// The one exception type of the library and the shape of its messages: what, where, expected,
/// found, hint.
#pragma once

#include <fmt/core.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace prwkv {

/// What kind of thing went wrong; programs map it to exit codes, HTTP statuses or Python
/// exceptions.
enum class Code {
  kInvalidArgument,  ///< a caller's value is out of range or contradictory
  kFile,             ///< the operating system refused: missing, unreadable, disk full
  kFormat,           ///< a file's content is damaged, hostile or of the wrong shape
  kUnsupported,      ///< well-formed, but nothing here can do it
  kMismatch,         ///< two things that must belong together do not (a state and a model)
  kOutOfMemory,      ///< the plan does not fit the machine
  kCancelled,        ///< a callback or a signal asked to stop
  kInternal,         ///< a bug in this library
};

/// "kFormat" -> "format"; stable names for logs and JSON.
std::string_view name_of(Code code);

/// The optional lines below the first one of a message. Empty lines are left out.
struct Detail {
  std::string expected{}, found{}, hint{};
};

/// Thrown by fronts, loaders and the engine; kernels are noexcept.
class Error : public std::exception {
 public:
  /// `what` names the thing and the place, e.g. "model.pth: tensor 'blocks.0.att.w1' has the wrong
  /// shape".
  Error(Code code, std::string what, const Detail& detail = {});
  /// The same with this hint, unless it has one of its own.
  [[nodiscard]] Error or_hint(std::string_view hint) const;
  [[nodiscard]] Code code() const noexcept { return code_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_;
  bool has_hint_;
};

/// throw Error(code, fmt::format(...)) in one word, for messages that need no further lines.
template <class... Args>
[[noreturn]] void fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace prwkv

/// Precondition of a kernel or an internal invariant: checked in `dev` builds, free in release.
#ifdef PRWKV_DCHECKS
#define PRWKV_DCHECK(condition) \
  ((condition) ? void(0) : ::prwkv::detail::dcheck_failed(#condition, __FILE__, __LINE__))
namespace prwkv::detail {
[[noreturn]] void dcheck_failed(const char* condition, const char* file, int line);
}
#else
#define PRWKV_DCHECK(condition) void(0)
#endif
