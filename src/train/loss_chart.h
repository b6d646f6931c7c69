/// The curves of a training run as a picture.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "train/run_log.h"

namespace prwkv {

struct LossChartOptions {
  enum class X { kStep, kTokens };
  enum class Scale { kLinear, kLog };
  X x = X::kStep;
  Scale x_scale = Scale::kLinear;  ///< kLog leaves out what is at 0
};

/// An SVG file: the loss of each step, pale; its running mean; the loss on validation data. `points` in
/// any order and number, from any file: what is drawn is fewer than 2,000 points, of each stretch its
/// lowest and its highest one, so that spikes stay. A few that are far above all others end at the upper
/// edge, and the text on top says how high the highest is. Losses that are not finite are gaps, and counted
/// there.
/// `title`: any bytes; what is no UTF-8 becomes U+FFFD.
std::string loss_chart(const std::vector<RunPoint>& points, std::string_view title,
                       const LossChartOptions& options = {});

}  // namespace prwkv
