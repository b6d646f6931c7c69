/// The tensors inside the arguments of every kernel, as a list: checked, moved and cut by tests
/// that do not care which operation they look at. Absent tensors are left out.
#pragma once

#include <vector>

#include "backend/backend.h"

namespace prwkv::test {

#define X(op, Args) std::vector<Tensor*> tensors_of(Args& args);
PRWKV_FORWARD_OPS(X)
PRWKV_BACKWARD_OPS(X)
#undef X

// One name for all kernels: call(backend, args).
#define X(op, Args) \
  inline void call(Backend& backend, const Args& args) { backend.op(args); }
PRWKV_FORWARD_OPS(X)
PRWKV_BACKWARD_OPS(X)
#undef X

}  // namespace prwkv::test
