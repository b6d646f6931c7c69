#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace prwkv {

ParamGroup group_of(const Param& p) {
  if (p.stored == Stored::kMatrix) return {.lr = 1, .decays = true};
  if (p.name.ends_with(".att.time_decay") || p.name.ends_with(".att.w0")) return {.lr = 2};
  if (p.name.ends_with(".att.time_first")) return {.lr = 3};
  return {};
}

AdamW::AdamW(Backend& backend, std::span<const Trained> parameters, const AdamWOptions& options)
    : backend_(backend), parameters_(parameters), options_(options) {
  const auto zeros = [&](const Shape& shape) {
    Tensor t;
    t.shape = shape;
    t.dtype = backend_.activation_dtype();
    memory_.push_back(backend_.allocate(t.bytes()));
    backend_.will_stream(memory_.back());
    t.data = memory_.back().data();
    return t;
  };
  for (const Trained& p : parameters_) {
    moments_.push_back(zeros(p.value.shape));
    moments_.push_back(zeros(p.value.shape));
  }
  squares_ = zeros({static_cast<std::int64_t>(parameters_.size())});
}

std::size_t AdamW::bytes() const {
  std::size_t total = 0;
  for (const Buffer& b : memory_) total += b.bytes();
  return total;
}

double AdamW::norm(const ParamGrads& gradients) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    backend_.sum_of_squares(
        {squares_.rows(static_cast<std::int64_t>(i), 1), gradients.of(parameters_[i].value)});
  }
  const std::vector<double> squares = backend_.values(squares_);
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

const Trained* AdamW::first_not_finite() const {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    backend_.sum_of_squares({squares_.rows(static_cast<std::int64_t>(i), 1), parameters_[i].value});
  const std::vector<double> squares = backend_.values(squares_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!std::isfinite(squares[i])) return &parameters_[i];
  }
  return nullptr;
}

// PyTorch's clip_grad_norm_: gradients · min(1, clip / (norm + 1e-6)).
void AdamW::step(const ParamGrads& gradients, double norm, double lr, std::int64_t t) {
  const double scale = options_.clip > 0 ? std::min(1.0, options_.clip / (norm + 1e-6)) : 1;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Trained& p = parameters_[i];
    backend_.adamw({.p = p.value,
                    .m = m(i),
                    .v = v(i),
                    .g = gradients.of(p.value),
                    .gradient_scale = scale,
                    .lr = lr * p.group.lr,
                    .decay = p.group.decays ? options_.weight_decay : 0,
                    .beta1 = options_.beta1,
                    .beta2 = options_.beta2,
                    .eps = options_.eps,
                    .correction1 = 1 - std::pow(options_.beta1, static_cast<double>(t)),
                    .correction2 = 1 - std::pow(options_.beta2, static_cast<double>(t))});
  }
}

}  // namespace prwkv
