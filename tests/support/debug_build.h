/// Whether tests run on less: sanitizers look at the same instructions for a few rows as for many, and
/// take up to a hundred times as long.
#pragma once

namespace prwkv::test {

#ifdef PRWKV_DCHECKS
inline constexpr bool kDebugBuild = true;
#else
inline constexpr bool kDebugBuild = false;
#endif

}  // namespace prwkv::test
