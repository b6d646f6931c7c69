#include "tokenizer/byte_trie.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace prwkv {
namespace {

/// What entries are sorted by: nearly all comparisons end in the prefix, far from the string.
struct Key {
  std::uint64_t prefix;  // the first 8 bytes, big-endian, zeros behind the end
  const ByteTrie::Entry* entry;
};

std::vector<Key> sorted(const std::vector<ByteTrie::Entry>& entries) {
  std::vector<Key> keys;
  keys.reserve(entries.size());
  for (const ByteTrie::Entry& entry : entries) {
    std::uint64_t prefix = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      prefix =
          prefix << 8 | (i < entry.bytes.size() ? static_cast<unsigned char>(entry.bytes[i]) : 0U);
    }
    keys.push_back({prefix, &entry});
  }
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : a.entry->bytes < b.entry->bytes;
  });
  return keys;
}

/// Bits without an end; those never set are zero.
class Bits {
 public:
  void set(std::size_t i) {
    reserve_word(i / 64);
    words_[i / 64] |= std::uint64_t{1} << i % 64;
  }
  /// The 64 bits from bit i on.
  std::uint64_t from(std::size_t i) {
    reserve_word(i / 64 + 1);
    const std::uint64_t low = words_[i / 64] >> i % 64;
    return i % 64 == 0 ? low : low | words_[i / 64 + 1] << (64 - i % 64);
  }

 private:
  void reserve_word(std::size_t word) {
    if (word >= words_.size()) words_.resize(word + word / 2 + 1);
  }
  std::vector<std::uint64_t> words_;
};

/// Where the children of each node go: the first place, from a sliding start on, where all of them
/// find a free slot.
class Places {
 public:
  std::size_t take(const std::vector<unsigned char>& labels) {
    for (std::size_t at = start_;; at += 64) {
      std::uint64_t fits = ~bases_.from(at);
      for (const unsigned char label : labels) {
        fits &= ~slots_.from(at + label);
        if (fits == 0) break;
      }
      // What lies a long search behind is nearly full. Giving it up bounds the time.
      if (at - start_ > kLongSearch) start_ += 64;
      if (fits == 0) continue;
      const std::size_t base = at + static_cast<std::size_t>(std::countr_zero(fits));
      bases_.set(base);
      for (const unsigned char label : labels) slots_.set(base + label);
      return base;
    }
  }

 private:
  static constexpr std::size_t kLongSearch = 8 * 64;
  // The first 256 slots stay empty: a node without children has base 0 and so finds none.
  std::size_t start_ = 256;
  Bits slots_, bases_;
};

}  // namespace

ByteTrie::ByteTrie(const std::vector<Entry>& entries, std::string_view where) : slots_(2 * 256) {
  std::size_t total = 0;
  for (const Entry& entry : entries) total += entry.bytes.size();
  if (total > kMaxBytes) {
    fail(Code::kFormat, "{}: the vocabulary is too large: its tokens have {} bytes (limit {})",
         where, total, kMaxBytes);
  }
  const std::vector<Key> keys = sorted(entries);
  Places places;
  // A node is the range of entries that begin with its bytes. Breadth first, so that the nodes near
  // the root, which every search visits, lie close together.
  struct Node {
    std::size_t begin, end, depth, slot;
  };
  std::vector<Node> queue{{0, keys.size(), 0, 0}};
  std::vector<unsigned char> labels;
  std::vector<std::size_t> begins;
  std::size_t highest_base = 256;
  for (std::size_t n = 0; n < queue.size(); ++n) {
    Node node = queue[n];
    std::uint64_t filled = node.depth == 0 ? 0 : slots_[node.slot];
    for (; node.begin < node.end && keys[node.begin].entry->bytes.size() == node.depth;
         ++node.begin) {
      const auto id = static_cast<std::uint64_t>(keys[node.begin].entry->id);
      filled = (filled & ((std::uint64_t{1} << kIdShift) - 1)) | (id + 1) << kIdShift;
    }
    labels.clear();
    begins.clear();
    for (std::size_t i = node.begin; i < node.end; ++i) {
      const auto label = static_cast<unsigned char>(keys[i].entry->bytes[node.depth]);
      if (!labels.empty() && labels.back() == label) continue;
      labels.push_back(label);
      begins.push_back(i);
    }
    if (!labels.empty()) {
      begins.push_back(node.end);
      const std::size_t base = places.take(labels);
      if (base >> (kIdShift - kBaseShift) != 0) {
        fail(Code::kFormat,
             "{}: the vocabulary is too irregular: its trie has more than 2^26 slots", where);
      }
      highest_base = std::max(highest_base, base);
      if (slots_.size() < base + 256) slots_.resize(base + base / 4 + 256);
      filled |= static_cast<std::uint64_t>(base) << kBaseShift;
      for (std::size_t k = 0; k < labels.size(); ++k) {
        slots_[base + labels[k]] = kTaken | labels[k];
        queue.push_back({begins[k], begins[k + 1], node.depth + 1, base + labels[k]});
      }
    }
    (node.depth == 0 ? root_ : slots_[node.slot]) = filled;
  }
  slots_.resize(highest_base + 256);  // so a search needs no bounds check
  slots_.shrink_to_fit();
}

}  // namespace prwkv
