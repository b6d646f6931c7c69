#include "backend/backend.h"

#include <sys/mman.h>

#include <array>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "backend/host_memory.h"
#include "backend/ref/ref_backend.h"
#include "base/memory.h"

namespace prwkv {

Buffer::~Buffer() {
  if (backend_ != nullptr) backend_->release(data_, bytes_);
}

void Backend::unsupported(const char* op) const {
  throw Error(Code::kUnsupported,
              fmt::format("{}: the backend '{}' has no kernel for it", op, name()),
              {.hint = "'cpu' and 'ref' have all of them"});
}

void Backend::pack(const Tensor&, std::int64_t, std::int64_t, const void*) { unsupported("pack"); }

void Backend::put_rows(const Tensor& to, std::int64_t first, std::int64_t n, const void* rows) {
  if (to.layout != Layout::kRows)
    pack(to, first, n, rows);
  else
    upload(to.rows(first, n), rows);
}

// Anonymous mappings are zero-filled, page-aligned, and take no memory until they are touched, so a
// large state pool costs only the slots in use.
void Backend::put(const Tensor& to, std::span<const float> values) {
  if (to.dtype == DType::kF64)
    upload(to, std::vector<double>(values.begin(), values.end()).data());
  else
    upload(to, values.data());
}

void Backend::fill(const Tensor& to, double value) {
  const auto n = static_cast<std::size_t>(to.numel());
  if (value == 0)
    zero(to);
  else if (to.dtype == DType::kF64)
    upload(to, std::vector<double>(n, value).data());
  else
    upload(to, std::vector<float>(n, static_cast<float>(value)).data());
}

std::vector<double> Backend::values(const Tensor& t) {
  const auto n = static_cast<std::size_t>(t.numel());
  std::vector<double> values(n);
  if (t.dtype == DType::kF64) {
    download(values.data(), t);
  } else {
    std::vector<float> single(n);
    download(single.data(), t);
    std::copy(single.begin(), single.end(), values.begin());
  }
  return values;
}

Buffer HostBackend::allocate(std::size_t bytes) {
  if (bytes == 0) bytes = 1;
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    fail(Code::kOutOfMemory, "backend '{}': cannot allocate {} bytes", name(), bytes);
  return {*this, p, bytes};
}

void HostBackend::will_stream(const Buffer& memory) {
#if defined(MADV_HUGEPAGE)
  ::madvise(memory.data(), memory.bytes(), MADV_HUGEPAGE);  // only faster; refused, all is the same
#endif
  spread_over_nodes(memory.data(), memory.bytes());
}

void HostBackend::release(void* data, std::size_t bytes) noexcept { ::munmap(data, bytes); }

void HostBackend::upload(const Tensor& to, const void* source) {
  std::memcpy(to.data, source, to.bytes());
}
void HostBackend::download(void* to, const Tensor& source) {
  std::memcpy(to, source.data, source.bytes());
}
void HostBackend::transfer(const Tensor& to, const Tensor& source) {
  PRWKV_DCHECK(to.bytes() == source.bytes());
  std::memmove(to.data, source.data, to.bytes());
}
void HostBackend::zero(const Tensor& t) { std::memset(t.data, 0, t.bytes()); }

std::unique_ptr<Backend> make_backend(const BackendOptions& options) {
  struct Row {
    std::string_view name;
    std::unique_ptr<Backend> (*make)(const BackendOptions&);
  };
  static constexpr std::array<Row, 2> kBackends = {
      {{"cpu", &make_cpu_backend}, {"ref", &make_ref_backend}}};
  for (const Row& row : kBackends) {
    if (row.name == options.name) return row.make(options);
  }
  throw Error(Code::kInvalidArgument, fmt::format("there is no backend '{}'", options.name),
              {.expected = "cpu or ref"});
}

}  // namespace prwkv
