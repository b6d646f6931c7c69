/// A weight file seen through BlinkDL's names, whatever program wrote it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/reader.h"

namespace prwkv {

/// What was done to a value before it was stored; the loader undoes it.
enum class Transform {
  kNone,
  kNegExp,     ///< stored −exp(raw)
  kExp,        ///< stored exp(raw)
  kExpNegExp,  ///< stored exp(−exp(raw))
};

/// Where a BlinkDL tensor is found and what must be done to see it as BlinkDL stores it.
struct Source {
  const StoredTensor* tensor = nullptr;
  std::vector<std::int64_t> shape;  ///< as in a BlinkDL file, transposition undone
  bool transposed = false;          ///< last two dimensions are swapped in the file
  Transform transform = Transform::kNone;
  std::span<const std::byte> bytes;  ///< the tensor's bytes, or its slice of a stacked one
};

/// Opens a file and applies the table of its naming (naming.cc).
class Checkpoint {
 public:
  /// Throws Error{kFile | kFormat | kUnsupported}.
  explicit Checkpoint(const std::string& path);

  [[nodiscard]] const Reader& reader() const { return *reader_; }
  [[nodiscard]] const std::string& path() const { return reader_->path(); }
  /// nullptr if there is none.
  [[nodiscard]] const Source* find(std::string_view blinkdl_name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Shape without dimensions of size 1. Throws Error{kFormat} if the tensor is missing.
  [[nodiscard]] std::vector<std::int64_t> squeezed(const std::string& name) const;
  /// squeezed(name)[i], or an Error naming the rank that was expected.
  [[nodiscard]] std::int64_t dim(const std::string& name, std::size_t i) const;
  /// 1 + the largest block index.
  [[nodiscard]] std::int64_t layers() const { return layers_; }

 private:
  std::unique_ptr<Reader> reader_;
  std::map<std::string, Source, std::less<>> sources_;
  std::int64_t layers_ = 0;
};

}  // namespace prwkv
