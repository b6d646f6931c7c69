#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace prwkv {

std::string_view name_of(Schedule schedule) {
  constexpr std::string_view kNames[] = {"cosine", "wsd", "constant"};
  return kNames[static_cast<std::size_t>(schedule)];
}

double learning_rate(const ScheduleOptions& o, std::int64_t step) {
  if (!(o.lr > 0) || !(o.lr_final >= 0) || !std::isfinite(o.lr) || !std::isfinite(o.lr_final))
    fail(Code::kInvalidArgument, "a learning rate from {} to {}", o.lr, o.lr_final);
  if (o.steps < 1 || o.warmup < 0 || o.decay < 0 || o.decay > o.steps)
    fail(Code::kInvalidArgument, "a schedule of {} steps, {} to warm up and {} to decay", o.steps,
         o.warmup, o.decay);
  const auto share = [](std::int64_t done, std::int64_t all) {
    return all > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(all), 0.0, 1.0)
                   : 1.0;
  };
  double lr = o.lr;
  switch (o.kind) {
    case Schedule::kCosine: {
      const double progress = step < o.warmup ? 0 : share(step - o.warmup, o.steps - o.warmup);
      lr =
          (o.lr + o.lr_final) / 2 + (o.lr - o.lr_final) / 2 * std::cos(std::numbers::pi * progress);
      break;
    }
    case Schedule::kWsd: {
      const std::int64_t stable = o.steps - o.decay;
      if (step >= stable && o.decay > 0)
        lr = o.lr + (o.lr_final - o.lr) * share(step + 1 - stable, o.decay);
      break;
    }
    case Schedule::kConstant: break;
  }
  return step < o.warmup ? lr * (0.01 + 0.99 * share(step, o.warmup)) : lr;
}

}  // namespace prwkv
