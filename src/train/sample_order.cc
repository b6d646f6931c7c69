#include "train/sample_order.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace prwkv {
namespace {

constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15u;
constexpr int kFeistelRounds = 6;  // four make it random by theory; two more for small counts
// At least 64 values: networks over fewer know too few orders.
constexpr int kLeastHalfBits = 3;

__extension__ using Wide = unsigned __int128;

std::uint64_t multiply_modulo(std::uint64_t a, std::uint64_t b, std::uint64_t m) {
  return static_cast<std::uint64_t>(Wide{a} * b % m);
}

bool is_prime(std::int64_t n) {
  if (n < 4) return n >= 2;
  if (n % 2 == 0) return false;
  for (std::int64_t d = 3; d <= n / d; d += 2) {
    if (n % d == 0) return false;
  }
  return true;
}

/// ⌊j · count / parts⌋: where stretch j begins.
std::int64_t stretch_begin(std::int64_t j, std::int64_t count, std::int64_t parts) {
  return static_cast<std::int64_t>(Wide(j) * Wide(count) / Wide(parts));
}

}  // namespace

std::uint64_t mix64(std::uint64_t value) {
  value += kGoldenGamma;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

Permutation::Permutation(std::int64_t count, std::uint64_t key)
    : count_(static_cast<std::uint64_t>(count)),
      key_(key),
      half_bits_(std::max(kLeastHalfBits, (static_cast<int>(std::bit_width(count_ - 1)) + 1) / 2)) {
}

std::int64_t Permutation::operator()(std::int64_t i) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  auto at = static_cast<std::uint64_t>(i);
  do {
    std::uint64_t left = at >> half_bits_, right = at & mask;
    for (int round = 0; round < kFeistelRounds; ++round) {
      const std::uint64_t round_key = mix64(key_ + static_cast<std::uint64_t>(round));
      const std::uint64_t next = left ^ (mix64(round_key ^ right) & mask);
      left = right;
      right = next;
    }
    at = left << half_bits_ | right;
  } while (at >= count_);
  return static_cast<std::int64_t>(at);
}

std::int64_t Holdout::held_out(std::int64_t j) const {
  const std::int64_t begin = stretch_begin(j, count_, held_);
  const auto length = static_cast<std::uint64_t>(stretch_begin(j + 1, count_, held_) - begin);
  return begin + static_cast<std::int64_t>(mix64(static_cast<std::uint64_t>(j)) % length);
}

std::int64_t Holdout::kept_at(std::int64_t i) const {
  // In front of the j-th that is held out, held_out(j) − j are kept: a number that never falls.
  std::int64_t low = 0, high = held_;
  while (low < high) {
    const std::int64_t j = low + (high - low) / 2;
    if (held_out(j) - j <= i) {
      low = j + 1;
    } else {
      high = j;
    }
  }
  return i + low;
}

std::int64_t magic_prime(std::int64_t tokens, std::int64_t context) {
  std::int64_t p = tokens / context - 2;
  while (p > 1 && (p % 3 != 2 || !is_prime(p))) --p;
  return p > 1 ? p : 0;
}

std::int64_t magic_place(std::int64_t prime, std::uint64_t i) {
  const auto p = static_cast<std::uint64_t>(prime);
  const auto f =
      static_cast<std::uint64_t>(static_cast<double>(prime) * ((std::sqrt(5.0) - 1) / 2));
  const std::uint64_t n = i % p + 1;
  const std::uint64_t cube = multiply_modulo(multiply_modulo(n, n, p), n, p);
  return static_cast<std::int64_t>(multiply_modulo(f, cube, p));
}

}  // namespace prwkv
