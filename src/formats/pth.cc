#include "formats/pth.h"

#include <array>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "formats/pickle.h"
#include "formats/untrusted.h"
#include "formats/zip.h"

namespace prwkv {
namespace {

// All copies of non-contiguous tensors together, in file sizes: a legitimate file has every element
// at most a few times, while a stride of 0 can make gigabytes out of one element.
constexpr std::uint64_t kMaxCopiedFileSizes = 2;

bool is_contiguous(const PickledTensor& t) {
  std::int64_t expected = 1;
  for (std::size_t i = t.shape.size(); i-- > 0;) {
    if (t.shape[i] != 1 && t.strides[i] != expected) return false;
    expected *= t.shape[i];
  }
  return true;
}

// One more than the index of the last element that the tensor touches; -1 beyond 2⁶³.
std::int64_t end_of(const PickledTensor& t) {
  std::int64_t last = t.offset;
  for (std::size_t i = 0; i < t.shape.size(); ++i) {
    if (t.shape[i] == 0) return t.offset;
    std::int64_t span = 0;
    if (!checked_multiply(t.shape[i] - 1, t.strides[i], span) || !checked_add(last, span, last))
      return -1;
  }
  std::int64_t end = 0;
  return checked_add(last, 1, end) ? end : -1;
}

// The elements of `t` in row-major order. The caller has checked that they lie inside `storage`.
std::vector<std::byte> gather(const PickledTensor& t, std::span<const std::byte> storage) {
  std::vector<std::byte> dense(t.byte_count());
  const std::size_t size = info(t.dtype).block_bytes;
  std::array<std::int64_t, kMaxStoredRank> index{};
  // Unsigned: a dimension of size 1 may have any stride, and stepping over its end may wrap round
  // before the step is taken back.
  auto from = static_cast<std::uint64_t>(t.offset);
  for (std::size_t to = 0; to < dense.size(); to += size) {
    std::memcpy(dense.data() + to, storage.data() + from * size, size);
    for (std::size_t i = t.shape.size(); i-- > 0;) {
      const auto stride = static_cast<std::uint64_t>(t.strides[i]);
      from += stride;
      if (++index[i] < t.shape[i]) break;
      from -= stride * static_cast<std::uint64_t>(t.shape[i]);
      index[i] = 0;
    }
  }
  return dense;
}

class Pth final : public Reader {
 public:
  explicit Pth(MappedFile mapped) : Reader(std::move(mapped)) {
    const std::vector<ZipMember> members = read_zip(file().bytes(), path());
    for (const ZipMember& m : members) members_.emplace(m.name, m.bytes);
    // PyTorch, too, takes the first member's folder for the root.
    if (!members.empty()) root_ = members[0].name.substr(0, members[0].name.find('/'));
    const auto* const pickle = member("data.pkl");
    if (pickle == nullptr) {
      throw Error(Code::kUnsupported, path() + ": is a zip archive, but no PyTorch checkpoint",
                  {.expected = "a member FOLDER/data.pkl",
                   .found = members.empty() ? "no members"
                                            : "the first member is " + in_quotes(members[0].name),
                   .hint = "if the model is inside this archive, unpack it"});
    }
    check_byte_order();
    for (PickledTensor& tensor : read_state_dict(*pickle, path())) add_tensor(std::move(tensor));
    members_.clear();
  }
  [[nodiscard]] std::string_view format() const override { return "pth"; }

 private:
  [[nodiscard]] const std::span<const std::byte>* member(std::string_view name) const {
    const auto found = members_.find(fmt::format("{}/{}", root_, name));
    return found == members_.end() ? nullptr : &found->second;
  }
  void check_byte_order() const;
  void add_tensor(PickledTensor tensor);
  [[nodiscard]] std::span<const std::byte> storage_of(const PickledTensor& t) const;

  std::string_view root_;
  std::unordered_map<std::string_view, std::span<const std::byte>> members_;
  std::vector<std::vector<std::byte>> copies_;
  std::uint64_t copied_bytes_ = 0;
};

// Files from before the member was introduced are little-endian.
void Pth::check_byte_order() const {
  const auto* const order = member("byteorder");
  if (order == nullptr || as_text(*order) == "little") return;
  throw Error(Code::kUnsupported, path() + ": was not written on a little-endian machine",
              {.expected = "byteorder 'little'",
               .found = in_quotes(as_text(*order)),
               .hint = "load it with PyTorch on such a machine and torch.save it again"});
}

std::span<const std::byte> Pth::storage_of(const PickledTensor& t) const {
  const std::string name = fmt::format("data/{}", t.storage.substr(0, kMaxNameBytes));
  const auto* const storage = member(name);
  if (storage == nullptr) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor '{}': the archive has no storage {}", path(), t.name,
                            in_quotes(t.storage)),
                {.expected = "a member " + in_quotes(fmt::format("{}/{}", root_, name)),
                 .found = "none of that name"});
  }
  std::int64_t bytes = 0;
  if (!checked_multiply(t.storage_numel, static_cast<std::int64_t>(info(t.dtype).block_bytes),
                        bytes) ||
      static_cast<std::uint64_t>(bytes) != storage->size()) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor '{}': storage {} has the wrong size", path(), t.name,
                            in_quotes(t.storage)),
                {.expected = fmt::format("{} elements of {}", t.storage_numel, name_of(t.dtype)),
                 .found = fmt::format("{} bytes", storage->size())});
  }
  return *storage;
}

void Pth::add_tensor(PickledTensor t) {
  t.check(path());
  const std::span<const std::byte> storage = storage_of(t);
  const std::int64_t end = end_of(t);
  if (end < 0 || end > t.storage_numel) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor '{}' reaches beyond its storage", path(), t.name),
                {.expected = fmt::format("at most {} elements", t.storage_numel),
                 .found = fmt::format("sizes {}, offset {}", t.shape_str(), t.offset)});
  }
  std::span<const std::byte> elements;
  if (t.numel() == 0 || is_contiguous(t)) {
    elements =
        storage.subspan(row_bytes(t.dtype, t.offset), static_cast<std::size_t>(t.byte_count()));
  } else {
    const std::uint64_t limit = kMaxCopiedFileSizes * file().bytes().size();
    if (t.byte_count() > limit - copied_bytes_) {
      throw Error(Code::kFormat,
                  fmt::format("{}: tensor '{}' repeats its storage too often", path(), t.name),
                  {.expected = fmt::format("at most {} bytes in non-contiguous tensors", limit),
                   .found = fmt::format("{} bytes up to this one", copied_bytes_ + t.byte_count()),
                   .hint = "a harmless file? torch.save the tensors after .contiguous()"});
    }
    copied_bytes_ += t.byte_count();
    elements = copies_.emplace_back(gather(t, storage));
  }
  add({static_cast<TensorSpec&&>(t), elements});
}

}  // namespace

std::unique_ptr<Reader> open_pth(MappedFile file) { return std::make_unique<Pth>(std::move(file)); }

}  // namespace prwkv
