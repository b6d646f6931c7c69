/// How far the predictions of one model are from those of another, over a text that both are made to
/// follow (teacher forcing).
///
///     KL     Σ_v p_v ln(p_v / q_v), p of the original, q of the other: nats a token
///     top-1  share of tokens for which both find the same one likeliest
///     ppl    exp of the mean −ln p(the token that follows), of either
///
/// Sums and exponentials are in f64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "runtime/engine.h"

namespace prwkv {

/// −ln softmax(z)[target].
double surprise(std::span<const float> z, std::int32_t target);
double surprise(std::span<const double> z, std::int32_t target);

struct Agreement {
  std::size_t tokens = 0;
  double kl = 0;                                     ///< mean
  double kl_median = 0, kl_p99 = 0, kl_largest = 0;  ///< of the tokens
  double kl_error = 0;                               ///< standard error of the mean
  double top1 = 0;                                   ///< 0 … 1
  double ppl_original = 0, ppl = 0;                  ///< of the original, of the other
  double nll_original = 0, nll = 0;                  ///< their logarithms
};

/// Collects pairs of predictions.
class Comparison {
 public:
  /// Logits of both for the same place, and the token that follows there.
  void add(std::span<const float> original, std::span<const float> other, std::int32_t next);
  [[nodiscard]] Agreement result() const;

 private:
  std::vector<double> kl_;
  std::size_t same_top_ = 0;
  double nll_original_ = 0, nll_ = 0;
};

/// Called with the tokens done, of all; false throws Error{kCancelled}.
using CompareProgress = std::function<bool(std::size_t done, std::size_t total)>;

/// Feeds `tokens` to the original and to each of the others, in pieces, and compares what they say about
/// the token behind each but the last. Memory does not grow with the text, but for a number a token.
/// Throws Error{kMismatch} if vocabularies differ in size, Error{kInvalidArgument} for fewer than two tokens.
std::vector<Agreement> compare_models(const std::shared_ptr<Engine>& original,
                                      std::span<const std::shared_ptr<Engine>> others,
                                      std::span<const std::int32_t> tokens,
                                      const CompareProgress& progress = {});

}  // namespace prwkv
