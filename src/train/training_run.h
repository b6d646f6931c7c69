/// A training run in its folder:
///
///     checkpoint.safetensors          where it goes on: weights, moments, position (Trainer::save)
///     model.safetensors               what was trained so far; lora.safetensors and lora.pth, or state.…, with those methods
///     log.jsonl                       a line a step (RunLog)
///     events.out.tfevents.*           the same for TensorBoard
///     loss.svg                        the curve
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "train/event_file.h"
#include "train/run_log.h"
#include "train/trainer.h"

namespace prwkv {

struct RunOptions {
  std::string folder;
  bool resume = false;              ///< go on from the checkpoint, if there is one
  std::int64_t save_every = 0;      ///< steps; 0: only at the end
  std::int64_t eval_every = 0;      ///< steps; 0: only at the end. Without validation data never
  std::int64_t eval_samples = 256;  ///< 0: all
  std::optional<DType> dtype;       ///< of matrices in model.safetensors; TrainedModel::save
  double flops_per_token = 0, peak_flops = 0;  ///< for the share of the peak in the log; 0: unknown
  std::string title;                           ///< of the chart
};

/// A step with how long it took.
struct StepReport : StepResult {
  double seconds = 0;
  std::int64_t step_tokens = 0;
  [[nodiscard]] double tokens_per_second() const {
    return seconds > 0 ? static_cast<double>(step_tokens) / seconds : 0;
  }
};

/// All optional.
struct RunCallbacks {
  std::function<void(const StepReport&)> on_step{};
  std::function<void(std::int64_t step, const Losses&)> on_evaluation{};
  std::function<void(std::int64_t step)> on_save{};
  std::function<bool()> keep_going{};  ///< false: stop at once, and save
};

/// Whether there is a checkpoint in the folder.
[[nodiscard]] bool has_run(const std::string& folder);
/// Throws Error{kInvalidArgument} if there is a run in the folder.
void expect_no_run(const std::string& folder);
/// Names of the files that become what was trained.
[[nodiscard]] std::vector<std::string> results_of(Method method);
/// Throws Error{kInvalidArgument} if there is no run, but a file with the name of such a result: somebody else's.
void expect_nothing_lost(const std::string& folder, Method method);

/// Whoever may not be alone with the folder holds a FolderLock of it.
class TrainingRun {
 public:
  /// Makes the folder. A folder with a checkpoint is only used with `resume`: throws Error{kInvalidArgument} otherwise, and
  /// what Trainer::load throws.
  TrainingRun(Trainer& trainer, const TrainedModel& model, RunOptions options);

  /// Trains to the last step, or until it is told to stop; true if it came to the end. What was done is saved in both
  /// cases. Errors of a step or of the disk leave the last checkpoint as it is.
  bool run(const RunCallbacks& callbacks);

  /// Files of what is trained.
  [[nodiscard]] std::vector<std::string> outputs() const;
  [[nodiscard]] std::string checkpoint() const;

 private:
  [[nodiscard]] std::string file(const std::string& name) const;
  void remove_leftovers() const;
  void save(const RunCallbacks& callbacks);
  void write_outputs() const;
  void draw() const;
  void report(const StepReport& step, const std::optional<Losses>& validation);

  Trainer& trainer_;
  const TrainedModel& model_;
  RunOptions options_;
  std::optional<RunLog> log_;
  std::optional<EventFile> events_;
  std::int64_t saved_ = -1;
};

}  // namespace prwkv
