/// The probes of one instruction set: simd/limits.h defines them, machine_limits.cc measures with
/// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prwkv::cpu {

/// How one thread walks through its part of the memory.
struct ReadPattern {
  int streams = 1;           ///< 1, 2, 4 or 8 parts side by side
  std::size_t prefetch = 0;  ///< bytes ahead, 0: left to the hardware
};

/// Products in registers: does `steps` of them and returns how many operations these were (a
/// multiply and an add are two).
struct ProductProbe {
  std::string_view instruction;
  double (*run)(std::int64_t steps) = nullptr;
};

struct LimitProbes {
  std::uint64_t (*read)(const std::byte* p, std::size_t bytes, ReadPattern pattern);
  double (*fma)(std::int64_t steps);
  ProductProbe int8;    ///< bytes into 32-bit sums
  ProductProbe bf16{};  ///< absent where the processor does not multiply bf16
};

}  // namespace prwkv::cpu
