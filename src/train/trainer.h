/// The steps of a training run: samples, gradients, optimizer, evaluation, and a checkpoint from which it goes on bit for bit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/back_propagation.h"
#include "train/dataset.h"
#include "train/gradient_exchange.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trained_model.h"

namespace prwkv {

struct TrainerOptions {
  std::int64_t batch = 8;  ///< samples of a step, over all replicas
  std::int64_t micro_batch =
      0;  ///< of these in one pass; 0: as many as have about kRowsAtOnce tokens
  std::int64_t context = 512, chunk = 1024, truncate = 0;  ///< PassOptions
  bool block_checkpoints = false;
  double l2wrap = 0;
  DType products = DType::kF32;  ///< BackendOptions::products, for the checkpoint's sake
  ScheduleOptions schedule{};
  AdamWOptions adamw{};
  static constexpr std::int64_t kRowsAtOnce = 1024;

  /// What a pass is asked for.
  [[nodiscard]] PassOptions pass() const;
};

/// One step, done.
struct StepResult {
  std::int64_t step = 0;    ///< 1 for the first
  std::int64_t tokens = 0;  ///< inputs of all steps so far, over all replicas
  double loss = 0;  ///< mean over the targets of this step that count, before it was taken; nats
  double norm = 0;  ///< of the gradient, before clipping
  double lr = 0;
};

class Trainer {
 public:
  /// Everything must outlive this; `scratch` should have room for a pass (train/plan.h). Throws
  /// Error{kInvalidArgument} for options out of range.
  Trainer(TrainedModel& model, const Dataset& data, Arena& scratch, const TrainerOptions& options,
          GradientExchange* exchange = nullptr);

  /// The next step. `keep_going` is asked between passes; false throws Error{kCancelled} and the step has not happened. So
  /// it is with Error{kUnsupported}: loss or gradient are no finite numbers.
  StepResult step(const std::function<bool()>& keep_going = {});
  [[nodiscard]] std::int64_t steps_done() const { return steps_; }
  [[nodiscard]] std::int64_t tokens_done() const { return tokens_; }
  [[nodiscard]] bool is_done() const { return steps_ >= options_.schedule.steps; }

  /// Mean loss over the first `samples` samples of the validation data, or all of them with 0.
  Losses evaluate(std::int64_t samples, const std::function<bool()>& keep_going = {});

  /// Weights that are trained, moments, and how far the run is; written to a temporary name and renamed. Throws Error{kFile}.
  void save(const std::string& path) const;
  /// Goes on from there. Throws Error{kMismatch} unless model, data and everything that decides results are those
  /// it was saved with; nothing has changed then.
  void load(const std::string& path);

 private:
  [[nodiscard]] OrderedJson recipe() const;
  [[nodiscard]] std::vector<Tensor> gradients() const;
  void check_recipe(const std::string& path, const Json& saved, std::int64_t done) const;

  TrainedModel& model_;
  const Dataset& data_;
  TrainerOptions options_;
  std::uint64_t start_hash_;
  GradientExchange alone_;
  GradientExchange& exchange_;
  ParamGrads gradients_;
  BackPropagation passes_;
  AdamW optimizer_;
  std::int64_t steps_ = 0, tokens_ = 0;
};

}  // namespace prwkv
