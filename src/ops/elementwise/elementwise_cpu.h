#pragma once

#include "ops/embedding/embedding_cpu.h"

namespace prwkv::PRWKV_ISA {

inline void spread(const SpreadArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t each = a.y.numel() / a.p.numel();
  const float* p = a.p.as<float>();
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    Vec value = Vec::zero();
    if (each == 1) {
      value = get(p + begin + i, n);
    } else {
      alignas(64) float lanes[Vec::size] = {};
      for (int l = 0; l < (n == 0 ? Vec::size : n); ++l) lanes[l] = p[(begin + i + l) / each];
      value = Vec::load(lanes);
    }
    put(a.y.as<float>() + begin + i, n, apply(a.act, value));
  });
}

inline void mul(const MulArgs& a, std::int64_t begin, std::int64_t end) {
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    put(a.y.as<float>() + begin + i, n,
        get(a.a.as<float>() + begin + i, n) * get(a.b.as<float>() + begin + i, n));
  });
}

inline void add(const AddArgs& a, std::int64_t begin, std::int64_t end) {
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    put(a.y.as<float>() + begin + i, n,
        get(a.a.as<float>() + begin + i, n) + get(a.b.as<float>() + begin + i, n));
  });
}

inline void lerp(const LerpArgs& a, std::int64_t begin, std::int64_t end) {
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    const Vec from = get(a.a.as<float>() + begin + i, n), to = get(a.b.as<float>() + begin + i, n);
    put(a.y.as<float>() + begin + i, n, fma(to - from, get(a.m.as<float>() + begin + i, n), from));
  });
}

inline void copy(const CopyArgs& a, std::int64_t begin, std::int64_t end) {
  const std::byte* x = a.x.as<const std::byte>();
  float* y = a.y.as<float>() + begin;
  switch (a.x.dtype) {
    case DType::kF32: widen_row<F32Weights>(x + begin * 4, y, end - begin); break;
    case DType::kF16: widen_row<F16Weights>(x + begin * 2, y, end - begin); break;
    case DType::kBF16: widen_row<BF16Weights>(x + begin * 2, y, end - begin); break;
    default: break;  // the loader hands no other type to this backend
  }
}

inline void gather_rows(const GatherRowsArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t C = a.y.dim(1);
  for (std::int64_t r = begin; r < end; ++r) {
    const float* x = a.x.as<float>() + a.rows.as<const std::int32_t>()[r] * C;
    for_vectors(C,
                [&](std::int64_t c, int n) { put(a.y.as<float>() + r * C + c, n, get(x + c, n)); });
  }
}

inline void spread_backward(const SpreadBackwardArgs& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t each = a.g_y.numel() / a.p.numel();
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    alignas(64) float totals[Vec::size] = {};
    for (int l = 0; l < (n == 0 ? Vec::size : n); ++l) {
      const float* g = a.g_y.as<float>() + (begin + i + l) * each;
      Vec total = Vec::zero();
      for_vectors(each, [&](std::int64_t c, int left) { total = total + get(g + c, left); });
      totals[l] = sum(total);
    }
    const Vec z = get(a.p.as<float>() + begin + i, n);
    accumulate(a.g_p.as<float>() + begin + i, n, Vec::load(totals) * slope(a.act, z));
  });
}

inline void mul_backward(const MulBackwardArgs& a, std::int64_t begin, std::int64_t end) {
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    const std::int64_t at = begin + i;
    const Vec g = get(a.g_y.as<float>() + at, n);
    // One after the other: a and b may be one tensor.
    if (a.g_a) accumulate(a.g_a.as<float>() + at, n, g * get(a.b.as<float>() + at, n));
    if (a.g_b) accumulate(a.g_b.as<float>() + at, n, g * get(a.a.as<float>() + at, n));
  });
}

inline void add_backward(const AddBackwardArgs& a, std::int64_t begin, std::int64_t end) {
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    accumulate(a.g_x.as<float>() + begin + i, n, get(a.g_y.as<float>() + begin + i, n));
  });
}

inline void lerp_backward(const LerpBackwardArgs& a, std::int64_t begin, std::int64_t end) {
  for_vectors(end - begin, [&](std::int64_t i, int n) {
    const std::int64_t at = begin + i;
    const Vec g = get(a.g_y.as<float>() + at, n), m = get(a.m.as<float>() + at, n);
    const Vec to_b = g * m;
    if (a.g_a) accumulate(a.g_a.as<float>() + at, n, g - to_b);
    if (a.g_b) accumulate(a.g_b.as<float>() + at, n, to_b);
    if (a.g_m)
      accumulate(a.g_m.as<float>() + at, n,
                 g * (get(a.b.as<float>() + at, n) - get(a.a.as<float>() + at, n)));
  });
}

/// Channels [begin, end) of all rows: the same row may have been taken twice.
inline void gather_rows_backward(const GatherRowsBackwardArgs& a, std::int64_t begin,
                                 std::int64_t end) {
  const std::int64_t T = a.g_y.dim(0), C = a.g_y.dim(1);
  for (std::int64_t r = 0; r < T; ++r) {
    float* g = a.g_x.as<float>() + a.rows.as<const std::int32_t>()[r] * C + begin;
    const float* g_y = a.g_y.as<float>() + r * C + begin;
    for_vectors(end - begin, [&](std::int64_t c, int n) { accumulate(g + c, n, get(g_y + c, n)); });
  }
}

}  // namespace prwkv::PRWKV_ISA
