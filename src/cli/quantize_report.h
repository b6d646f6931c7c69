/// What `prwkv quantize` did and what it cost, as text, Markdown, JSON and SVG.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "runtime/compare.h"
#include "runtime/quantize.h"

namespace prwkv::cli {

/// One way of rounding, compared with the original.
struct Measured {
  std::string rounding;  ///< "calibrated", "nearest"
  Agreement agreement;
};

struct QuantizeReport {
  std::string in, out, format, generation, type;
  std::uint64_t bytes = 0, original_bytes = 0;  ///< of all tensors
  std::vector<QuantizedTensor> tensors;
  std::string calibrated_on, evaluated_on;  ///< files; empty: it was not
  std::size_t calibration_tokens = 0;
  std::vector<Measured> measured;
  std::vector<std::string> left_out, not_carried;
  double seconds = 0;

  [[nodiscard]] double bits_per_element() const;
};

/// Which tensors got which type and why, a line for those that are alike: a Markdown table that reads
/// well as it is.
std::string tensor_table(const QuantizeReport& report);
/// A line for each way of rounding; empty if nothing was measured.
std::string quality_table(const QuantizeReport& report);
std::string as_markdown(const QuantizeReport& report);
OrderedJson as_json(const QuantizeReport& report);
/// Bars for divergence, agreement and perplexity. Needs something measured.
std::string as_svg(const QuantizeReport& report);

}  // namespace prwkv::cli
