#include "base/memory.h"

#if defined(__linux__)
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <array>
#include <bit>
#include <fstream>
#include <string>

namespace prwkv {
namespace {

// Both files list "Name:   12345 kB".
std::size_t kilobytes_in(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    std::size_t kb = 0;
    if (word == key && in >> kb) return kb * 1024;
  }
  return 0;
}

}  // namespace

std::size_t peak_resident_bytes() { return kilobytes_in("/proc/self/status", "VmHWM:"); }
std::size_t resident_bytes() { return kilobytes_in("/proc/self/status", "VmRSS:"); }

bool reset_peak_resident_bytes() {
  std::ofstream out("/proc/self/clear_refs");
  out << "5" << std::flush;  // proc(5): resets VmHWM to VmRSS
  return static_cast<bool>(out);
}

// libnuma would do the same two calls.
void spread_over_nodes([[maybe_unused]] void* mapping,
                       [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__linux__)
  std::array<unsigned long, 16> nodes{};  // a bit each; 1024 is the most that kernels are built for
  constexpr unsigned long kBits = sizeof nodes * 8;
  if (::syscall(SYS_get_mempolicy, nullptr, nodes.data(), kBits, nullptr, MPOL_F_MEMS_ALLOWED) != 0)
    return;
  int count = 0;
  for (const unsigned long word : nodes) count += std::popcount(word);
  if (count < 2) return;
  static_cast<void>(::syscall(SYS_mbind, mapping, bytes, MPOL_INTERLEAVE, nodes.data(), kBits, 0));
#endif
}

std::size_t available_memory_bytes() { return kilobytes_in("/proc/meminfo", "MemAvailable:"); }

}  // namespace prwkv
