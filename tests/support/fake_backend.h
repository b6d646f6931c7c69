/// A device that is none: it behaves like a GPU so that every mistake a GPU would punish shows on
/// any machine.
///
/// Its memory can be touched only while its kernels run (everything else is a segmentation fault),
/// it cannot read host memory, and whatever is asked of it waits in a queue until sync() or
/// download(). Results are the reference's.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "backend/ref/ref_backend.h"

namespace prwkv::test {

class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(DType dtype = DType::kF32) : kernels_(dtype) {}
  ~FakeBackend() override;
  FakeBackend(const FakeBackend&) = delete;
  FakeBackend& operator=(const FakeBackend&) = delete;

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] DType activation_dtype() const override { return kernels_.activation_dtype(); }
  [[nodiscard]] bool reads_host_memory() const override { return false; }

  [[nodiscard]] Buffer allocate(std::size_t bytes) override;
  void upload(const Tensor& to, const void* source) override;
  void download(void* to, const Tensor& source) override;
  void transfer(const Tensor& to, const Tensor& source) override;
  void zero(const Tensor& t) override;
  void sync() override;

  /// Things asked for that have not happened yet.
  [[nodiscard]] std::size_t pending() const { return queue_.size(); }

#define X(op, Args) void op(const Args& args) override;
  PRWKV_FORWARD_OPS(X)
  PRWKV_BACKWARD_OPS(X)
#undef X

 protected:
  void release(void* data, std::size_t bytes) noexcept override;

 private:
  void protect(int protection);
  /// Throws Error{kInternal} unless all of `t` lies in memory of this backend.
  void expect_resident(const char* what, const Tensor& t) const;
  /// Checks `touched` now and again when `action` runs.
  void enqueue(const char* what, std::vector<Tensor> touched, std::function<void()> action);

  RefBackend kernels_;
  std::map<char*, std::size_t> memory_, released_;  // address -> bytes, whole pages
  std::vector<std::function<void()>> queue_;
};

}  // namespace prwkv::test
