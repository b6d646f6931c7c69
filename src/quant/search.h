/// The search for scales behind the types whose scales are themselves quantized.
///
/// A block of such a type is described by one or two f16 numbers, a small integer code or two for each
/// sub-block, and one quant for each element:
///
///     Scaled    x ≈ d code q                  Q3_K, Q6_K, IQ4_NL, IQ4_XS
///     Shifted   x ≈ d code q − dmin low       Q2_K, Q4_K, Q5_K
///
/// The squared error has many local minima in these numbers. Both searches go the same way: the best
/// scale of each sub-block by itself, from a grid of first guesses; d from the largest of them; then
/// codes and quants are chosen anew for the d that is stored, and d for these codes and quants, as long
/// as the error falls. No randomness: equal values give equal bytes.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/layout.h"
#include "tensor/half.h"

namespace prwkv::quant {

/// What an f16 field will hold; finite whatever x is.
inline float as_stored(float x) {
  constexpr float kLargestHalf = 65504;
  return to_float(to_f16(std::clamp(x, -kLargestHalf, kLargestHalf)));
}

/// No type can hold values beyond ±2^30 or tell values below 2^−26 from zero; inside these bounds no sum
/// of squares overflows and no reciprocal is infinite. NaN becomes 0.
inline float searchable(float x) {
  constexpr float kLargest = 0x1p30f, kSmallest = 0x1p-26f;
  return std::abs(x) >= kSmallest ? std::clamp(x, -kLargest, kLargest) : 0.0f;
}

/// To the nearest integer for |x| < 2^22; unlike std::nearbyint, compilers turn this into vectors.
inline float round_to_integer(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

/// Between low and high, in the form that compilers have one instruction for.
inline float clamped(float x, float low, float high) { return std::min(std::max(x, low), high); }

/// Σ term(i) over i < n, a multiple of 8, as eight interleaved sums: one sum in order could not be
/// turned into vectors.
template <int n, class F>
float sum_of(const F& term) {
  float lane[8] = {};
  for (int i = 0; i < n; i += 8) {
    for (int k = 0; k < 8; ++k) lane[k] += term(i + k);
  }
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

inline float reciprocal(float x) { return x == 0 ? 0 : 1 / x; }

/// The integers low … high.
template <int low, int high>
struct Integers {
  static constexpr float kLow = low, kHigh = high;
  static constexpr float kGuessStep = 0.1f;
  static float nearest(float x) { return round_to_integer(clamped(x, kLow, kHigh)); }
};

/// The sixteen levels of IQ4.
struct Iq4Levels {
  static constexpr float kLow = kIq4Levels[0], kHigh = kIq4Levels[15];
  static constexpr float kGuessStep = 1;
  static float nearest(float x) {
    float level = kLow;
    for (int i = 0; i < 15; ++i) {
      const int gap = kIq4Levels[i + 1] - kIq4Levels[i];
      const float middle = 0.5f * static_cast<float>(kIq4Levels[i] + kIq4Levels[i + 1]);
      level += x > middle ? static_cast<float>(gap) : 0.0f;
    }
    return level;
  }
};

/// The scale s with the least Σ (x − s q)², q = the levels that one of the first guesses rounds to. For
/// given q the best s is Σxq / Σq², and then the error is Σx² − (Σxq)² / Σq².
template <class Levels, int kSize>
float best_scale(const float* x) {
  float extreme = 0;
  for (int i = 0; i < kSize; ++i) extreme = std::abs(x[i]) > std::abs(extreme) ? x[i] : extreme;
  if (extreme == 0) return 0;
  float best = extreme / Levels::kLow, most_explained = 0;
  for (const float end : {Levels::kLow, Levels::kHigh}) {
    for (int guess = -9; guess <= 9; ++guess) {
      const float inverse = (end + static_cast<float>(guess) * Levels::kGuessStep) / extreme;
      float q[kSize];
      for (int i = 0; i < kSize; ++i) q[i] = Levels::nearest(x[i] * inverse);
      const float xq = sum_of<kSize>([&](int i) { return x[i] * q[i]; });
      const float qq = sum_of<kSize>([&](int i) { return q[i] * q[i]; });
      if (qq > 0 && xq * xq > most_explained * qq) {
        most_explained = xq * xq / qq;
        best = xq / qq;
      }
    }
  }
  return best;
}

template <class Levels, int kSubs, int kLowCode, int kHighCode, int kElements = 256>
struct Scaled {
  static constexpr int kSize = kElements / kSubs;
  float d = 0;
  float code[kSubs] = {};
  float q[kElements] = {};  ///< levels

  /// Σ (x − scale q)² of one sub-block with the best q.
  static float error_of(const float* x, float scale) {
    const float inverse = reciprocal(scale);
    return sum_of<kSize>([&](int i) {
      const float off = x[i] - scale * Levels::nearest(x[i] * inverse);
      return off * off;
    });
  }

  /// Codes and quants for this d, from the scales that are wanted; returns the error.
  float choose(const float* x, const float* wanted) {
    float total = 0;
    for (int s = 0; s < kSubs; ++s) {
      const float* part = x + s * kSize;
      const float middle = round_to_integer(std::clamp(
          wanted[s] * reciprocal(d), static_cast<float>(kLowCode), static_cast<float>(kHighCode)));
      float least = std::numeric_limits<float>::infinity();
      for (const float c : {middle, middle - 1, middle + 1}) {
        if (c < kLowCode || c > kHighCode) continue;
        const float error = error_of(part, d * c);
        if (error < least) least = error, code[s] = c;
      }
      total += least;
      const float inverse = reciprocal(d * code[s]);
      for (int i = 0; i < kSize; ++i) q[s * kSize + i] = Levels::nearest(part[i] * inverse);
    }
    return total;
  }

  /// The d of least squares for these codes and quants.
  [[nodiscard]] float refitted(const float* x) const {
    float a[kElements];
    for (int i = 0; i < kElements; ++i) a[i] = code[i / kSize] * q[i];
    const float xa = sum_of<kElements>([&](int i) { return x[i] * a[i]; });
    const float aa = sum_of<kElements>([&](int i) { return a[i] * a[i]; });
    return aa > 0 ? as_stored(xa / aa) : d;
  }

  static Scaled search(const float* x) {
    float scale[kSubs], extreme = 0;
    for (int s = 0; s < kSubs; ++s) {
      scale[s] = best_scale<Levels, kSize>(x + s * kSize);
      if (std::abs(scale[s]) > std::abs(extreme)) extreme = scale[s];
    }
    Scaled best;
    best.d = as_stored(extreme / static_cast<float>(kLowCode));
    float least = best.choose(x, scale);
    for (int round = 0; round < 3; ++round) {
      Scaled next = best;
      next.d = best.refitted(x);
      for (int s = 0; s < kSubs; ++s) scale[s] = best.code[s] * next.d;
      const float error = next.choose(x, scale);
      if (!(error < least)) break;
      best = next, least = error;
    }
    return best;
  }
};

/// x ≈ scale q − low with q in 0 … most and low ≥ 0.
struct Line {
  float scale, low;
};

/// As best_scale, for lines; with given q a regression.
template <int kSize>
Line best_line(const float* x, float most) {
  const float smallest = std::min(0.0f, *std::min_element(x, x + kSize));
  const float largest = *std::max_element(x, x + kSize);
  const float sum_x = sum_of<kSize>([&](int i) { return x[i]; });
  const float sum_xx = sum_of<kSize>([&](int i) { return x[i] * x[i]; });
  if (largest <= smallest) return {0, -smallest};
  constexpr float n = kSize;
  Line best = {(largest - smallest) / most, -smallest};
  float least = std::numeric_limits<float>::infinity();
  for (int guess = -10; guess <= 10; ++guess) {
    const float inverse = (most + 0.1f * static_cast<float>(guess)) / (largest - smallest);
    float q[kSize];
    for (int i = 0; i < kSize; ++i)
      q[i] = round_to_integer(clamped((x[i] - smallest) * inverse, 0.0f, most));
    const float sum_q = sum_of<kSize>([&](int i) { return q[i]; });
    const float qq = sum_of<kSize>([&](int i) { return q[i] * q[i]; });
    const float xq = sum_of<kSize>([&](int i) { return x[i] * q[i]; });
    const float determinant = n * qq - sum_q * sum_q;
    if (determinant <= 0) continue;
    Line line = {(n * xq - sum_x * sum_q) / determinant, (sum_q * xq - qq * sum_x) / determinant};
    if (line.low < 0) line = {xq / qq, 0};
    const float error = line.scale * (line.scale * qq - 2 * line.low * sum_q - 2 * xq) +
                        line.low * (n * line.low + 2 * sum_x) + sum_xx;
    if (line.scale > 0 && error < least) best = line, least = error;
  }
  return best;
}

template <int kSubs, int kMostQ, int kMostCode>
struct Shifted {
  static constexpr int kSize = 256 / kSubs;
  float d = 0, dmin = 0;
  float code[kSubs] = {}, low[kSubs] = {};
  float q[256] = {};

  static float quant(float x, const Line& line, float inverse) {
    return round_to_integer(clamped((x + line.low) * inverse, 0.0f, static_cast<float>(kMostQ)));
  }

  static float error_of(const float* x, const Line& line) {
    const float inverse = reciprocal(line.scale);
    return sum_of<kSize>([&](int i) {
      const float off = x[i] - (line.scale * quant(x[i], line, inverse) - line.low);
      return off * off;
    });
  }

  float choose(const float* x, const Line* wanted) {
    const auto coded = [](float value, float unit) {
      return round_to_integer(
          std::clamp(value * reciprocal(unit), 0.0f, static_cast<float>(kMostCode)));
    };
    float total = 0;
    for (int s = 0; s < kSubs; ++s) {
      const float* part = x + s * kSize;
      const float c0 = coded(wanted[s].scale, d), m0 = coded(wanted[s].low, dmin);
      // Zeros are always possible, should d and dmin be too coarse for values this small.
      float least = error_of(part, {0, 0});
      code[s] = low[s] = 0;
      for (const float c : {c0, c0 - 1, c0 + 1}) {
        for (const float m : {m0, m0 - 1, m0 + 1}) {
          if (c < 0 || c > kMostCode || m < 0 || m > kMostCode) continue;
          const float error = error_of(part, {d * c, dmin * m});
          if (error < least) least = error, code[s] = c, low[s] = m;
        }
      }
      total += least;
      const Line line = {d * code[s], dmin * low[s]};
      const float inverse = reciprocal(line.scale);
      for (int i = 0; i < kSize; ++i) q[s * kSize + i] = quant(part[i], line, inverse);
    }
    return total;
  }

  /// d and dmin of least squares for these codes and quants, if both come out positive.
  void refit(const float* x) {
    float a[256], b[256];
    for (int i = 0; i < 256; ++i) a[i] = code[i / kSize] * q[i], b[i] = -low[i / kSize];
    const float aa = sum_of<256>([&](int i) { return a[i] * a[i]; });
    const float ab = sum_of<256>([&](int i) { return a[i] * b[i]; });
    const float bb = sum_of<256>([&](int i) { return b[i] * b[i]; });
    const float xa = sum_of<256>([&](int i) { return x[i] * a[i]; });
    const float xb = sum_of<256>([&](int i) { return x[i] * b[i]; });
    const float determinant = aa * bb - ab * ab;
    if (bb == 0 && aa > 0 && xa > 0) d = as_stored(xa / aa);
    if (determinant <= 0) return;
    const float new_d = (xa * bb - xb * ab) / determinant,
                new_dmin = (xb * aa - xa * ab) / determinant;
    if (new_d > 0 && new_dmin > 0) d = as_stored(new_d), dmin = as_stored(new_dmin);
  }

  static Shifted search(const float* x) {
    Line line[kSubs];
    float most_scale = 0, most_low = 0;
    for (int s = 0; s < kSubs; ++s) {
      line[s] = best_line<kSize>(x + s * kSize, kMostQ);
      most_scale = std::max(most_scale, line[s].scale);
      most_low = std::max(most_low, line[s].low);
    }
    Shifted best;
    best.d = as_stored(most_scale / kMostCode);
    best.dmin = as_stored(most_low / kMostCode);
    float least = best.choose(x, line);
    for (int round = 0; round < 3; ++round) {
      Shifted next = best;
      next.refit(x);
      for (int s = 0; s < kSubs; ++s) line[s] = {best.code[s] * next.d, best.low[s] * next.dmin};
      const float error = next.choose(x, line);
      if (!(error < least)) break;
      best = next, least = error;
    }
    return best;
  }
};

}  // namespace prwkv::quant
