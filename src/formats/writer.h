/// What every weight file format offers for writing: declare the tensors, then stream their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/atomic_file.h"
#include "formats/reader.h"

namespace prwkv {

/// A weight file in the making. It takes its place under its final name when finish() returns;
/// without that, whatever stood there before stays.
///
/// Constructors check the declarations and write what stands before the first tensor. They throw
/// Error{kInvalidArgument} for duplicate or unusable names, impossible sizes and types that the
/// format has no number for, and Error{kFile}. Tensors lie in the file in the order given.
class Writer {
 public:
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  virtual ~Writer() = default;
  /// The next bytes of the tensors, in the declared order. A piece may be of any size, end inside a
  /// tensor or span several. Throws Error{kInvalidArgument} for more bytes than were declared and
  /// Error{kFile} when the disk is full.
  void write(std::span<const std::byte> bytes);
  /// Throws Error{kInvalidArgument} naming the tensor whose bytes are missing, and Error{kFile}.
  void finish();

 protected:
  Writer(std::string path, std::vector<TensorSpec> tensors);

  /// What stands in the file around the bytes of a tensor and behind the last of them. Each tensor
  /// is begun and ended once, in order, also one without bytes.
  virtual void begin_tensor(const TensorSpec&) {}
  virtual void add_bytes(std::span<const std::byte> bytes) { put(bytes); }
  virtual void end_tensor(const TensorSpec&) {}
  virtual void end_file() {}

  void put(std::span<const std::byte> bytes);
  void put(std::string_view text) { put(std::as_bytes(std::span(text))); }
  /// Where in the file the next byte goes.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::vector<TensorSpec>& tensors() const { return tensors_; }
  /// Throws Error{kInvalidArgument} naming the first tensor for which `stores` is false; `format`
  /// begins the sentence "… has no type for it".
  void expect_types(bool (*stores)(DType), std::string_view format) const;

 private:
  void begin_next();

  std::string path_;
  std::vector<TensorSpec> tensors_;
  std::size_t next_ = 0;                      ///< the tensor that is open, or opens next
  std::uint64_t left_ = 0;                    ///< bytes of it that are missing
  std::uint64_t declared_ = 0, written_ = 0;  ///< bytes of all tensors
  std::uint64_t position_ = 0;
  AtomicFile file_;
};

/// safetensors: a JSON header, then the tensors without gaps.
/// What stands before the tensors of a safetensors file.
[[nodiscard]] std::string safetensors_header(
    const std::vector<TensorSpec>& tensors,
    const std::map<std::string, std::string>& metadata = {});

class SafetensorsWriter final : public Writer {
 public:
  /// Plain types.
  [[nodiscard]] static bool stores(DType dtype) { return !is_block(dtype); }
  SafetensorsWriter(std::string path, std::vector<TensorSpec> tensors,
                    const std::map<std::string, std::string>& metadata = {});
};

/// A value as it stands in another GGUF file, behind its type: FileValue::bytes().
struct GgufRaw {
  ValueType type;
  std::string bytes;
};
/// A value that GGUF states in a type of its own.
using GgufContent =
    std::variant<bool, std::uint32_t, std::int32_t, float, std::string, std::vector<std::int32_t>,
                 std::vector<float>, std::vector<std::string>, GgufRaw>;
struct GgufEntry {
  std::string key;
  GgufContent value;
};

/// GGUF version 3: typed metadata, a table of tensors, then the tensors at multiples of 32 bytes.
class GgufWriter final : public Writer {
 public:
  static constexpr std::size_t kAlignment = 32;
  static constexpr std::size_t kMaxRank = 4, kMaxNameBytes = 63;
  /// Everything but unsigned bytes and truth values.
  [[nodiscard]] static bool stores(DType dtype);
  /// Metadata stand in the file in the order given; a scalar tensor becomes one of a single element.
  GgufWriter(std::string path, std::vector<TensorSpec> tensors,
             const std::vector<GgufEntry>& metadata);

 private:
  void end_tensor(const TensorSpec& tensor) override;
};

/// rwkv.cpp: a header of six numbers, then records of one tensor each.
class RwkvCppWriter final : public Writer {
 public:
  static constexpr std::size_t kMaxRank = 3;
  struct Header {
    std::int64_t n_vocab = 0, n_embed = 0, n_layer = 0;
    DType dtype = DType::kF32;  ///< of the large matrices
  };
  /// f32, f16 and the block types up to Q6_K.
  [[nodiscard]] static bool stores(DType dtype);
  /// Files without block types get version 100, which every rwkv.cpp reads; others 101.
  RwkvCppWriter(std::string path, std::vector<TensorSpec> tensors, const Header& header);

 private:
  void begin_tensor(const TensorSpec& tensor) override;
};

/// A PyTorch state dict as torch.save() writes it: a zip archive with a pickle and one member a
/// tensor, each at a multiple of 64 bytes. ZIP64 records appear where sizes or places need them.
class PthWriter final : public Writer {
 public:
  static constexpr std::size_t kAlignment = 64;
  /// Plain types.
  [[nodiscard]] static bool stores(DType dtype) { return !is_block(dtype); }
  PthWriter(std::string path, std::vector<TensorSpec> tensors);

 private:
  struct Member {
    std::string name;
    std::uint64_t size = 0, offset = 0;
    std::uint32_t crc = 0;
  };
  void begin_tensor(const TensorSpec& tensor) override;
  void add_bytes(std::span<const std::byte> bytes) override;
  void end_tensor(const TensorSpec& tensor) override;
  void end_file() override;
  void begin_member(std::string_view name, std::uint64_t size);
  void end_member();
  void put_member(std::string_view name, std::string_view content);

  std::vector<Member> members_;
  std::size_t storages_ = 0;
};

}  // namespace prwkv
