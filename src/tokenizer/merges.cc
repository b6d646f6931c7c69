#include "tokenizer/merges.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/error.h"

namespace prwkv {
namespace {

// Up to here a scan for the lowest rank beats a heap.
constexpr std::size_t kShortWord = 32;

}  // namespace

Merges::Merges(std::size_t count, const std::array<std::int32_t, 256>& byte_ids)
    : byte_ids_(byte_ids), slots_(std::bit_ceil(2 * count + 2), kFree) {
  merged_.reserve(count);
  shift_ = 64 - std::countr_zero(slots_.size());
}

bool Merges::add(std::int32_t left, std::int32_t right, std::int32_t merged) {
  const std::uint64_t pair = pair_of(left, right);
  std::size_t i = first_slot(pair);
  for (; slots_[i] != kFree; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i] >> kBits == pair) return false;
  }
  slots_[i] = pair << kBits | merged_.size();
  merged_.push_back(merged);
  return true;
}

void Merges::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (word.size() == 1) {
    ids.push_back(byte_ids_[static_cast<unsigned char>(word[0])]);
  } else if (word.size() <= kShortWord) {
    encode_short(word, ids);
  } else {
    encode_long(word, ids);
  }
}

void Merges::encode_short(std::string_view word, std::vector<std::int32_t>& ids) const {
  std::array<std::int32_t, kShortWord> tokens;
  std::array<Rank, kShortWord> ranks;  // of each token with its right neighbour
  std::size_t n = word.size();
  for (std::size_t i = 0; i < n; ++i) tokens[i] = byte_ids_[static_cast<unsigned char>(word[i])];
  for (std::size_t i = 0; i + 1 < n; ++i) ranks[i] = rank_of(tokens[i], tokens[i + 1]);
  while (n > 1) {
    const std::size_t best = static_cast<std::size_t>(
        std::min_element(ranks.begin(), ranks.begin() + n - 1) - ranks.begin());
    if (ranks[best] == kNone) break;
    tokens[best] = merged_[ranks[best]];
    --n;
    std::copy(tokens.begin() + best + 2, tokens.begin() + n + 1, tokens.begin() + best + 1);
    std::copy(ranks.begin() + best + 1, ranks.begin() + n, ranks.begin() + best);
    if (best > 0) ranks[best - 1] = rank_of(tokens[best - 1], tokens[best]);
    if (best + 1 < n) ranks[best] = rank_of(tokens[best], tokens[best + 1]);
  }
  ids.insert(ids.end(), tokens.begin(), tokens.begin() + n);
}

void Merges::encode_long(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (word.size() >= kNone)
    fail(Code::kInvalidArgument, "a word of 4 GiB or more cannot be encoded");
  // A list of tokens linked by positions; a merge keeps the left position and takes the right one
  // out.
  struct Node {
    std::int32_t token;
    Rank rank;  // with the next one; kNone also for those taken out
    std::uint32_t previous, next;
  };
  const auto n = static_cast<std::uint32_t>(word.size());
  std::vector<Node> nodes(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    nodes[i] = {byte_ids_[static_cast<unsigned char>(word[i])], kNone, i - 1, i + 1};
  }
  // Rank first, then position: the smallest is the next merge. An entry that no longer agrees with
  // its node is stale.
  std::vector<std::uint64_t> heap;
  const auto entry_for = [&](std::uint32_t i) -> std::uint64_t {
    Node& node = nodes[i];
    node.rank = node.next == n ? kNone : rank_of(node.token, nodes[node.next].token);
    return static_cast<std::uint64_t>(node.rank) << 32 | i;
  };
  const auto is_merge = [](std::uint64_t entry) { return entry >> 32 != kNone; };
  for (std::uint32_t i = 0; i < n; ++i) {
    if (const std::uint64_t entry = entry_for(i); is_merge(entry)) heap.push_back(entry);
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto push = [&](std::uint32_t i) {
    const std::uint64_t entry = entry_for(i);
    if (!is_merge(entry)) return;
    heap.push_back(entry);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto rank = static_cast<Rank>(heap.back() >> 32);
    const auto i = static_cast<std::uint32_t>(heap.back());
    heap.pop_back();
    Node& node = nodes[i];
    if (node.rank != rank) continue;
    Node& gone = nodes[node.next];
    node.token = merged_[rank];
    node.next = gone.next;
    gone.rank = kNone;
    if (node.next != n) nodes[node.next].previous = i;
    push(i);
    if (i > 0) push(node.previous);
  }
  for (std::uint32_t i = 0; i != n; i = nodes[i].next) ids.push_back(nodes[i].token);
}

}  // namespace prwkv
