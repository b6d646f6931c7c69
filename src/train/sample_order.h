/// Which sample comes when, and which are held out: all by formula, so that a sample's number is all
/// there is to know, and no table grows with the data.
#pragma once

#include <cstdint>

namespace prwkv {

/// SplitMix64's finalizer (Steele et al. 2014): numbers in a row become unrelated ones.
std::uint64_t mix64(std::uint64_t value);

/// A random order of [0, count): a Feistel network over a power of four of at least that size, walked
/// until it comes back below count.
class Permutation {
 public:
  /// Orders of different keys are unrelated. `count` >= 1.
  Permutation(std::int64_t count, std::uint64_t key);
  /// A bijection of [0, count).
  std::int64_t operator()(std::int64_t i) const;

 private:
  std::uint64_t count_, key_;
  int half_bits_;
};

/// `held` of [0, count) set aside: [0, count) is cut into `held` stretches, as equal as can be, and from
/// each goes one at a random place. So the rest keeps its order, and sorted data are covered evenly.
/// Which ones these are depends on both numbers alone.
class Holdout {
 public:
  Holdout() = default;
  /// 0 <= held <= count.
  Holdout(std::int64_t count, std::int64_t held) : count_(count), held_(held) {}

  [[nodiscard]] std::int64_t held() const { return held_; }
  [[nodiscard]] std::int64_t kept() const { return count_ - held_; }
  /// The j-th that is held out, j < held(); increasing.
  [[nodiscard]] std::int64_t held_out(std::int64_t j) const;
  /// The i-th that is kept; increasing. Beyond kept() it goes on counting from `count`.
  [[nodiscard]] std::int64_t kept_at(std::int64_t i) const;

 private:
  std::int64_t count_ = 0, held_ = 0;
};

/// The order of BlinkDL's trainers (RWKV-LM, dataset.py) over a stream of tokens: sample i begins at
/// ((f (i + 1)³) mod p) · context, where p is the magic prime and f = ⌊p (√5 − 1) / 2⌋. Cubing is a
/// bijection modulo a prime p ≡ 2 (mod 3), so every p samples visit each place once.
///
/// The magic prime: the largest prime p ≡ 2 (mod 3) below ⌊tokens / context⌋ − 1; 0 if there is none.
std::int64_t magic_prime(std::int64_t tokens, std::int64_t context);
/// (f (i + 1)³) mod p for sample i.
std::int64_t magic_place(std::int64_t prime, std::uint64_t i);

}  // namespace prwkv
