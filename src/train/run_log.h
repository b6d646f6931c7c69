/// log.jsonl of a training run: one JSON object a line, for programs and for the chart of the loss.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "train/event_file.h"

namespace prwkv {

/// What the curves need of a line. Absent: the line does not say. NaN: it says null, which is how JSON
/// writes what is no finite number.
struct RunPoint {
  std::int64_t step = 0;
  std::int64_t tokens = 0;                          ///< "tokens": read since the run began
  std::optional<double> loss{}, validation_loss{};  ///< "loss", "validation_loss": nats a token
  std::optional<double> lr{};                       ///< "lr"
};

class RunLog {
 public:
  /// Goes on behind `step`: keeps the lines of `path`, if there is such a file, whose "step" is at most
  /// that, byte for byte, and drops the others: of later steps, torn, longer than 64 KiB, no JSON. So a
  /// run that was killed and resumed has the lines of one that was not; a run that begins keeps none
  /// with -1. Throws Error{kFile}, with the old file unchanged.
  static RunLog open(const std::string& path, std::int64_t step);

  /// Appends one line, on its way to the disk when this returns. Bytes that are no UTF-8 become U+FFFD.
  /// Throws Error{kInvalidArgument} for what open() would drop, Error{kFile} if it cannot be written.
  void add(const OrderedJson& line);

 private:
  explicit RunLog(AppendFile file) : file_(std::move(file)) {}
  AppendFile file_;
};

/// The points of a log in the order of its lines; lines that open() would drop are passed over. Throws
/// Error{kFile} if it cannot be read.
std::vector<RunPoint> read_points(const std::string& path);

}  // namespace prwkv
