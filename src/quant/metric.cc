#include "quant/metric.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "quant/vectors.h"

namespace prwkv::quant {
namespace {

constexpr std::int64_t kPanel = 64;  // columns factorised together: their rows stay in the cache

}  // namespace

Metric::Metric(std::vector<float> moments, std::int64_t n, double damping, ThreadPool& pool)
    : n_(n), h_(std::move(moments)), d_(static_cast<std::size_t>(n)) {
  double trace = 0;
  for (std::int64_t i = 0; i < n_; ++i) trace += static_cast<double>(diagonal(i));
  // Without any input all errors cost the same.
  const double mean = trace > 0 ? trace / static_cast<double>(n_) : 1;
  const double added = trace > 0 ? damping * mean : 1;
  for (std::int64_t i = 0; i < n_; ++i) {
    float& x = h_[static_cast<std::size_t>(i * n_ + i)];
    x = static_cast<float>(static_cast<double>(x) + added);
  }
  u_ = h_;
  factorise(pool);
}

// With R = U √D, H = R Rᵀ and R_ij = (H_ij − Σ_{k>j} R_ik R_jk) / R_jj. Columns go from the last to the
// first, a panel at a time; within one, rows do not depend on each other, but for those of the panel
// itself, which go first.
void Metric::factorise(ThreadPool& pool) {
  for (std::int64_t end = n_; end > 0; end -= std::min(end, kPanel)) {
    const std::int64_t begin = std::max<std::int64_t>(end - kPanel, 0);
    for (std::int64_t i = end - 1; i >= begin; --i) reduce(i, begin, end);
    pool.parallel_for(begin, 8, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) reduce(i, begin, end);
    });
  }
  for (std::int64_t i = 0; i < n_; ++i) {
    float* row = u_.data() + i * n_;
    d_[static_cast<std::size_t>(i)] = row[i] * row[i];
  }
  pool.parallel_for(n_, 8, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      float* row = u_.data() + i * n_;
      for (std::int64_t j = i + 1; j < n_; ++j) row[j] /= at(u_, j)[j];
      // The diagonal itself is read by others until all are done.
    }
  });
  for (std::int64_t i = 0; i < n_; ++i) u_[static_cast<std::size_t>(i * n_ + i)] = 1;
}

// Columns [max(begin, i), end) of row i of R; what stands behind `end` is there already.
void Metric::reduce(std::int64_t i, std::int64_t begin, std::int64_t end) {
  float* row = u_.data() + i * n_;
  for (std::int64_t j = end - 1; j >= std::max(begin, i); --j) {
    const double left =
        static_cast<double>(row[j]) - dot(row + j + 1, at(u_, j) + j + 1, n_ - j - 1);
    if (j > i) {
      row[j] = static_cast<float>(left / static_cast<double>(at(u_, j)[j]));
    } else {
      // Rounding may leave nothing of a pivot; no error is free.
      const double least = static_cast<double>(diagonal(i)) * 1e-7;
      row[j] = static_cast<float>(
          std::sqrt(std::max({left, least, double{std::numeric_limits<float>::min()}})));
    }
  }
}

}  // namespace prwkv::quant
