/// What the machine has and what this process uses of it.
#pragma once

#include <cstddef>

namespace prwkv {

/// Highest resident memory of this process so far, in bytes (VmHWM; mapped file pages count).
std::size_t peak_resident_bytes();
/// What is resident now.
std::size_t resident_bytes();
/// From now on the peak is counted anew, from what is resident now. False where the system has no
/// such thing: the peak then stays that of the whole process.
bool reset_peak_resident_bytes();
/// Memory that could be had without swapping, in bytes (MemAvailable).
std::size_t available_memory_bytes();

/// Asks that pages of a mapping which are not there yet come from all memory nodes in turn, where the machine has
/// several (NUMA): what all cores read then comes with the bandwidth of all of them, wherever a thread runs.
/// Only advice; where the system refuses, nothing changes.
void spread_over_nodes(void* mapping, std::size_t bytes) noexcept;

}  // namespace prwkv
