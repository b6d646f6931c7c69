#pragma once

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/math.h"

namespace prwkv::PRWKV_ISA {

/// Unit u: sequence u / groups, channels of group u % groups. State stays in registers from the
/// first row to the last.
inline void wkv4(const Wkv4Args& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t A = a.k.dim(1), groups = (A + cpu::kChannelGroup - 1) / cpu::kChannelGroup;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const Seqs::Range seq = a.seqs[unit / groups];
    const std::int64_t c0 = unit % groups * cpu::kChannelGroup;
    const std::int64_t channels = A - c0 < cpu::kChannelGroup ? A - c0 : cpu::kChannelGroup;
    for_vectors(channels, [&](std::int64_t i, int n) {
      const std::int64_t c = c0 + i, slot = seq.slot * A + c;
      const Vec w = get(a.w.as<float>() + c, n), u = get(a.u.as<float>() + c, n);
      Vec aa = get(a.aa.as<float>() + slot, n), bb = get(a.bb.as<float>() + slot, n),
          pp = get(a.pp.as<float>() + slot, n);
      for (std::int64_t t = seq.begin; t < seq.end; ++t) {
        const Vec k = get(a.k.as<float>() + t * A + c, n), v = get(a.v.as<float>() + t * A + c, n);
        const Vec uk = u + k, q = max(pp, uk), e1 = exp(pp - q), e2 = exp(uk - q);
        put(a.y.as<float>() + t * A + c, n, fma(e2, v, e1 * aa) / fma(e1, bb, e2));
        const Vec decayed = pp + w, next = max(decayed, k), f1 = exp(decayed - next),
                  f2 = exp(k - next);
        aa = fma(f2, v, f1 * aa);
        bb = fma(f1, bb, f2);
        pp = next;
      }
      put(a.aa.as<float>() + slot, n, aa);
      put(a.bb.as<float>() + slot, n, bb);
      put(a.pp.as<float>() + slot, n, pp);
    });
  }
}

}  // namespace prwkv::PRWKV_ISA
