/// Everything an operation needs besides its operands. One per running forward pass; it owns
/// nothing.
#pragma once

#include <functional>

#include "backend/arena.h"
#include "backend/backend.h"
#include "ops/tape.h"

namespace prwkv {

/// Where the weights of a layer come from. A model's tensors never change their address; a source
/// decides which layers are backed by memory right now, so models larger than memory run with the
/// same text (docs/tour.md, "Weights").
class LayerSource {
 public:
  virtual ~LayerSource() = default;
  /// The layer's weights must be readable by kernels from here …
  virtual void acquire(int layer) = 0;
  /// … to here. Kernels of this layer may still be running on an asynchronous backend: such a
  /// source waits for them.
  virtual void release(int layer) = 0;
  /// The layer will be acquired soon; called while another one computes. Layers past the last one
  /// are ignored.
  virtual void prefetch(int layer) = 0;
};

/// Sees every result of every operation, in order: debugging, probes, activation statistics.
using Observer = std::function<void(const char* op, const Tensor& value)>;

struct Ctx {
  Backend& backend;
  Arena& arena;
  LayerSource* layers = nullptr;  ///< nullptr: all weights are resident
  Tape* tape = nullptr;           ///< set: record for the backward pass
  bool checkpoint =
      false;  ///< with a tape: keep only each block's input and run the block again in backward
  const Observer* observer = nullptr;

  /// Scratch in the activation type; contents undefined.
  [[nodiscard]] Tensor make(const Shape& shape) const {
    return arena.make(shape, backend.activation_dtype());
  }

  /// The last line of every front: makes `y` a value of the tape, if any, and shows it to the
  /// observer.
  [[nodiscard]] Tensor result(const char* op, Tensor y) const {
    if (tape != nullptr) y = tape->value(y);
    if (observer != nullptr) (*observer)(op, y);
    return y;
  }
  /// A recurrent state as it is now, under the same mark: what a backward pass needs of what the kernel is
  /// about to overwrite.
  [[nodiscard]] Tensor copy_of(const Tensor& state) const {
    Tensor copy = arena.make(state.shape, state.dtype);
    copy.var = state.var;
    backend.transfer(copy, state);
    return copy;
  }
};

}  // namespace prwkv
