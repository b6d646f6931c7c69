/// What a PyTorch pickle says about tensors, found out without running it. A general unpickler it
/// is not: it knows the opcodes and the few names that state dicts are made of, and refuses all
/// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/reader.h"

namespace prwkv {

/// A tensor as pickled: a strided window into a storage. Sizes and strides are >= 0 and equally
/// many, at most kMaxStoredRank; nothing else about them has been checked.
struct PickledTensor : TensorSpec {
  std::vector<std::int64_t> strides;  ///< in elements
  std::int64_t offset = 0;            ///< in elements, >= 0
  std::string_view storage;           ///< its key, a part of the pickle
  std::int64_t storage_numel = 0;     ///< >= 0
};

/// The tensors of the pickled state dict, in its order, their names neither checked nor unique;
/// other entries are left out. Throws Error{kFormat | kUnsupported} naming `path`.
std::vector<PickledTensor> read_state_dict(std::span<const std::byte> pickle,
                                           const std::string& path);

/// The pickle of an OrderedDict with one dense tensor a spec, whose bytes are the storage of its
/// number: what torch.save() makes of a state dict, in protocol 2. Types must be plain.
std::string write_state_dict(const std::vector<TensorSpec>& tensors);

}  // namespace prwkv
