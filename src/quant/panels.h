/// Products of many rows with a metric and its factor, panel by panel: the bulk of the arithmetic of
/// calibrated.h, in the form of matrix products that a backend has fast kernels for.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/thread_pool.h"
#include "quant/metric.h"

namespace prwkv::quant {

/// y = x wᵀ: y (rows, out), x (rows, in), w (out, in), all f32. May use all threads.
using Product = std::function<void(float* y, const float* x, std::int64_t rows, const float* w,
                                   std::int64_t out, std::int64_t in)>;
/// Without a backend: a loop.
[[nodiscard]] Product plain_product(ThreadPool& pool);

/// Columns [begin, end).
struct Panel {
  std::int64_t begin, end;
};

/// For matrices of `rows` rows of metric.size() values.
class Panels {
 public:
  Panels(const Metric& metric, std::int64_t rows, ThreadPool& pool, const Product& product);

  /// All of them, from the first to the last. A multiple of 256 columns each, but for the last.
  [[nodiscard]] const std::vector<Panel>& forward() const { return panels_; }
  /// Columns of the widest.
  [[nodiscard]] std::int64_t width() const;

  /// g = e H.
  void apply(const float* e, float* g) const;
  /// carried_j += Σ_i e_i U_ij for i in the panel, j behind it.
  void carry(const Panel& p, const float* e, float* carried);
  /// g += δ H, where δ (rows, columns of the panel) is what e changed by in the panel, and the columns of
  /// the panel itself are there already.
  void add_slopes(const Panel& p, const float* delta, float* g);
  /// x ← x H⁻¹.
  void solve(float* x);

 private:
  enum class Add { kPlus, kMinus };
  /// to[:, begin + j] ± = Σ_i from[:, i] w_[j][i] for j < out, i < in; from is (rows, in).
  void add_product(const float* from, std::int64_t in, std::int64_t out, float* to,
                   std::int64_t begin, Add sign);
  void carry(const Panel& p, const float* e, float* to, Add sign);
  const float* gathered(const Panel& p, const float* from);

  const Metric& metric_;
  std::int64_t rows_, n_;
  ThreadPool& pool_;
  const Product& product_;
  std::vector<Panel> panels_;
  std::vector<float> w_, x_, y_;
};

}  // namespace prwkv::quant
