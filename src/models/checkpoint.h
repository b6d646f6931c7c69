/// A weight file seen through BlinkDL's names, whatever program wrote it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/reader.h"
#include "models/model_config.h"
#include "models/naming.h"

namespace prwkv {

/// Throws Error{kFormat} unless a tensor of `reader`, seen in BlinkDL's layout, has a type and the shape of this parameter
/// in a model of these sizes.
void expect_parameter(const Reader& reader, const Param& p, const Source& s, const Dims& dims);

/// Opens a file and applies the table of its naming (naming.cc).
class Checkpoint {
 public:
  /// Throws Error{kFile | kFormat | kUnsupported}.
  explicit Checkpoint(const std::string& path);

  [[nodiscard]] const Reader& reader() const { return *reader_; }
  [[nodiscard]] const Naming& naming() const { return *naming_; }
  /// What the file, or config.json beside it, says that tensors do not show.
  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] const std::string& path() const { return reader_->path(); }
  /// RWKV-6 in GGUF: after so many layers activations are halved, and weights are stored to match;
  /// 0: they are not.
  [[nodiscard]] std::int64_t rescale_every_n_layers() const { return rescale_every_; }
  /// The tensor in BlinkDL's layout; nullptr if there is none.
  [[nodiscard]] const Source* find(std::string_view blinkdl_name) const;
  /// All of them, by their BlinkDL names.
  [[nodiscard]] const std::map<std::string, Source, std::less<>>& sources() const {
    return sources_;
  }
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The tensor of a parameter of a model of these sizes. Throws Error{kFormat} if there is none, or one of
  /// another type or shape.
  [[nodiscard]] const Source& parameter(const Param& p, const Dims& dims) const;
  /// Shape without dimensions of size 1. Throws Error{kFormat} if the tensor is missing.
  [[nodiscard]] std::vector<std::int64_t> squeezed(const std::string& name) const;
  /// squeezed(name)[i], or an Error naming the rank that was expected.
  [[nodiscard]] std::int64_t dim(const std::string& name, std::size_t i) const;
  /// (H, N) of a vector with a value for each of `channels`, in the shape (H, N). Where it is flat, N is
  /// what the file or config.json says, and without that there is one head.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> heads(const std::string& name,
                                                            std::int64_t channels) const;
  /// 1 + the largest block index.
  [[nodiscard]] std::int64_t layers() const { return layers_; }

 private:
  void add(std::string blinkdl_name, const Source& source);
  [[noreturn]] void wrong_stored_shape(const StoredTensor& t, const NamingRule& rule) const;

  std::unique_ptr<Reader> reader_;
  const Naming* naming_;
  ModelConfig config_;
  std::map<std::string, Source, std::less<>> sources_;
  std::int64_t layers_ = 0, rescale_every_ = 0;
};

}  // namespace prwkv
