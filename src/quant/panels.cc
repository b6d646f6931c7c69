#include "quant/panels.h"

#include <algorithm>

#include "quant/vectors.h"

namespace prwkv::quant {
namespace {

constexpr std::int64_t kWidth = 256;  // a multiple of every block

}  // namespace

Product plain_product(ThreadPool& pool) {
  return [&pool](float* y, const float* x, std::int64_t rows, const float* w, std::int64_t out,
                 std::int64_t in) {
    pool.parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        for (std::int64_t o = 0; o < out; ++o)
          y[r * out + o] = static_cast<float>(dot(x + r * in, w + o * in, in));
      }
    });
  };
}

Panels::Panels(const Metric& metric, std::int64_t rows, ThreadPool& pool, const Product& product)
    : metric_(metric), rows_(rows), n_(metric.size()), pool_(pool), product_(product) {
  for (std::int64_t begin = 0; begin < n_; begin += kWidth)
    panels_.push_back({begin, std::min(begin + kWidth, n_)});
}

std::int64_t Panels::width() const { return std::min(kWidth, n_); }

void Panels::apply(const float* e, float* g) const {
  product_(g, e, rows_, metric_.row(0), n_, n_);
}

void Panels::add_product(const float* from, std::int64_t in, std::int64_t out, float* to,
                         std::int64_t begin, Add sign) {
  y_.resize(static_cast<std::size_t>(rows_ * out));
  product_(y_.data(), from, rows_, w_.data(), out, in);
  const float s = sign == Add::kPlus ? 1.0F : -1.0F;
  pool_.parallel_for(rows_, 16, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r)
      add_scaled(s, y_.data() + r * out, to + r * n_ + begin, out);
  });
}

const float* Panels::gathered(const Panel& p, const float* from) {
  const std::int64_t in = p.end - p.begin;
  x_.resize(static_cast<std::size_t>(rows_ * in));
  for (std::int64_t r = 0; r < rows_; ++r)
    std::copy_n(from + r * n_ + p.begin, in, x_.data() + r * in);
  return x_.data();
}

void Panels::carry(const Panel& p, const float* e, float* carried) {
  carry(p, e, carried, Add::kPlus);
}

void Panels::carry(const Panel& p, const float* e, float* to, Add sign) {
  const std::int64_t in = p.end - p.begin, out = n_ - p.end;
  if (out == 0) return;
  w_.resize(static_cast<std::size_t>(in * out));
  for (std::int64_t i = 0; i < in; ++i) {
    const float* factor = metric_.factor(p.begin + i) + p.end;
    for (std::int64_t j = 0; j < out; ++j) w_[static_cast<std::size_t>(j * in + i)] = factor[j];
  }
  add_product(gathered(p, e), in, out, to, p.end, sign);
}

void Panels::add_slopes(const Panel& p, const float* delta, float* g) {
  const std::int64_t in = p.end - p.begin;
  for (const Panel& rest : {Panel{0, p.begin}, Panel{p.end, n_}}) {
    const std::int64_t out = rest.end - rest.begin;
    if (out == 0) continue;
    w_.resize(static_cast<std::size_t>(in * out));
    for (std::int64_t j = 0; j < out; ++j)
      std::copy_n(metric_.row(rest.begin + j) + p.begin, in, w_.data() + j * in);
    add_product(delta, in, out, g, rest.begin, Add::kPlus);
  }
}

// H = U D Uᵀ: first U from the last column to the first, then D, then Uᵀ from the first to the last.
void Panels::solve(float* x) {
  const auto each_row = [&](const auto& f) {
    pool_.parallel_for(rows_, 4, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r) f(x + r * n_);
    });
  };
  for (auto p = panels_.rbegin(); p != panels_.rend(); ++p) {
    each_row([&](float* row) {
      for (std::int64_t i = p->end - 1; i >= p->begin; --i)
        row[i] = static_cast<float>(static_cast<double>(row[i]) -
                                    dot(metric_.factor(i) + i + 1, row + i + 1, p->end - i - 1));
    });
    const std::int64_t in = p->end - p->begin;
    if (p->begin == 0) continue;
    w_.resize(static_cast<std::size_t>(in * p->begin));
    for (std::int64_t i = 0; i < p->begin; ++i)
      std::copy_n(metric_.factor(i) + p->begin, in, w_.data() + i * in);
    add_product(gathered(*p, x), in, p->begin, x, 0, Add::kMinus);
  }
  each_row([&](float* row) {
    for (std::int64_t i = 0; i < n_; ++i) row[i] /= metric_.pivots()[static_cast<std::size_t>(i)];
  });
  for (const Panel& p : panels_) {
    each_row([&](float* row) {
      for (std::int64_t i = p.begin; i < p.end; ++i)
        add_scaled(-row[i], metric_.factor(i) + i + 1, row + i + 1, p.end - i - 1);
    });
    carry(p, x, x, Add::kMinus);
  }
}

}  // namespace prwkv::quant
