/// The backends that every test of the engine runs on, by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace prwkv::test {

/// "cpu_scalar" and the other instruction sets of this architecture, "cpu_avx2" or "cpu_neon" and so on,
/// "fake", "ref_f32": f32 activations.
const std::vector<std::string>& f32_backends();
/// Those of them that are the CPU backend, the plainest first.
const std::vector<std::string>& cpu_backends();
/// Whether an instruction set brings nothing to another one but products: "cpu_avx512_vnni".
bool is_of_products(const std::string& cpu_backend);
/// Whether these are products of bf16: "cpu_avx512_bf16", "cpu_avx512_amx".
bool is_of_bf16(const std::string& cpu_backend);

/// Also "ref_f64" and "fake_f64". The backend is absent where this machine cannot run it, and
/// `reason` says why.
struct MadeBackend {
  std::unique_ptr<Backend> backend;
  std::string reason;
};
MadeBackend make_backend_under_test(const std::string& name, int threads = 2);

/// Whether this process may read the byte at `address`, found out without a crash.
bool is_readable(const void* address);

/// Bytes of a tensor as doubles, whatever its float type; waits for the backend.
std::vector<double> download(Backend& backend, const Tensor& t);
std::vector<float> download_f32(Backend& backend, const Tensor& t);

}  // namespace prwkv::test
