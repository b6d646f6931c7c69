/// Memory and transfers for backends whose kernels run on the calling machine's cores, at once.
#pragma once

#include "backend/backend.h"

namespace prwkv {

class HostBackend : public Backend {
 public:
  [[nodiscard]] bool reads_host_memory() const override { return true; }
  [[nodiscard]] Buffer allocate(std::size_t bytes) override;
  void will_stream(const Buffer& memory) override;
  void upload(const Tensor& to, const void* source) override;
  void download(void* to, const Tensor& source) override;
  void transfer(const Tensor& to, const Tensor& source) override;
  void zero(const Tensor& t) override;
  void sync() override {}

 protected:
  void release(void* data, std::size_t bytes) noexcept override;
};

}  // namespace prwkv
