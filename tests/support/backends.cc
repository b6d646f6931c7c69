#include "support/backends.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "backend/cpu/cpu_backend.h"
#include "backend/ref/array.h"
#include "support/fake_backend.h"

namespace prwkv::test {

const std::vector<std::string>& cpu_backends() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const std::string_view isa : cpu_instruction_sets())
      all.push_back(fmt::format("cpu_{}", isa));
    std::reverse(all.begin(), all.end());
    return all;
  }();
  return names;
}

bool is_of_products(const std::string& cpu_backend) {
  return std::count(cpu_backend.begin(), cpu_backend.end(), '_') > 1;
}

bool is_of_bf16(const std::string& cpu_backend) {
  return cpu_backend == "cpu_avx512_bf16" || cpu_backend == "cpu_avx512_amx";
}

const std::vector<std::string>& f32_backends() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = cpu_backends();
    all.insert(all.end(), {"fake", "ref_f32"});
    return all;
  }();
  return names;
}

MadeBackend make_backend_under_test(const std::string& name, int threads) {
  if (name == "fake") return {std::make_unique<FakeBackend>(DType::kF32), {}};
  if (name == "fake_f64") return {std::make_unique<FakeBackend>(DType::kF64), {}};
  if (name == "ref_f32") return {std::make_unique<RefBackend>(DType::kF32), {}};
  if (name == "ref_f64") return {std::make_unique<RefBackend>(DType::kF64), {}};
  const std::string isa = name.substr(name.find('_') + 1);
  try {
    return {make_backend({.name = "cpu", .threads = threads, .isa = isa}), {}};
  } catch (const Error& e) {
    // Another processor has other instruction sets; a broken scalar backend is no reason to skip.
    if (isa == "scalar") throw;
    return {nullptr, e.what()};
  }
}

bool is_readable(const void* address) {
  // The kernel looks at the memory for us and says EFAULT where we would be killed.
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) fail(Code::kInternal, "no pipe");
  const bool readable = ::write(pipe[1], address, 1) == 1;
  ::close(pipe[0]);
  ::close(pipe[1]);
  return readable;
}

std::vector<double> download(Backend& backend, const Tensor& t) {
  std::vector<std::byte> bytes(t.bytes() + 1);
  backend.download(bytes.data(), t);
  Tensor host = t;
  host.data = bytes.data();
  std::vector<double> values(static_cast<std::size_t>(t.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = ref::load(host, static_cast<std::int64_t>(i));
  }
  return values;
}

std::vector<float> download_f32(Backend& backend, const Tensor& t) {
  const std::vector<double> values = download(backend, t);
  return {values.begin(), values.end()};
}

}  // namespace prwkv::test
