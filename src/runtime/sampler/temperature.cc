/// Temperature: p ← p^(1/T) / Σ p^(1/T), which is z ← z / T. T < 1 sharpens, T > 1 flattens.
/// Source: sample_logits in the package rwkv, where it comes after the cuts.
#include "runtime/sampler/softmax.h"

namespace prwkv {
namespace {

class Temperature final : public Processor {
 public:
  explicit Temperature(double temperature) : temperature_(temperature) {}
  std::string_view name() const override { return "temperature"; }
  void apply(Candidates& c) override {
    // Relative to the highest, which changes no probability: a tiny T then sends the others to −∞
    // instead of all to ∞.
    const double highest = static_cast<double>(highest_logit(c.list));
    for (Candidate& each : c.list) {
      each.logit = static_cast<float>((static_cast<double>(each.logit) - highest) / temperature_);
    }
  }
  std::unique_ptr<Processor> clone() const override { return std::make_unique<Temperature>(*this); }

 private:
  double temperature_;
};

}  // namespace

std::unique_ptr<Processor> make_temperature(double temperature) {
  return std::make_unique<Temperature>(temperature);
}

}  // namespace prwkv
