/// Top-p, or nucleus: with p = softmax(z) sorted from the highest, the cutoff is the first pᵢ at
/// which p₁ + … + pᵢ ≥ top_p, and every token with p ≥ cutoff stays: ties with the last one do,
/// too. Source: Holtzman et al. 2019, arXiv 1904.09751; sample_logits in the package rwkv.
#include <algorithm>
#include <vector>

#include "runtime/sampler/softmax.h"

namespace prwkv {
namespace {

// A sorted list is not needed, only the place of the cutoff: sum e^z in cells of equal width, see
// in which cell the sum passes top_p, and look closer at that one. One pass over a whole
// vocabulary, however flat its distribution is; sorting 65,536 logits would take longer than a
// small model.
class TopP final : public Processor {
 public:
  explicit TopP(double p) : p_(p) {}
  std::string_view name() const override { return "top_p"; }
  void apply(Candidates& c) override {
    const float least = cutoff(c.list);
    // Every candidate is written, and overwritten if it does not stay: no branch to predict.
    std::size_t kept = 0;
    for (const Candidate each : c.list) {
      c.list[kept] = each;
      kept += each.logit >= least ? 1 : 0;
    }
    c.list.resize(kept);
  }
  std::unique_ptr<Processor> clone() const override { return std::make_unique<TopP>(p_); }

 private:
  static constexpr std::size_t kCells = 1024;
  // Of the first pass at most, from the highest logit downwards; the last cell has everything
  // below. All of a vocabulary there would weigh 65536 e^−24 ≈ 2e-6 of the most likely token alone.
  static constexpr float kFirstRange = 24.0F;
  static constexpr std::size_t kFewEnough = 64;  // to be sorted
  static constexpr float kSame = 1e-30F;         // a difference that changes no e^z

  float cutoff(std::span<const Candidate> all) {
    const float highest = highest_logit(all);
    std::span<const Candidate> open = all;  // where the cutoff is
    float top = highest, range = std::min(highest - lowest_logit(all), kFirstRange);
    double missing = 0;  // of the sum, below `top`
    for (bool first = true;; first = false) {
      if (range < kSame) return lowest_logit(open);
      sum_cells(open, highest, top, range);
      if (first) {
        for (const double sum : sums_) missing += sum;
        missing *= p_;
      }
      // Rounding may leave a crumb missing after the last cell that weighs anything: stay there.
      std::size_t cell = 0;
      for (std::size_t i = 0; i < kCells; ++i) {
        if (sums_[i] == 0) continue;
        cell = i;
        if (missing <= sums_[i]) break;
        missing -= sums_[i];
      }
      std::vector<Candidate> closer;  // `open` may be closer_ itself
      for (std::size_t i = 0; i < open.size(); ++i) {
        if (static_cast<std::size_t>(cells_[i]) == cell && weights_[i] > 0)
          closer.push_back(open[i]);
      }
      closer_ = std::move(closer);
      if (closer_.size() <= kFewEnough) break;
      top = highest_logit(closer_);
      range = top - lowest_logit(closer_);
      open = closer_;
    }
    std::sort(closer_.begin(), closer_.end(),
              [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
    for (const Candidate& each : closer_) {
      missing -= static_cast<double>(exp_of_negative(each.logit - highest));
      if (missing <= 0) return each.logit;
    }
    return closer_.back().logit;
  }

  /// Weight and cell of every candidate, and the sum of each cell.
  void sum_cells(std::span<const Candidate> open, float highest, float top, float range) {
    weights_.resize(open.size());
    cells_.resize(open.size());
    exp_of_differences(open, highest, weights_.data());
    const float scale = static_cast<float>(kCells) / range;
    constexpr auto kLast = std::bit_cast<std::uint32_t>(static_cast<float>(kCells - 1));
    for (std::size_t i = 0; i < open.size(); ++i) {
      // Positive numbers compare as their bits do, and so even ∞ ends in the last cell.
      const auto place = std::bit_cast<std::uint32_t>((top - open[i].logit) * scale);
      cells_[i] = static_cast<std::int32_t>(std::bit_cast<float>(std::min(place, kLast)));
    }
    sums_.assign(kCells, 0.0);
    for (std::size_t i = 0; i < open.size(); ++i) {
      sums_[static_cast<std::size_t>(cells_[i])] += static_cast<double>(weights_[i]);
    }
  }

  double p_;
  // Scratch of one call.
  std::vector<float> weights_;
  std::vector<std::int32_t> cells_;
  std::vector<double> sums_;
  std::vector<Candidate> closer_;
};

}  // namespace

std::unique_ptr<Processor> make_top_p(double p) { return std::make_unique<TopP>(p); }

}  // namespace prwkv
