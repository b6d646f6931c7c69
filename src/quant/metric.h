/// How much errors in the elements of a row cost, one by one and together.
///
/// A row w of a matrix meets inputs x. Stored as ŵ, its result is off by (w − ŵ)·x, and over all inputs
///
///     Σ_t ((w − ŵ)·x_t)² = eᵀ H e,     e = w − ŵ,     H = Σ_t x_t x_tᵀ.
///
/// H is the same for all rows of the matrix, and for all matrices with the same input. Written as
/// H = U D Uᵀ with U unit upper triangular, the cost is a sum of squares, one an element,
///
///     eᵀ H e = Σ_j D_j (e_j + Σ_{i<j} U_ij e_i)²,
///
/// so that whoever chooses the elements in their order knows at each what the errors before it ask of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"

namespace prwkv::quant {

class Metric {
 public:
  /// `moments` is H, (n, n), symmetric and non-negative definite. `damping` times its mean diagonal is
  /// added to the diagonal: inputs that were never seen count a little. Cost: n³/6 multiplications, and
  /// the memory of a second H.
  Metric(std::vector<float> moments, std::int64_t n, double damping, ThreadPool& pool);

  [[nodiscard]] std::int64_t size() const { return n_; }
  [[nodiscard]] const float* row(std::int64_t i) const { return at(h_, i); }
  [[nodiscard]] float diagonal(std::int64_t i) const { return row(i)[i]; }
  /// Row i of U; only the elements behind the diagonal mean anything.
  [[nodiscard]] const float* factor(std::int64_t i) const { return at(u_, i); }
  /// D_j: what a unit error in element j costs when those behind it make up for it as well as they can.
  [[nodiscard]] std::span<const float> pivots() const { return d_; }

 private:
  void factorise(ThreadPool& pool);
  void reduce(std::int64_t i, std::int64_t begin, std::int64_t end);
  [[nodiscard]] const float* at(const std::vector<float>& m, std::int64_t i) const {
    return m.data() + i * n_;
  }

  std::int64_t n_;
  std::vector<float> h_, u_, d_;
};

}  // namespace prwkv::quant
