#include "base/memory.h"

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

std::size_t available_memory_bytes() { return kilobytes_in("/proc/meminfo", "MemAvailable:"); }

}  // namespace prwkv
