/// What every weight file format offers: named, typed, bounds-checked views of a mapped file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/dtype.h"

namespace prwkv {

/// The limits that keep hostile files cheap; all readers and writers share them.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{100} << 20;
inline constexpr std::size_t kMaxTensors = 1 << 17;
inline constexpr std::size_t kMaxNameBytes = 1024;
inline constexpr std::size_t kMaxStoredRank = 8;

/// Name, type and sizes of a tensor in a file.
struct TensorSpec {
  std::string name;  ///< as written in the file: printable ASCII
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  ///< slowest first, at most kMaxStoredRank; () is a scalar

  /// Both without overflow for every spec that check() lets pass.
  [[nodiscard]] std::int64_t numel() const;
  [[nodiscard]] std::uint64_t byte_count() const;
  /// "(768, 64)"
  [[nodiscard]] std::string shape_str() const;
  /// Throws Error{kFormat} naming `file` for an unusable name, too many dimensions, a negative size
  /// or sizes whose product is beyond any file.
  void check(const std::string& file) const;
};

/// One tensor as it lies in the file: dense and row-major.
struct StoredTensor : TensorSpec {
  /// Exactly byte_count() long; inside the mapping, or owned by the reader.
  std::span<const std::byte> bytes;
};

/// An open weight file. Everything it hands out has been checked against the file's size and stays
/// valid as long as the reader lives. Alignment is NOT promised: elements may start at any byte.
class Reader {
 public:
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;
  /// "pth", "safetensors", "rwkv.cpp"
  [[nodiscard]] virtual std::string_view format() const = 0;
  /// In the file's order; names are unique.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// nullptr if there is none of that name.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const;
  /// Free-form facts the file states about itself (safetensors __metadata__, header fields).
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  [[nodiscard]] const MappedFile& file() const { return file_; }

 protected:
  explicit Reader(MappedFile file) : file_(std::move(file)) {}
  [[nodiscard]] const std::string& path() const { return file_.path(); }
  /// Adds a tensor after checking everything that StoredTensor promises. Throws Error{kFormat}.
  void add(StoredTensor tensor);

  std::map<std::string, std::string> metadata_;

 private:
  MappedFile file_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// Opens `path` with the format that its content shows; the extension is never looked at.
/// Throws Error{kFile | kFormat | kUnsupported}; an unknown or known-but-refused format gets a
/// hint.
std::unique_ptr<Reader> open_weights(const std::string& path);
/// The same for a file that is mapped, or in memory, already.
std::unique_ptr<Reader> open_weights(MappedFile file);

}  // namespace prwkv
