/// The bytes of every token of a vocabulary, one after the other in one string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace prwkv {

/// Ids beyond this are refused, so that a damaged file cannot ask for gigabytes.
inline constexpr std::int32_t kMaxTokenId = 1 << 20;

class TokenBytes {
 public:
  /// One more than the largest id.
  [[nodiscard]] int size() const noexcept { return static_cast<int>(parts_.size()); }
  void grow_to(int size) {
    if (size > this->size()) parts_.resize(static_cast<std::size_t>(size));
  }
  /// Gives `id`, in [0, kMaxTokenId], its bytes.
  void set(std::int32_t id, std::string_view bytes) {
    grow_to(id + 1);
    parts_[static_cast<std::size_t>(id)] = {static_cast<std::uint32_t>(pool_.size()),
                                            static_cast<std::uint32_t>(bytes.size())};
    pool_ += bytes;
  }
  /// Empty for ids that have none. Valid until the next set().
  [[nodiscard]] std::string_view operator[](std::int32_t id) const noexcept {
    if (id < 0 || id >= size()) return {};
    const Part part = parts_[static_cast<std::size_t>(id)];
    return {pool_.data() + part.begin, part.length};
  }

 private:
  struct Part {
    std::uint32_t begin = 0, length = 0;
  };
  std::string pool_;
  std::vector<Part> parts_;
};

}  // namespace prwkv
