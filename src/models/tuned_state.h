/// Tuned initial states: what a sequence begins with instead of zeros, trained like weights.
///
///     blocks.0.att.time_state   (H, N, N)   the matrix state of layer 0: [head][value][key]
#pragma once

#include <string>
#include <vector>

#include "models/model.h"

namespace prwkv {

[[nodiscard]] std::string time_state_name(std::int64_t layer);

/// Which entry of a layer's state_spec is tuned: the matrix state of RWKV-5, 6 and 7. Throws Error{kUnsupported} for a
/// generation without one.
[[nodiscard]] std::size_t tuned_entry(const Model& model);

/// Values of each layer (H N N), as RWKV-PEFT's and BlinkDL's trainers and `prwkv train` write them; empty for a layer that
/// the file leaves out. Tensors with other names are the weights of a checkpoint and are passed over. Throws
/// Error{kFile | kFormat}, and kMismatch for shapes that do not fit the model.
[[nodiscard]] std::vector<std::vector<float>> read_tuned_state(const std::string& path,
                                                               const Model& model);

}  // namespace prwkv
