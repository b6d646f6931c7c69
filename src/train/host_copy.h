/// A tensor of a backend as bytes in host memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "models/source.h"

namespace prwkv {

/// What is to be written to a file: the tensor's own memory where the host can read it, else a copy. It must not change
/// meanwhile.
class HostCopy {
 public:
  HostCopy(Backend& backend, const Tensor& t) : dtype_(t.dtype) {
    if (backend.reads_host_memory()) {
      backend.sync();
      bytes_ = {t.as<const std::byte>(), t.bytes()};
      return;
    }
    own_.resize(t.bytes());
    backend.download(own_.data(), t);
    bytes_ = own_;
  }
  HostCopy(const HostCopy&) = delete;
  HostCopy& operator=(const HostCopy&) = delete;
  HostCopy(HostCopy&&) = default;
  HostCopy& operator=(HostCopy&&) = default;
  ~HostCopy() = default;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] Source source(std::string_view name, std::span<const std::int64_t> shape) const {
    return Source::of(name, dtype_, bytes_, shape);
  }

 private:
  DType dtype_;
  std::vector<std::byte> own_;
  std::span<const std::byte> bytes_;
};

}  // namespace prwkv
