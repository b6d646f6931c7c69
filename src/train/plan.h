/// How much memory a training run will take, before any of it is allocated.
///
/// What a pass needs is not estimated: it runs once with kernels that do nothing, over memory that is never touched
/// (BackendOptions::dry_run), and what it asked for is counted.
#pragma once

#include <cstddef>
#include <string>

#include "train/trained_model.h"
#include "train/trainer.h"

namespace prwkv {

struct MemoryPlan {
  std::size_t weights = 0;    ///< as they are used; trained ones in f32
  std::size_t gradients = 0;  ///< 4 bytes for each element that is trained
  std::size_t moments = 0;    ///< of AdamW: 8 bytes for each
  std::size_t states = 0;     ///< of a pass: running, gradient, and one in front of each chunk
  std::size_t activations =
      0;  ///< of a pass, with their gradients and the logits of one piece of the head
  std::size_t kernels = 0;  ///< panels and tiles of matrix products, states of recurrences
  std::size_t process = 0;  ///< what is resident already: program, libraries, data

  [[nodiscard]] std::size_t total() const {
    return weights + gradients + moments + states + activations + kernels + process;
  }

  // What these are made of.
  std::int64_t elements = 0, trained = 0;  ///< parameters
  std::int64_t rows = 0;                   ///< of a pass: sequences · tokens of a chunk
};

/// The plan of training the model in the file `path` on a CPU.
[[nodiscard]] MemoryPlan plan_memory(const std::string& path, const Selection& selection,
                                     const LoadOptions& load, const TrainerOptions& options,
                                     BackendOptions backend);

}  // namespace prwkv
