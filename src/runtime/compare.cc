#include "runtime/compare.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace prwkv {
namespace {

constexpr std::size_t kRowsPerCall = 128;  // logits of so many tokens are in memory at a time

/// ln Σ e^z, relative to the largest z.
struct Normaliser {
  template <class T>
  explicit Normaliser(std::span<const T> z) {
    const auto at = std::max_element(z.begin(), z.end());
    top = at - z.begin();
    highest = static_cast<double>(*at);
    double sum = 0;
    for (const T x : z) sum += std::exp(static_cast<double>(x) - highest);
    log_sum = std::log(sum);
  }
  [[nodiscard]] double log_p(double z) const { return z - highest - log_sum; }
  std::ptrdiff_t top;
  double highest, log_sum;
};

template <class T>
double surprise_of(std::span<const T> z, std::int32_t target) {
  return -Normaliser(z).log_p(static_cast<double>(z[static_cast<std::size_t>(target)]));
}

}  // namespace

double surprise(std::span<const float> z, std::int32_t target) { return surprise_of(z, target); }
double surprise(std::span<const double> z, std::int32_t target) { return surprise_of(z, target); }

void Comparison::add(std::span<const float> original, std::span<const float> other,
                     std::int32_t next) {
  const Normaliser p(original), q(other);
  double kl = 0;
  for (std::size_t v = 0; v < original.size(); ++v) {
    const double log_p = p.log_p(static_cast<double>(original[v]));
    kl += std::exp(log_p) * (log_p - q.log_p(static_cast<double>(other[v])));
  }
  kl_.push_back(std::max(kl, 0.0));  // below zero by rounding only
  if (p.top == q.top) ++same_top_;
  const auto at = static_cast<std::size_t>(next);
  nll_original_ -= p.log_p(static_cast<double>(original[at]));
  nll_ -= q.log_p(static_cast<double>(other[at]));
}

Agreement Comparison::result() const {
  Agreement a;
  a.tokens = kl_.size();
  if (kl_.empty()) return a;
  const auto n = static_cast<double>(kl_.size());
  a.kl = std::accumulate(kl_.begin(), kl_.end(), 0.0) / n;
  double variance = 0;
  for (const double x : kl_) variance += (x - a.kl) * (x - a.kl);
  a.kl_error = std::sqrt(variance) / n;
  std::vector<double> sorted = kl_;
  std::sort(sorted.begin(), sorted.end());
  a.kl_median = sorted[(sorted.size() - 1) / 2];
  a.kl_p99 = sorted[(sorted.size() - 1) * 99 / 100];
  a.kl_largest = sorted.back();
  a.top1 = static_cast<double>(same_top_) / n;
  a.nll_original = nll_original_ / n;
  a.nll = nll_ / n;
  a.ppl_original = std::exp(a.nll_original);
  a.ppl = std::exp(a.nll);
  return a;
}

std::vector<Agreement> compare_models(const std::shared_ptr<Engine>& original,
                                      std::span<const std::shared_ptr<Engine>> others,
                                      std::span<const std::int32_t> tokens,
                                      const CompareProgress& progress) {
  if (tokens.size() < 2)
    fail(Code::kInvalidArgument, "two models are compared on two tokens at least, not {}",
         tokens.size());
  const auto V = static_cast<std::size_t>(original->info().dims.V);
  std::vector<Session> sessions;
  for (const auto& other : others) {
    if (other->info().dims.V == original->info().dims.V) continue;
    throw Error(Code::kMismatch, other->info().path + ": another vocabulary than the original's",
                {.expected = fmt::format("{} entries", V),
                 .found = fmt::format("{}", other->info().dims.V)});
  }
  Session first = original->session();
  for (const auto& other : others) sessions.push_back(other->session());

  const auto logits_of = [](Engine& engine, Session& session, std::span<const std::int32_t> part) {
    Work work{.session = &session, .tokens = part, .want = Logits::kAll};
    engine.run(std::span(&work, 1));
    return std::move(work.logits);
  };
  std::vector<Comparison> comparisons(others.size());
  const std::size_t total = tokens.size() - 1;
  for (std::size_t done = 0; done < total;) {
    const auto part = tokens.subspan(done, std::min(kRowsPerCall, total - done));
    const std::vector<float> expected = logits_of(*original, first, part);
    for (std::size_t i = 0; i < others.size(); ++i) {
      const std::vector<float> found = logits_of(*others[i], sessions[i], part);
      for (std::size_t t = 0; t < part.size(); ++t)
        comparisons[i].add(std::span(expected).subspan(t * V, V),
                           std::span(found).subspan(t * V, V), tokens[done + t + 1]);
    }
    done += part.size();
    if (progress && !progress(done, total)) fail(Code::kCancelled, "stopped while comparing");
  }
  std::vector<Agreement> results;
  results.reserve(comparisons.size());
  for (const Comparison& c : comparisons) results.push_back(c.result());
  return results;
}

}  // namespace prwkv
