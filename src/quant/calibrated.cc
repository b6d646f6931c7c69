#include "quant/calibrated.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "quant/blocks.h"
#include "quant/pack.h"
#include "quant/panels.h"
#include "quant/search.h"
#include "quant/vectors.h"

namespace prwkv::quant {
namespace {

constexpr int kMostElements = 256, kMostSubs = 16;
constexpr std::int64_t kBatchRows = 1024;
constexpr int kSweeps = 6;  // over a row, after the first rounding
constexpr int kRounds = 1;  // over a block, in a sweep

/// What the values of a type can be: x = d code q − dmin low, with one code and low a sub-block.
struct Lattice {
  DType dtype;
  int size, sub;              ///< elements of a block, and of a sub-block
  bool iq4;                   ///< q is one of IQ4's levels, else an integer …
  float least, most;          ///< … between these
  float low_code, high_code;  ///< 1, 1: there is none, and d is the scale
  float most_low;             ///< 0: no minimum; 1: dmin is the minimum, of any sign

  [[nodiscard]] int subs() const { return size / sub; }
  [[nodiscard]] bool has_codes() const { return low_code != high_code; }
  [[nodiscard]] bool has_minimum() const { return most_low > 0; }
  [[nodiscard]] float nearest(float x) const {
    return iq4 ? Iq4Levels::nearest(x) : round_to_integer(clamped(x, least, most));
  }
};

constexpr float kIq4Low = Iq4Levels::kLow, kIq4High = Iq4Levels::kHigh;
constexpr std::array<Lattice, 12> kLattices = {{
    {DType::kQ4_0, 32, 32, false, -8, 7, 1, 1, 0},
    {DType::kQ4_1, 32, 32, false, 0, 15, 1, 1, 1},
    {DType::kQ5_0, 32, 32, false, -16, 15, 1, 1, 0},
    {DType::kQ5_1, 32, 32, false, 0, 31, 1, 1, 1},
    {DType::kQ8_0, 32, 32, false, -127, 127, 1, 1, 0},
    {DType::kQ2_K, 256, 16, false, 0, 3, 0, 15, 15},
    {DType::kQ3_K, 256, 16, false, -4, 3, -32, 31, 0},
    {DType::kQ4_K, 256, 32, false, 0, 15, 0, 63, 63},
    {DType::kQ5_K, 256, 32, false, 0, 31, 0, 63, 63},
    {DType::kQ6_K, 256, 16, false, -32, 31, -128, 127, 0},
    {DType::kIQ4_NL, 32, 32, true, kIq4Low, kIq4High, 1, 1, 0},
    {DType::kIQ4_XS, 256, 32, true, kIq4Low, kIq4High, -32, 31, 0},
}};

const Lattice& lattice_of(DType dtype) {
  return *std::find_if(kLattices.begin(), kLattices.end(),
                       [&](const Lattice& l) { return l.dtype == dtype; });
}

/// A block before it is packed; the members that pack() asks for.
struct Fit {
  float d = 0, dmin = 0;
  float code[kMostSubs] = {}, low[kMostSubs] = {};
  float q[kMostElements] = {};

  [[nodiscard]] Line line(int s) const { return {d * code[s], dmin * low[s]}; }
};

void store(DType dtype, const Fit& fit, std::byte* bytes) {
  with_block(dtype, [&]<class Block>() {
    Block block;
    pack(fit, block);
    std::memcpy(bytes, &block, sizeof block);
  });
}

/// As best_scale and best_line of search.h, for any lattice and with a weight for each error.
class LineSearch {
 public:
  LineSearch(const Lattice& lattice, const float* x, const float* weight)
      : lattice_(lattice), n_(lattice.sub), x_(x), weight_(weight) {}

  [[nodiscard]] Line best() const { return lattice_.has_minimum() ? shifted() : scaled(); }

 private:
  [[nodiscard]] Line scaled() const {
    float extreme = 0;
    for (int i = 0; i < n_; ++i) extreme = std::abs(x_[i]) > std::abs(extreme) ? x_[i] : extreme;
    if (extreme == 0) return {0, 0};
    const float step = lattice_.iq4 ? Iq4Levels::kGuessStep : lattice_.most / 80 + 0.02F;
    float best = extreme / lattice_.least, most_explained = 0;
    for (const float end : {lattice_.least, lattice_.most}) {
      for (int guess = -9; guess <= 12; ++guess) {
        const float inverse = (end + static_cast<float>(guess) * step) / extreme;
        float xq = 0, qq = 0;
        for (int i = 0; i < n_; ++i) {
          const float q = lattice_.nearest(x_[i] * inverse);
          xq += weight_[i] * x_[i] * q;
          qq += weight_[i] * q * q;
        }
        if (qq > 0 && xq * xq > most_explained * qq) {
          most_explained = xq * xq / qq;
          best = xq / qq;
        }
      }
    }
    return {best, 0};
  }

  [[nodiscard]] Line shifted() const {
    const auto [smallest, largest] = range();
    if (largest <= smallest) return {0, -smallest};
    Line best = {(largest - smallest) / lattice_.most, -smallest};
    float least = cost(best);
    for (int guess = -10; guess <= 10; ++guess) {
      const float inverse =
          (lattice_.most + 0.1F * static_cast<float>(guess)) / (largest - smallest);
      const Line line = regression(smallest, inverse);
      if (!(line.scale > 0)) continue;
      const float c = cost(line);
      if (c < least) least = c, best = line;
    }
    return best;
  }

  /// Minima of two-level types are never positive.
  [[nodiscard]] std::pair<float, float> range() const {
    const auto [low, high] = std::minmax_element(x_, x_ + n_);
    return {lattice_.has_codes() ? std::min(*low, 0.0F) : *low, *high};
  }

  [[nodiscard]] Line regression(float smallest, float inverse) const {
    float w = 0, wx = 0, wq = 0, wqq = 0, wxq = 0;
    for (int i = 0; i < n_; ++i) {
      const float q = lattice_.nearest((x_[i] - smallest) * inverse);
      w += weight_[i];
      wx += weight_[i] * x_[i];
      wq += weight_[i] * q;
      wqq += weight_[i] * q * q;
      wxq += weight_[i] * x_[i] * q;
    }
    const float determinant = w * wqq - wq * wq;
    if (!(determinant > 0)) return {0, 0};
    const Line line = {(w * wxq - wx * wq) / determinant, (wq * wxq - wqq * wx) / determinant};
    return lattice_.has_codes() && line.low < 0 ? Line{wxq / wqq, 0} : line;
  }

  [[nodiscard]] float cost(const Line& line) const {
    const float inverse = reciprocal(line.scale);
    float sum = 0;
    for (int i = 0; i < n_; ++i) {
      const float off =
          x_[i] - (line.scale * lattice_.nearest((x_[i] + line.low) * inverse) - line.low);
      sum += weight_[i] * off * off;
    }
    return sum;
  }

  const Lattice& lattice_;
  int n_;
  const float *x_, *weight_;
};

/// Scales for a block that is wanted to be x; quants are still missing.
Fit scales_for(const Lattice& lattice, const float* x, const float* weight) {
  Line wanted[kMostSubs];
  float extreme = 0, most_low = 0;
  for (int s = 0; s < lattice.subs(); ++s) {
    wanted[s] = LineSearch(lattice, x + s * lattice.sub, weight + s * lattice.sub).best();
    if (std::abs(wanted[s].scale) > std::abs(extreme)) extreme = wanted[s].scale;
    most_low = std::max(most_low, wanted[s].low);
  }
  Fit fit;
  if (!lattice.has_codes()) {
    fit.d = as_stored(wanted[0].scale);
    fit.dmin = as_stored(wanted[0].low);
    fit.code[0] = fit.low[0] = 1;
    return fit;
  }
  const float end = lattice.low_code < 0 ? lattice.low_code : lattice.high_code;
  fit.d = as_stored(extreme / end);
  if (lattice.has_minimum()) fit.dmin = as_stored(most_low / lattice.most_low);
  for (int s = 0; s < lattice.subs(); ++s) {
    fit.code[s] = round_to_integer(
        clamped(wanted[s].scale * reciprocal(fit.d), lattice.low_code, lattice.high_code));
    fit.low[s] =
        round_to_integer(clamped(wanted[s].low * reciprocal(fit.dmin), 0, lattice.most_low));
  }
  return fit;
}

/// One row on its way: what is wanted, what is stored, what that costs.
struct Row {
  const float* wanted;
  float* error;    ///< e = wanted − stored
  float* carried;  ///< Σ_{i<j} U_ij e_i, as far as it is known
  float* slope;    ///< g = H e
  Fit* fits;
};

/// Lowers the cost of one block of a row, all others being as they are. Inside, errors and slopes are
/// those of the block; the rest of the row hears of the changes afterwards.
class BlockDescent {
 public:
  BlockDescent(const Lattice& lattice, const Metric& metric, std::int64_t begin, const Row& row,
               const Fit& start)
      : lattice_(lattice), metric_(metric), begin_(begin), fit_(start) {
    std::copy_n(row.error + begin, lattice.size, error_);
    std::copy_n(row.slope + begin, lattice.size, slope_);
    std::copy_n(row.wanted + begin, lattice.size, wanted_);
  }

  /// Whether anything changed.
  bool run() {
    bool changed = false;
    for (int round = 0; round < kRounds; ++round) {
      bool moved = false;
      for (int s = 0; s < lattice_.subs(); ++s) moved = move_scale(s) || moved;
      if (lattice_.has_codes()) moved = move_all_scales() || moved;
      for (int s = 0; lattice_.has_minimum() && s < lattice_.subs(); ++s)
        moved = move_minimum(s) || moved;
      for (int j = 0; j < lattice_.size; ++j) moved = move_quant(j) || moved;
      changed = changed || moved;
      if (!moved) break;
    }
    return changed;
  }

  [[nodiscard]] const Fit& fit() const { return fit_; }
  [[nodiscard]] const float* error() const { return error_; }

 private:
  /// H within the block.
  [[nodiscard]] const float* metric_row(int j) const { return metric_.row(begin_ + j) + begin_; }

  /// Elements [first, first + n) in another form: their stored values in `stored`. Kept if the cost
  /// falls; a change x̂ += δ costs δᵀHδ − 2 δᵀg.
  bool try_stored(int first, int n, const float* stored) {
    float delta[kMostElements];
    double linear = 0, quadratic = 0;
    for (int i = 0; i < n; ++i) {
      delta[i] = stored[i] - (wanted_[first + i] - error_[first + i]);
      linear += static_cast<double>(delta[i]) * static_cast<double>(slope_[first + i]);
    }
    if (!(linear > 0)) return false;
    for (int i = 0; i < n; ++i) {
      if (delta[i] != 0)
        quadratic += static_cast<double>(delta[i]) * dot(metric_row(first + i) + first, delta, n);
    }
    // Roundings must not keep the descent going.
    if (!(quadratic < 2 * linear * (1 - 1e-5))) return false;
    for (int i = 0; i < n; ++i) {
      if (delta[i] == 0) continue;
      error_[first + i] = wanted_[first + i] - stored[i];
      add_scaled(-delta[i], metric_row(first + i), slope_, lattice_.size);
    }
    return true;
  }

  /// The step along `direction` that lowers the cost most.
  [[nodiscard]] float best_step(int first, int n, const float* direction) const {
    double linear = 0, quadratic = 0;
    for (int i = 0; i < n; ++i) {
      if (direction[i] == 0) continue;
      linear += static_cast<double>(direction[i]) * static_cast<double>(slope_[first + i]);
      quadratic +=
          static_cast<double>(direction[i]) * dot(metric_row(first + i) + first, direction, n);
    }
    return quadratic > 0 ? static_cast<float>(linear / quadratic) : 0;
  }

  /// Sub-block s with these scales instead.
  bool try_line(int s, const Line& line) {
    const int first = s * lattice_.sub;
    float stored[kMostElements];
    for (int i = 0; i < lattice_.sub; ++i) stored[i] = line.scale * fit_.q[first + i] - line.low;
    return try_stored(first, lattice_.sub, stored);
  }

  bool move_scale(int s) {
    const int first = s * lattice_.sub;
    const Line now = fit_.line(s);
    const float wanted = now.scale + best_step(first, lattice_.sub, fit_.q + first);
    if (!lattice_.has_codes()) {
      const float d = as_stored(wanted);
      if (d == fit_.d || !try_line(s, {d, now.low})) return false;
      fit_.d = d;
      return true;
    }
    const float code = round_to_integer(
        clamped(wanted * reciprocal(fit_.d), lattice_.low_code, lattice_.high_code));
    if (code == fit_.code[s] || !try_line(s, {fit_.d * code, now.low})) return false;
    fit_.code[s] = code;
    return true;
  }

  bool move_all_scales() {
    float direction[kMostElements], stored[kMostElements];
    for (int j = 0; j < lattice_.size; ++j) direction[j] = fit_.code[j / lattice_.sub] * fit_.q[j];
    const float d = as_stored(fit_.d + best_step(0, lattice_.size, direction));
    if (d == fit_.d) return false;
    for (int j = 0; j < lattice_.size; ++j) {
      const int s = j / lattice_.sub;
      stored[j] = d * fit_.code[s] * fit_.q[j] - fit_.dmin * fit_.low[s];
    }
    if (!try_stored(0, lattice_.size, stored)) return false;
    fit_.d = d;
    return true;
  }

  bool move_minimum(int s) {
    float direction[kMostElements];
    std::fill_n(direction, lattice_.sub, -1.0F);
    const Line now = fit_.line(s);
    const float wanted = now.low + best_step(s * lattice_.sub, lattice_.sub, direction);
    if (!lattice_.has_codes()) {
      const float dmin = as_stored(wanted);
      if (dmin == fit_.dmin || !try_line(s, {now.scale, dmin})) return false;
      fit_.dmin = dmin;
      return true;
    }
    const float low =
        round_to_integer(clamped(wanted * reciprocal(fit_.dmin), 0, lattice_.most_low));
    if (low == fit_.low[s] || !try_line(s, {now.scale, fit_.dmin * low})) return false;
    fit_.low[s] = low;
    return true;
  }

  bool move_quant(int j) {
    const Line line = fit_.line(j / lattice_.sub);
    if (line.scale == 0) return false;
    const float h = metric_row(j)[j];
    const float now = wanted_[j] - error_[j];
    const float q = lattice_.nearest((now + slope_[j] / h + line.low) / line.scale);
    if (q == fit_.q[j]) return false;
    const float stored = line.scale * q - line.low;
    const float delta = stored - now;
    if (!(delta * (delta * h - 2 * slope_[j]) < -1e-5F * delta * delta * h)) return false;
    fit_.q[j] = q;
    error_[j] = wanted_[j] - stored;
    add_scaled(-delta, metric_row(j), slope_, lattice_.size);
    return true;
  }

  const Lattice& lattice_;
  const Metric& metric_;
  std::int64_t begin_;
  float slope_[kMostElements], wanted_[kMostElements];

  Fit fit_;
  float error_[kMostElements];
};

/// Some rows of a matrix, from values to blocks. Inside a panel of columns each row goes by itself; what
/// a panel means to the rest of the rows is one product for all of them.
class Batch {
 public:
  Batch(const Lattice& lattice, const Metric& metric, const float* values, std::int64_t rows,
        ThreadPool& pool, const Product& product)
      : lattice_(lattice),
        metric_(metric),
        panels_(metric, rows, pool, product),
        pool_(pool),
        n_(metric.size()),
        rows_(rows),
        values_(values),
        error_(floats(rows * n_)),
        carried_(floats(rows * n_)),
        slope_(floats(rows * n_)),
        fits_(static_cast<std::size_t>(rows * n_ / lattice.size)) {}

  CalibratedCost run(std::byte* blocks) {
    for (const Panel& p : panels_.forward()) {
      each_row([&](std::int64_t r) { round(row(r), p); });
      panels_.carry(p, error_.data(), carried_.data());
    }
    panels_.apply(error_.data(), slope_.data());
    for (int sweep = 0; sweep < kSweeps && descend() > 0; ++sweep) {
    }
    return write(blocks);
  }

 private:
  static std::vector<float> floats(std::int64_t n) {
    return std::vector<float>(static_cast<std::size_t>(n));
  }
  template <class F>
  void each_row(const F& f) {
    pool_.parallel_for(rows_, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) f(r);
    });
  }
  Row row(std::int64_t r) {
    return {values_ + r * n_, error_.data() + r * n_, carried_.data() + r * n_,
            slope_.data() + r * n_, fits_.data() + r * (n_ / lattice_.size)};
  }

  // The errors so far ask for other values than the row has; these get scales and are rounded in turn.
  void round(const Row& row, const Panel& panel) const {
    for (std::int64_t begin = panel.begin; begin < panel.end; begin += lattice_.size)
      round(row, begin, panel.end);
  }

  void round(const Row& row, std::int64_t begin, std::int64_t panel_end) const {
    float target[kMostElements] = {};
    for (int j = 0; j < lattice_.size; ++j)
      target[j] = searchable(row.wanted[begin + j] + row.carried[begin + j]);
    Fit& fit = row.fits[begin / lattice_.size];
    fit = scales_for(lattice_, target, metric_.pivots().data() + begin);
    for (int j = 0; j < lattice_.size; ++j) {
      const std::int64_t at = begin + j;
      const Line line = fit.line(j / lattice_.sub);
      const float x = row.wanted[at] + row.carried[at];
      fit.q[j] = lattice_.nearest((x + line.low) * reciprocal(line.scale));
      row.error[at] = row.wanted[at] - (line.scale * fit.q[j] - line.low);
      add_scaled(row.error[at], metric_.factor(at) + at + 1, row.carried + at + 1,
                 panel_end - at - 1);
    }
  }

  // One sweep; returns how many blocks changed.
  std::int64_t descend() {
    std::atomic<std::int64_t> changed = 0;
    std::vector<float> before = floats(rows_ * panels_.width());
    for (const Panel& p : panels_.forward()) {
      const std::int64_t width = p.end - p.begin;
      std::atomic<std::int64_t> here = 0;
      each_row([&](std::int64_t r) {
        float* change = before.data() + r * width;
        std::copy_n(row(r).error + p.begin, width, change);
        here += descend(row(r), p);
        for (std::int64_t j = 0; j < width; ++j) change[j] = row(r).error[p.begin + j] - change[j];
      });
      if (here > 0) panels_.add_slopes(p, before.data(), slope_.data());
      changed += here;
    }
    return changed;
  }

  std::int64_t descend(const Row& row, const Panel& panel) const {
    std::int64_t changed = 0;
    for (std::int64_t begin = panel.begin; begin < panel.end; begin += lattice_.size) {
      Fit& fit = row.fits[begin / lattice_.size];
      BlockDescent block(lattice_, metric_, begin, row, fit);
      if (!block.run()) continue;
      ++changed;
      fit = block.fit();
      for (int j = 0; j < lattice_.size; ++j) {
        float& error = row.error[begin + j];
        const float change = block.error()[j] - error;
        if (change == 0) continue;
        error = block.error()[j];
        add_scaled(change, metric_.row(begin + j) + panel.begin, row.slope + panel.begin,
                   panel.end - panel.begin);
      }
    }
    return changed;
  }

  // What the bytes really mean decides, and the plain rounding is the least that is given.
  CalibratedCost write(std::byte* blocks) {
    const std::size_t block_bytes = info(lattice_.dtype).block_bytes;
    const std::size_t bytes = row_bytes(lattice_.dtype, n_);
    std::vector<std::byte> plain(static_cast<std::size_t>(rows_) * bytes);
    each_row([&](std::int64_t r) {
      std::byte* to = blocks + static_cast<std::size_t>(r) * bytes;
      for (std::int64_t b = 0; b < n_ / lattice_.size; ++b)
        store(lattice_.dtype, row(r).fits[b], to + static_cast<std::size_t>(b) * block_bytes);
      quantize(lattice_.dtype, row(r).wanted, n_,
               plain.data() + static_cast<std::size_t>(r) * bytes);
    });
    const std::vector<double> found = costs(blocks), nearest = costs(plain.data());
    CalibratedCost total;
    for (std::size_t r = 0; r < found.size(); ++r) {
      if (!(found[r] <= nearest[r]))
        std::memcpy(blocks + r * bytes, plain.data() + r * bytes, bytes);
      total.nearest += nearest[r];
      total.calibrated += std::min(found[r], nearest[r]);
    }
    return total;
  }

  std::vector<double> costs(const std::byte* blocks) {
    std::vector<double> cost(static_cast<std::size_t>(rows_));
    each_row([&](std::int64_t r) {
      dequantize(lattice_.dtype,
                 blocks + static_cast<std::size_t>(r) * row_bytes(lattice_.dtype, n_), n_,
                 row(r).error);
      for (std::int64_t j = 0; j < n_; ++j) row(r).error[j] = row(r).wanted[j] - row(r).error[j];
    });
    panels_.apply(error_.data(), slope_.data());
    each_row([&](std::int64_t r) {
      cost[static_cast<std::size_t>(r)] = dot(row(r).error, row(r).slope, n_);
    });
    return cost;
  }

  const Lattice& lattice_;
  const Metric& metric_;
  Panels panels_;
  ThreadPool& pool_;
  std::int64_t n_, rows_;
  const float* values_;
  std::vector<float> error_, carried_, slope_;  // (rows, n)
  std::vector<Fit> fits_;
};

}  // namespace

CalibratedCost quantize_calibrated(DType dtype, const float* values, std::int64_t rows,
                                   const Metric& metric, std::byte* blocks, ThreadPool& pool,
                                   const Product& product) {
  const Lattice& lattice = lattice_of(dtype);
  const std::int64_t n = metric.size();
  CalibratedCost total;
  for (std::int64_t first = 0; first < rows; first += kBatchRows) {
    Batch batch(lattice, metric, values + first * n, std::min(kBatchRows, rows - first), pool,
                product);
    const CalibratedCost cost =
        batch.run(blocks + static_cast<std::size_t>(first) * row_bytes(dtype, n));
    total.nearest += cost.nearest;
    total.calibrated += cost.calibrated;
  }
  return total;
}

}  // namespace prwkv::quant
