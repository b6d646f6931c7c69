/// Finds which of many byte strings is the longest one at the start of a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace prwkv {

/// A trie as a double array: the child of a node by byte b is slot base + b, and that slot says
/// whether it really is that child. One step is one load of 8 bytes, and the 116,079 nodes of the
/// World vocabulary take about 1 MB.
class ByteTrie {
 public:
  struct Entry {
    std::string_view bytes;  ///< not empty; not needed after construction
    std::int32_t id;         ///< in [0, 2^28)
  };
  struct Match {
    std::int32_t id = -1;  ///< -1: nothing matches
    std::size_t length = 0;
  };

  static constexpr std::size_t kMaxBytes = std::size_t{8} << 20;

  /// Matches nothing.
  ByteTrie() : ByteTrie({}, "") {}
  /// Of entries with equal bytes only one is found. Throws Error{kFormat}, naming `where`, for
  /// entries of more than kMaxBytes together or when they would need more than 2^26 slots, so that
  /// a hostile file cannot ask for gigabytes.
  ByteTrie(const std::vector<Entry>& entries, std::string_view where);

  [[nodiscard]] Match longest(std::string_view text) const noexcept {
    Match best;
    std::uint64_t node = root_;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::uint64_t byte = static_cast<unsigned char>(text[i]);
      node = slots_[base_of(node) + byte];
      if ((node & kLabelMask) != (kTaken | byte)) break;
      if (const std::uint64_t id = node >> kIdShift; id != 0) {
        best.id = static_cast<std::int32_t>(id - 1);
        best.length = i + 1;
      }
    }
    return best;
  }

  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return slots_.size() * sizeof slots_[0];
  }

 private:
  // A slot from the low bits up: 8 bits the byte that leads here, 1 bit "taken", 26 bits base, 29
  // bits id + 1. No two nodes have the same base, so the byte alone tells whose child a slot is.
  static constexpr std::uint64_t kTaken = 0x100, kLabelMask = 0x1ff;
  static constexpr int kBaseShift = 9, kIdShift = 35;
  static std::uint64_t base_of(std::uint64_t node) noexcept {
    return node >> kBaseShift & ((std::uint64_t{1} << (kIdShift - kBaseShift)) - 1);
  }

  std::uint64_t root_ = 0;
  std::vector<std::uint64_t> slots_;
};

}  // namespace prwkv
