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

/// Units as above. `kept` receives m and Q of each token, which the way back needs: q = Q e^−m.
inline void wkv4_backward(const cpu::Wkv4Backward& b, std::int64_t begin, std::int64_t end) {
  const Wkv4BackwardArgs& a = b.args;
  const std::int64_t A = a.k.dim(1), groups = (A + cpu::kChannelGroup - 1) / cpu::kChannelGroup;
  for (std::int64_t unit = begin; unit < end; ++unit) {
    const Seqs::Range seq = a.seqs[unit / groups];
    const std::int64_t c0 = unit % groups * cpu::kChannelGroup;
    const std::int64_t channels = A - c0 < cpu::kChannelGroup ? A - c0 : cpu::kChannelGroup;
    for_vectors(channels, [&](std::int64_t i, int n) {
      const std::int64_t c = c0 + i, slot = seq.slot * A + c, sums = unit / groups * A + c;
      const auto at = [&](const Tensor& x, std::int64_t t) {
        return get(x.as<float>() + t * A + c, n);
      };
      const auto kept = [&](std::int64_t t, int which) { return b.kept + (2 * t + which) * A + c; };
      const Vec w = get(a.w.as<float>() + c, n), u = get(a.u.as<float>() + c, n);
      Vec aa = get(a.aa.as<float>() + slot, n), bb = get(a.bb.as<float>() + slot, n),
          pp = get(a.pp.as<float>() + slot, n);
      Vec da = Vec::zero(), db = Vec::zero(), g_w = Vec::zero(), g_u = Vec::zero();
      for (std::int64_t t = seq.begin; t < seq.end; ++t) {
        const Vec k = at(a.k, t), v = at(a.v, t), y = at(a.y, t), uk = u + k;
        const Vec m = max(pp, uk), e1 = exp(pp - m), e2 = exp(uk - m);
        const Vec Q = at(a.g_y, t) / fma(e1, bb, e2);
        put(kept(t, 0), n, m);
        put(kept(t, 1), n, Q);
        g_w = fma(Q * e1, da - db * y, g_w);
        g_u = fma(Q * e2, v - y, g_u);
        const Vec decayed = pp + w, next = max(decayed, k), f1 = exp(decayed - next),
                  f2 = exp(k - next);
        da = f1 * (aa + da);
        db = f1 * (bb + db);
        aa = fma(f2, v, f1 * aa);
        bb = fma(f1, bb, f2);
        pp = next;
      }
      Vec GA = Vec::zero(), GB = Vec::zero(), P = Vec::broadcast(-1e38f);  // times e^−P
      if (a.g_aa && a.g_bb && seq.begin < seq.end) {
        GA = get(a.g_aa.as<float>() + slot, n);
        GB = get(a.g_bb.as<float>() + slot, n);
        P = Vec::zero() - pp;
        g_w = g_w + fma(GA, da, GB * db);
      }
      put(b.g_w + sums, n, g_w);
      put(b.g_u + sums, n, g_u);
      for (std::int64_t t = seq.end - 1; t >= seq.begin; --t) {
        const Vec k = at(a.k, t), v = at(a.v, t), y = at(a.y, t);
        const Vec m = get(kept(t, 0), n), Q = get(kept(t, 1), n);
        const Vec e2 = Q * exp(u + k - m), ek = exp(k + P);
        if (a.g_k)
          accumulate(a.g_k.as<float>() + t * A + c, n, fma(e2, v - y, ek * fma(GA, v, GB)));
        if (a.g_v) accumulate(a.g_v.as<float>() + t * A + c, n, fma(ek, GA, e2));
        const Vec decayed = P + w, minus = Vec::zero() - m, next = max(decayed, minus),
                  f1 = exp(decayed - next), f2 = Q * exp(minus - next);
        GA = fma(f1, GA, f2);
        GB = f1 * GB - f2 * y;
        P = next;
      }
      if (a.g_aa && a.g_bb && seq.begin < seq.end) {
        const Vec scale = exp(P + get(a.pp.as<float>() + slot, n));
        put(a.g_aa.as<float>() + slot, n, GA * scale);
        put(a.g_bb.as<float>() + slot, n, GB * scale);
      }
    });
  }
}

}  // namespace prwkv::PRWKV_ISA
