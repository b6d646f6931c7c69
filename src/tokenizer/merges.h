/// The merges of a byte-pair encoding and how they turn a word into tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace prwkv {

/// Starting from single bytes, joins the neighbours with the lowest rank, the leftmost ones first,
/// until no neighbours are in the table. Immutable after the last add().
class Merges {
 public:
  static constexpr std::size_t kMaxMerges = std::size_t{1} << 20;

  /// Room for `count` <= kMaxMerges merges; `byte_ids` are the tokens of those of the 256 bytes
  /// that occur in words.
  Merges(std::size_t count, const std::array<std::int32_t, 256>& byte_ids);

  /// The next rank: `left` and `right` become `merged`. All are in [0, 2^20]. False if that pair
  /// was added before.
  bool add(std::int32_t left, std::int32_t right, std::int32_t merged);

  /// Appends the tokens of `word`. O(n log n) for n bytes.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

 private:
  using Rank = std::uint32_t;
  static constexpr Rank kNone = ~Rank{0};

  // A slot of the hash table: 21 bits left, 21 bits right, 21 bits rank, so that most look-ups
  // touch one cache line.
  static constexpr int kBits = 21;
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  static std::uint64_t pair_of(std::int32_t left, std::int32_t right) noexcept {
    return static_cast<std::uint64_t>(left) << kBits | static_cast<std::uint64_t>(right);
  }
  [[nodiscard]] std::size_t first_slot(std::uint64_t pair) const noexcept {
    return static_cast<std::size_t>((pair * 0x9e3779b97f4a7c15) >> shift_);
  }
  [[nodiscard]] Rank rank_of(std::int32_t left, std::int32_t right) const noexcept {
    const std::uint64_t pair = pair_of(left, right);
    for (std::size_t i = first_slot(pair);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i] >> kBits == pair) return static_cast<Rank>(slots_[i] & ((1U << kBits) - 1));
      if (slots_[i] == kFree) return kNone;
    }
  }
  void encode_short(std::string_view word, std::vector<std::int32_t>& ids) const;
  void encode_long(std::string_view word, std::vector<std::int32_t>& ids) const;

  std::array<std::int32_t, 256> byte_ids_;
  std::vector<std::uint64_t> slots_;
  std::vector<std::int32_t> merged_;  // by rank
  int shift_;
};

}  // namespace prwkv
