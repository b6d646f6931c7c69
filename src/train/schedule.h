/// The learning rate of each step.
///
///     warm-up     lr · (0.01 + 0.99 step / warmup)  on top of what follows, for step < warmup
///     cosine      lr · ((1 + f) / 2 + (1 − f) / 2 · cos π p),  p = (step − warmup) / (steps − warmup),  f = lr_final / lr
///     wsd         lr, and in the last `decay` steps down to lr_final in a straight line (warm-up, stable, decay:
///                 Hu et al. 2024): a run can be prolonged from any step of its stable part
///     constant    lr
///
/// Warm-up and cosine are those of BlinkDL's trainers (RWKV-LM, src/trainer.py), counted in steps, which all have as
/// many tokens.
#pragma once

#include <cstdint>
#include <string_view>

namespace prwkv {

enum class Schedule { kCosine, kWsd, kConstant };

/// "cosine", "wsd", "constant"
[[nodiscard]] std::string_view name_of(Schedule schedule);

struct ScheduleOptions {
  Schedule kind = Schedule::kCosine;
  double lr = 6e-4, lr_final = 6e-5;
  std::int64_t steps = 1, warmup = 10;
  std::int64_t decay = 0;  ///< kWsd: steps at the end
};

/// Of step 0, 1, … steps − 1. Throws Error{kInvalidArgument} for options out of range.
[[nodiscard]] double learning_rate(const ScheduleOptions& o, std::int64_t step);

}  // namespace prwkv
