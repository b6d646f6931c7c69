#include "support/fake_backend.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "support/op_tensors.h"

namespace prwkv::test {

std::string FakeBackend::description() const {
  return fmt::format("fake, {} activations, private memory, deferred", name_of(activation_dtype()));
}

Buffer FakeBackend::allocate(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t whole = (std::max<std::size_t>(bytes, 1) + page - 1) / page * page;
  void* p = ::mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail(Code::kOutOfMemory, "backend 'fake': cannot allocate {} bytes", bytes);
  memory_.emplace(static_cast<char*>(p), whole);
  return {*this, p, bytes};
}

// As on a device whose driver frees memory only when nothing that was launched before can use it any more.
void FakeBackend::release(void* data, std::size_t) noexcept {
  sync();
  const auto it = memory_.find(static_cast<char*>(data));
  ::munmap(it->first, it->second);
  memory_.erase(it);
}

void FakeBackend::protect(int protection) {
  for (const auto& [data, bytes] : memory_) {
    if (::mprotect(data, bytes, protection) != 0) fail(Code::kInternal, "fake: mprotect failed");
  }
}

void FakeBackend::expect_resident(const char* op, const Tensor& t) const {
  auto* begin = static_cast<char*>(t.data);
  auto it = memory_.upper_bound(begin);
  if (it != memory_.begin()) {
    --it;
    if (begin + t.bytes() <= it->first + it->second) return;
  }
  fail(Code::kInternal, "fake: {} was handed {} {} outside this backend's memory", op,
       name_of(t.dtype), t.shape.str());
}

void FakeBackend::sync() {
  if (queue_.empty()) return;
  const auto work = std::move(queue_);
  queue_.clear();
  struct Open {
    FakeBackend& fake;
    explicit Open(FakeBackend& f) : fake(f) { fake.protect(PROT_READ | PROT_WRITE); }
    ~Open() { fake.protect(PROT_NONE); }
  } const open(*this);
  for (const auto& step : work) step();
}

void FakeBackend::upload(const Tensor& to, const void* source) {
  expect_resident("upload", to);
  const auto* bytes = static_cast<const std::byte*>(source);
  queue_.emplace_back([to, copy = std::vector<std::byte>(bytes, bytes + to.bytes())] {
    std::memcpy(to.data, copy.data(), copy.size());
  });
}

void FakeBackend::download(void* to, const Tensor& source) {
  expect_resident("download", source);
  // Last in the queue, where the memory is open.
  queue_.emplace_back([=] { std::memcpy(to, source.data, source.bytes()); });
  sync();
}

void FakeBackend::transfer(const Tensor& to, const Tensor& source) {
  expect_resident("transfer", to);
  expect_resident("transfer", source);
  if (to.bytes() != source.bytes() || to.dtype != source.dtype) {
    fail(Code::kInternal, "fake: transfer between {} {} and {} {}", name_of(to.dtype),
         to.shape.str(), name_of(source.dtype), source.shape.str());
  }
  queue_.emplace_back([=, this] { kernels_.transfer(to, source); });
}

void FakeBackend::zero(const Tensor& t) {
  expect_resident("zero", t);
  queue_.emplace_back([=, this] { kernels_.zero(t); });
}

#define X(op, Args)                                                    \
  void FakeBackend::op(const Args& args) {                             \
    Args copy = args;                                                  \
    for (const Tensor* t : tensors_of(copy)) expect_resident(#op, *t); \
    queue_.emplace_back([=, this] { kernels_.op(args); });             \
  }
PRWKV_FORWARD_OPS(X)
PRWKV_BACKWARD_OPS(X)
#undef X

}  // namespace prwkv::test
