/// What every weight file format offers for writing: declare the tensors, then stream their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "formats/reader.h"

namespace prwkv {

/// A weight file in the making. It takes its place under its final name when finish() returns;
/// without that, whatever stood there before stays.
class Writer {
 public:
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  virtual ~Writer() = default;
  /// The next bytes of the tensors, in the declared order. A piece may be of any size, end inside a
  /// tensor or span several. Throws Error{kInvalidArgument} for more bytes than were declared and
  /// Error{kFile} when the disk is full.
  virtual void write(std::span<const std::byte> bytes) = 0;
  /// Throws Error{kInvalidArgument} naming the tensor whose bytes are missing, and Error{kFile}.
  virtual void finish() = 0;

 protected:
  Writer() = default;
};

class SafetensorsWriter final : public Writer {
 public:
  /// Checks the declarations and writes the header. Tensors lie in the file in the order given.
  /// Throws Error{kInvalidArgument} for duplicate or unusable names and impossible sizes, and
  /// Error{kFile}.
  SafetensorsWriter(std::string path, std::vector<TensorSpec> tensors,
                    const std::map<std::string, std::string>& metadata = {});
  void write(std::span<const std::byte> bytes) override;
  void finish() override;

 private:
  std::string path_;
  std::vector<TensorSpec> tensors_;
  std::uint64_t declared_ = 0, written_ = 0;  ///< bytes
  AtomicFile file_;
};

}  // namespace prwkv
