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

// At once: whoever releases memory that something in the queue still needs has forgotten to wait.
// Its addresses are not given out again, so that this shows.
void FakeBackend::release(void* data, std::size_t) noexcept {
  const auto it = memory_.find(static_cast<char*>(data));
  ::madvise(it->first, it->second, MADV_DONTNEED);
  released_.insert(*it);
  memory_.erase(it);
}

FakeBackend::~FakeBackend() {
  for (const auto& [data, bytes] : released_) ::munmap(data, bytes);
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
  fail(Code::kInternal, "fake: {} needs a {} {} that is not in this backend's memory", op,
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

void FakeBackend::enqueue(const char* what, std::vector<Tensor> touched,
                          std::function<void()> action) {
  const auto check = [this, what, touched = std::move(touched)] {
    for (const Tensor& t : touched) expect_resident(what, t);
  };
  check();
  queue_.emplace_back([=] {
    check();
    action();
  });
}

void FakeBackend::upload(const Tensor& to, const void* source) {
  const auto* bytes = static_cast<const std::byte*>(source);
  enqueue("upload", {to}, [to, copy = std::vector<std::byte>(bytes, bytes + to.bytes())] {
    std::memcpy(to.data, copy.data(), copy.size());
  });
}

void FakeBackend::download(void* to, const Tensor& source) {
  // Last in the queue, where the memory is open.
  enqueue("download", {source}, [=] { std::memcpy(to, source.data, source.bytes()); });
  sync();
}

void FakeBackend::transfer(const Tensor& to, const Tensor& source) {
  if (to.bytes() != source.bytes() || to.dtype != source.dtype) {
    fail(Code::kInternal, "fake: transfer between {} {} and {} {}", name_of(to.dtype),
         to.shape.str(), name_of(source.dtype), source.shape.str());
  }
  enqueue("transfer", {to, source}, [=, this] { kernels_.transfer(to, source); });
}

void FakeBackend::zero(const Tensor& t) {
  enqueue("zero", {t}, [=, this] { kernels_.zero(t); });
}

#define X(op, Args)                                                     \
  void FakeBackend::op(const Args& args) {                              \
    Args copy = args;                                                   \
    std::vector<Tensor> touched;                                        \
    for (const Tensor* t : tensors_of(copy)) touched.push_back(*t);     \
    enqueue(#op, std::move(touched), [=, this] { kernels_.op(args); }); \
  }
PRWKV_FORWARD_OPS(X)
PRWKV_BACKWARD_OPS(X)
#undef X

}  // namespace prwkv::test
