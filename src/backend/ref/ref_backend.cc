#include "backend/ref/ref_backend.h"

namespace prwkv {

RefBackend::RefBackend(DType dtype) : dtype_(dtype) {
  if (dtype != DType::kF64 && dtype != DType::kF32) {
    throw Error(Code::kInvalidArgument,
                "backend 'ref': activations cannot be " + std::string(name_of(dtype)),
                {.expected = "f64 or f32"});
  }
}

std::string RefBackend::description() const {
  return fmt::format("ref, {} activations, double arithmetic, 1 thread", name_of(dtype_));
}

std::unique_ptr<Backend> make_ref_backend(const BackendOptions& options) {
  return std::make_unique<RefBackend>(options.dtype);
}

}  // namespace prwkv
