/// What every weight file format offers: named, typed, bounds-checked views of mapped files. Here is
/// also the validation that all readers go through: TensorSpec::check, Reader::add and
/// Reader::add_placed. Limits and policies are listed in docs/security.md.
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
#include "formats/file_value.h"
#include "tensor/dtype.h"

namespace prwkv {

/// The limits that keep hostile files cheap; all readers and writers share them.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{100} << 20;
inline constexpr std::size_t kMaxTensors = 1 << 17;
inline constexpr std::size_t kMaxNameBytes = 1024;
inline constexpr std::size_t kMaxStoredRank = 8;
inline constexpr std::size_t kMaxMetadata = 1 << 14;
inline constexpr std::size_t kMaxShards = 1024;

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
  /// Throws Error{kFormat} naming `file` for an unusable name, too many dimensions, a negative size,
  /// sizes whose product is beyond any file, or rows that the blocks of a block type do not fit.
  void check(const std::string& file) const;
};

/// One tensor as it lies in the file: dense and row-major.
struct StoredTensor : TensorSpec {
  /// Exactly byte_count() long; inside the mapping, or owned by the reader.
  std::span<const std::byte> bytes;
};

/// A tensor that a file places by numbers: [begin, end) in the part of the file that holds tensors.
struct PlacedTensor : TensorSpec {
  std::uint64_t begin = 0, end = 0;
};

/// An open model: one weight file, or several that hold it in parts. Everything it hands out has been
/// checked against the files' sizes and stays valid as long as the reader lives. Alignment is NOT
/// promised: elements may start at any byte. Values are not looked at: they may be NaN or infinite.
class Reader {
 public:
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;
  /// "pth", "safetensors", "rwkv.cpp", "gguf"
  [[nodiscard]] virtual std::string_view format() const = 0;
  /// In the file's order; names are unique.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// nullptr if there is none of that name.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const;
  /// Free-form facts the file states about itself (safetensors __metadata__, header fields, numbers
  /// and texts of GGUF).
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The same facts with their types and with arrays, in the file's order. Only GGUF has them.
  [[nodiscard]] const std::vector<NamedValue>& values() const { return values_; }
  /// nullptr if there is none of that key.
  [[nodiscard]] const FileValue* value(std::string_view key) const;

  /// The file that was opened, for messages: the weight file, or the index of several. Files that
  /// describe the model (config.json) lie in the same folder.
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The files that hold the tensors: one, or the shards.
  [[nodiscard]] const std::vector<const MappedFile*>& files() const { return files_; }
  /// The sizes of all these together.
  [[nodiscard]] std::uint64_t file_bytes() const;
  /// MappedFile's advice, for a part of any of the files.
  void will_need(std::span<const std::byte> part) const noexcept;
  void done_with(std::span<const std::byte> part) const noexcept;
  /// Copies bytes of a tensor, of the same size as `to`: read from their file where they lie in one.
  /// Throws Error{kFile}.
  void read(std::span<const std::byte> part, std::span<std::byte> to) const;

 protected:
  explicit Reader(MappedFile file) : path_(file.path()), file_(std::move(file)), files_{&file_} {}
  /// A model in several files, which come with add_shard.
  explicit Reader(std::string path) : path_(std::move(path)) {}

  /// The one file of a model that is not in several.
  [[nodiscard]] const MappedFile& file() const { return file_; }
  /// Adds a tensor after checking everything that StoredTensor promises. Throws Error{kFormat}.
  void add(StoredTensor tensor);
  /// Adds tensors that lie end to end in `data`, each at the next multiple of `alignment` (a power of
  /// two), the last one followed by such padding or by nothing: then no two can overlap, none reaches
  /// beyond the file, and nothing hides between them. Throws Error{kFormat}.
  void add_placed(std::vector<PlacedTensor> tensors, std::span<const std::byte> data,
                  std::uint64_t alignment);
  /// Takes over the tensors, files and metadata of a part of the model. Throws Error{kFormat}.
  void add_shard(std::unique_ptr<Reader> shard);

  std::map<std::string, std::string> metadata_;
  std::vector<NamedValue> values_;

 private:
  std::string path_;
  MappedFile file_;
  std::vector<std::unique_ptr<Reader>> shards_;
  std::vector<const MappedFile*> files_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// Opens `path` with the format that its content shows; the extension is never looked at. The path may
/// also name the index of a model in several files (model.safetensors.index.json) or a folder with a
/// model in it (see weight_file_in). Throws Error{kFile | kFormat | kUnsupported}; an unknown or
/// known-but-refused format gets a hint.
std::unique_ptr<Reader> open_weights(const std::string& path);
/// The same for one weight file that is mapped, or in memory, already.
std::unique_ptr<Reader> open_weights(MappedFile file);

}  // namespace prwkv
