/// Top-p, or nucleus: with p = softmax(z) sorted from the highest, the cutoff is the first pᵢ at which
/// p₁ + … + pᵢ ≥ top_p, and every token with p ≥ cutoff stays: ties with the last one do, too.
/// Source: Holtzman et al. 2019, arXiv 1904.09751; sample_logits in the package rwkv.
#include <algorithm>
#include <vector>

#include "runtime/sampler/softmax.h"

namespace prwkv {
namespace {

// A sorted list is not needed, only the place of the cutoff: sum e^z in cells of equal width, see in
// which cell the sum passes top_p, and look closer at that one. One pass over a whole vocabulary,
// however flat its distribution is; sorting 65,536 logits would take longer than a small model.
class TopP final : public Processor {
 public:
  explicit TopP(double p) : p_(p) {}
  std::string_view name() const override { return "top_p"; }
  void apply(Candidates& c) override {
    const float least = cutoff(c.list);
    std::erase_if(c.list, [least](const Candidate& each) { return each.logit < least; });
  }
  std::unique_ptr<Processor> clone() const override { return std::make_unique<TopP>(p_); }

 private:
  static constexpr std::size_t kCells = 1024;
  // Of the first pass, from the highest logit downwards; the last cell has everything below. All of a
  // vocabulary there would weigh 65536 e^−24 ≈ 2e-6 of the most likely token alone.
  static constexpr float kFirstRange = 24.0F;
  static constexpr std::size_t kFewEnough = 64;  // to be sorted

  float cutoff(std::span<const Candidate> all) {
    const float highest = highest_logit(all);
    std::span<const Candidate> open = all;  // where the cutoff is
    float top = highest, range = kFirstRange;
    double missing = 0;  // of the sum, below `top`
    for (bool first = true;; first = false) {
      weights_.resize(open.size());
      exp_of_differences(open, highest, weights_.data());
      const auto cell_of = [top, range](float logit) {
        constexpr float kLast = kCells - 1;
        return static_cast<std::size_t>(std::min((top - logit) / range * kCells, kLast));
      };
      cells_.assign(kCells, 0.0);
      for (std::size_t i = 0; i < open.size(); ++i) {
        cells_[cell_of(open[i].logit)] += static_cast<double>(weights_[i]);
      }
      if (first) {
        for (const double sum : cells_) missing += sum;
        missing *= p_;
      }
      // Rounding may leave a crumb missing after the last cell that weighs anything: stay there.
      std::size_t cell = 0;
      for (std::size_t i = 0; i < kCells; ++i) {
        if (cells_[i] == 0) continue;
        cell = i;
        if (missing <= cells_[i]) break;
        missing -= cells_[i];
      }
      std::vector<Candidate> closer;  // `open` may be closer_ itself
      for (std::size_t i = 0; i < open.size(); ++i) {
        if (weights_[i] > 0 && cell_of(open[i].logit) == cell) closer.push_back(open[i]);
      }
      closer_ = std::move(closer);
      const auto by_logit = [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; };
      if (closer_.size() <= kFewEnough) {
        std::sort(closer_.begin(), closer_.end(), by_logit);
        for (const Candidate& each : closer_) {
          missing -= static_cast<double>(exp_of_negative(each.logit - highest));
          if (missing <= 0) return each.logit;
        }
        return closer_.back().logit;
      }
      const auto [most, least] = std::minmax_element(closer_.begin(), closer_.end(), by_logit);
      if (most->logit == least->logit) return most->logit;
      top = most->logit;
      range = most->logit - least->logit;
      open = closer_;
    }
  }

  double p_;
  // Scratch of one call.
  std::vector<float> weights_;
  std::vector<double> cells_;
  std::vector<Candidate> closer_;
};

}  // namespace

std::unique_ptr<Processor> make_top_p(double p) { return std::make_unique<TopP>(p); }

}  // namespace prwkv
