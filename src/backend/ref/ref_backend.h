/// The specification: scalar loops that read like the equations, arithmetic in double, one thread.
///
/// Activations, state and gradients are stored as f64, or as f32 on request (each result is then
/// rounded once). Every fast kernel is tested against this one; gradients are tested against finite
/// differences of it.
#pragma once

#include "backend/host_memory.h"

namespace prwkv {

class RefBackend : public HostBackend {
 public:
  explicit RefBackend(DType dtype = DType::kF64);
  [[nodiscard]] std::string_view name() const override { return "ref"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] DType activation_dtype() const override { return dtype_; }

#define X(op, Args) void op(const Args& args) override;
  PRWKV_FORWARD_OPS(X)
  PRWKV_BACKWARD_OPS(X)
#undef X

 private:
  DType dtype_;
};

std::unique_ptr<Backend> make_ref_backend(const BackendOptions& options);

}  // namespace prwkv
