/// Sequences through a model and back: losses, and the gradients of everything that is trained.
///
/// A sequence that is longer than a chunk is read chunk by chunk, the state carried from one to the next, and so is the
/// gradient on the way back, through the carried state. Only the states between chunks are kept; each chunk
/// runs again when the way back reaches it. The gradient is that of the whole sequence, in the memory of one chunk
/// and one state a chunk (docs/training.md, "Endless context").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "models/model.h"
#include "train/dataset.h"

namespace prwkv {

struct PassOptions {
  std::int64_t chunk = 1024;  ///< tokens of a sequence that run at once
  /// Chunks that a gradient goes back through; 0: all. Losses are the same; what is cut off is the influence of tokens
  /// further back than that.
  std::int64_t truncate = 0;
  std::int64_t sequences = 1;   ///< of one pass, at most
  std::int64_t context = 1024;  ///< of a sequence, at most
  bool block_checkpoints =
      false;          ///< keep only what flows between blocks, and run each block twice
  double l2wrap = 0;  ///< op::Wanted

  [[nodiscard]] std::int64_t chunks_of(std::int64_t tokens) const {
    return (tokens + chunk - 1) / chunk;
  }
  /// Of so many chunks, those that a gradient goes back through.
  [[nodiscard]] std::int64_t window_of(std::int64_t chunks) const {
    return truncate > 0 && truncate < chunks ? truncate : chunks;
  }
  /// States that are kept: in front of each chunk of a window, and of the next one.
  [[nodiscard]] std::int64_t saved_states() const {
    const std::int64_t chunks = chunks_of(context);
    return chunks == 1 ? 0 : 1 + window_of(chunks);
  }
};

/// Losses of a pass: their sum over all targets that count, in nats, and how many these are.
struct Losses {
  double sum = 0;
  std::int64_t counted = 0;
  Losses& operator+=(const Losses& other) {
    sum += other.sum;
    counted += other.counted;
    return *this;
  }
  [[nodiscard]] double mean() const { return counted > 0 ? sum / static_cast<double>(counted) : 0; }
};

/// What state tuning trains: the state that every sequence begins with, a tensor a layer.
struct InitialState {
  /// In the activation type, in the shape of one slot; absent in layers that begin as the model says.
  std::vector<Tensor> wkv;
  /// Which entry of the model's state_spec that is.
  std::size_t entry = 1;
};

class BackPropagation {
 public:
  /// Everything must outlive this. `initial` has one tensor a layer, or none.
  BackPropagation(const Model& model, Backend& backend, Arena& arena, ParamGrads& gradients,
                  const PassOptions& options, InitialState initial = {});

  /// Adds the gradient of scale · Σ losses to what the gradients are watched for. At most
  /// `options.sequences` samples of at most `options.context` tokens. `keep_going` is asked between chunks;
  /// false throws Error{kCancelled}.
  Losses backward(std::span<const Sample> samples, double scale,
                  const std::function<bool()>& keep_going = {});
  /// The losses alone.
  Losses forward(std::span<const Sample> samples, const std::function<bool()>& keep_going = {});

  /// Bytes of states: the running one, its gradient, and those between chunks.
  [[nodiscard]] std::size_t state_bytes() const;
  /// Of one of them, of all layers and sequences.
  [[nodiscard]] std::size_t bytes_of_one() const;

 private:
  /// The states of all layers at some points, one behind the other in memory.
  struct Saved {
    Buffer buffer;
    std::vector<std::vector<LayerState>> points;
  };
  [[nodiscard]] Saved make_states(std::int64_t points) const;
  void copy(const std::vector<LayerState>& to, const std::vector<LayerState>& from);
  void begin(std::int64_t sequences);
  Losses run_chunk(std::span<const Sample> samples, std::int64_t chunk, Ctx& c,
                   std::optional<double> scale);
  [[nodiscard]] std::int64_t chunks_of(std::span<const Sample> samples) const;
  void check(std::span<const Sample> samples) const;
  void to_initial_state(std::int64_t sequences);

  const Model& model_;
  Backend& backend_;
  Arena& arena_;
  ParamGrads& gradients_;
  PassOptions options_;
  InitialState initial_;
  Saved running_;
  std::vector<LayerState>& state_;  // of running_: (sequences, …) of every layer
  Saved between_;                   // in front of each chunk of a window
};

}  // namespace prwkv
