/// What an action that must fail says.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace prwkv::test {

/// The whole message of the Error; "no error" without one.
inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace prwkv::test
