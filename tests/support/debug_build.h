/// Whether tests run on less: sanitizers look at the same instructions for a few rows as for many, and
/// take up to a hundred times as long. Emulators take as long again and are there for the kernels alone.
#pragma once

namespace prwkv::test {

#ifdef PRWKV_DCHECKS
inline constexpr bool kDebugBuild = true;
#else
inline constexpr bool kDebugBuild = false;
#endif

#ifdef PRWKV_EMULATED
inline constexpr bool kFewCases = true;
#else
inline constexpr bool kFewCases = kDebugBuild;
#endif

}  // namespace prwkv::test
