/// What the machine can do at most with a backend's threads: reading memory, and products in
/// registers.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cpu/limit_probes.h"

namespace prwkv {

/// All threads together; a multiply and an add are two operations.
struct MachineLimits {
  double read_bytes_per_s = 0;
  double flops_per_s = 0;                               ///< f32 multiply-adds
  double bf16_flops_per_s = 0;                          ///< 0: the processor does not multiply bf16
  double int8_ops_per_s = 0;                            ///< products of bytes into 32-bit sums
  std::string_view bf16_instruction, int8_instruction;  ///< that these were measured with
  cpu::ReadPattern read_pattern;                        ///< the one that was fastest
};

/// Pages that the read probe walks through: real ones, in huge pages where the system gives them.
/// One serves any number of backends.
class ProbeMemory {
 public:
  /// More than any cache, and so much that huge pages and prefetchers are at their best.
  static constexpr std::size_t kWanted = std::size_t{2} << 30U;
  /// Half a GiB stays free for everybody else.
  static constexpr std::size_t kLeft = std::size_t{1} << 29U;

  /// kWanted bytes, or what is available beyond kLeft. Throws Error{kOutOfMemory}.
  ProbeMemory();
  ProbeMemory(const ProbeMemory&) = delete;
  ProbeMemory& operator=(const ProbeMemory&) = delete;
  ~ProbeMemory();
  [[nodiscard]] const std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// What one backend measured so far. Every slice adds one sample of every probe, so slices can stand
/// between other measurements: whatever slows the machine down for a while then slows both.
struct LimitSamples {
  std::vector<std::vector<double>> read;  ///< bytes/s by pattern
  std::vector<double> fma, bf16, int8;    ///< operations/s
  std::string_view bf16_instruction, int8_instruction;

  /// Medians; of the patterns the one with the best median.
  [[nodiscard]] MachineLimits medians() const;
};

}  // namespace prwkv
