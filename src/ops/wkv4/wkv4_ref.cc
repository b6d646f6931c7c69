#include <algorithm>

#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::wkv4(const Wkv4Args& args) {
  const auto A = args.k.dim(1);
  for (std::int64_t s = 0; s < args.seqs.n; ++s) {
    const auto [begin, end, slot] = args.seqs[s];
    for (std::int64_t c = 0; c < A; ++c) {
      const double w = ref::load(args.w, c), u = ref::load(args.u, c);
      for (std::int64_t t = begin; t < end; ++t) {
        // Read and written for each token: f32 states round alike however the tokens are cut.
        const double aa = ref::load(args.aa, slot * A + c), bb = ref::load(args.bb, slot * A + c);
        const double pp = ref::load(args.pp, slot * A + c);
        const double k = ref::load(args.k, t * A + c), v = ref::load(args.v, t * A + c);
        double q = std::max(pp, u + k), e1 = std::exp(pp - q), e2 = std::exp(u + k - q);
        ref::store(args.y, t * A + c, (e1 * aa + e2 * v) / (e1 * bb + e2));
        q = std::max(pp + w, k), e1 = std::exp(pp + w - q), e2 = std::exp(k - q);
        ref::store(args.aa, slot * A + c, e1 * aa + e2 * v);
        ref::store(args.bb, slot * A + c, e1 * bb + e2);
        ref::store(args.pp, slot * A + c, q);
      }
    }
  }
}

// The gradient derived in README.md, everything scaled by running exponents as in the forward pass. With a, b the
// sums before token t, D = b + e^{u+k}, q = g_y / D, and a' = da/dw, b' = db/dw:
//     forward scan   g_w += q (a' − b' y)   g_u += q e^{u+k} (v − y)
//                    a' ← e^w (a + a')      b' ← e^w (b + b')
//     reverse scan   g_k = q e^{u+k} (v − y) + e^k (GA v + GB)   g_v = q e^{u+k} + e^k GA
//                    GA ← e^w GA + q        GB ← e^w GB − q y
// GA and GB begin as the gradient of the outgoing state, which adds GA a' + GB b' to g_w, and end as that of the
// incoming one.
void RefBackend::wkv4_backward(const Wkv4BackwardArgs& args) {
  const auto A = args.k.dim(1);
  for (std::int64_t s = 0; s < args.seqs.n; ++s) {
    const auto [begin, end, slot] = args.seqs[s];
    // Q = g_y / (D e^{−m}), so that q = Q e^{−m} with m = max(p, u + k).
    std::vector<double> Q(static_cast<std::size_t>(end - begin)), m(Q.size());
    for (std::int64_t c = 0; c < A; ++c) {
      const double w = ref::load(args.w, c), u = ref::load(args.u, c);
      double a = ref::load(args.aa, slot * A + c),
             b = ref::load(args.bb, slot * A + c);  // times e^{−p}
      double p = ref::load(args.pp, slot * A + c), da = 0, db = 0;
      for (std::int64_t t = begin; t < end; ++t) {
        const double k = ref::load(args.k, t * A + c), v = ref::load(args.v, t * A + c),
                     y = ref::load(args.y, t * A + c);
        const auto i = static_cast<std::size_t>(t - begin);
        m[i] = std::max(p, u + k);
        const double e1 = std::exp(p - m[i]), e2 = std::exp(u + k - m[i]);
        Q[i] = ref::load(args.g_y, t * A + c) / (e1 * b + e2);
        ref::accumulate(args.g_w, c, Q[i] * e1 * (da - db * y));
        ref::accumulate(args.g_u, c, Q[i] * e2 * (v - y));
        const double next = std::max(p + w, k), f1 = std::exp(p + w - next),
                     f2 = std::exp(k - next);
        da = f1 * (a + da);
        db = f1 * (b + db);
        a = f1 * a + f2 * v;
        b = f1 * b + f2;
        p = next;
      }
      double GA = 0, GB = 0, P = -1e38;  // times e^{−P}
      if (args.g_aa && args.g_bb && begin < end) {
        GA = ref::load(args.g_aa, slot * A + c);
        GB = ref::load(args.g_bb, slot * A + c);
        P = -p;
        ref::accumulate(args.g_w, c, GA * da + GB * db);
      }
      for (std::int64_t t = end - 1; t >= begin; --t) {
        const double k = ref::load(args.k, t * A + c), v = ref::load(args.v, t * A + c),
                     y = ref::load(args.y, t * A + c);
        const auto i = static_cast<std::size_t>(t - begin);
        const double e2 = Q[i] * std::exp(u + k - m[i]), ek = std::exp(k + P);
        ref::accumulate(args.g_k, t * A + c, e2 * (v - y) + ek * (GA * v + GB));
        ref::accumulate(args.g_v, t * A + c, e2 + ek * GA);
        const double next = std::max(P + w, -m[i]), f1 = std::exp(P + w - next),
                     f2 = Q[i] * std::exp(-m[i] - next);
        GA = f1 * GA + f2;
        GB = f1 * GB - f2 * y;
        P = next;
      }
      if (args.g_aa && args.g_bb && begin < end) {
        const double scale = std::exp(P + ref::load(args.pp, slot * A + c));
        ref::store(args.g_aa, slot * A + c, GA * scale);
        ref::store(args.g_bb, slot * A + c, GB * scale);
      }
    }
  }
}

}  // namespace prwkv
