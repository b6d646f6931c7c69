/// What `prwkv bench` prints: JSON, a table for people, Markdown.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/bench_run.h"

namespace prwkv::cli {

/// The limits as they were measured for one number of threads.
struct MachineReport {
  std::string cpu;
  std::string isa;
  int threads = 0;
  std::size_t probe_bytes = 0;  ///< memory that the read probe walked through
  MachineLimits limits;
};

/// A model that has no room here: its name and how large it would be.
struct Planned {
  BenchCase what;
  std::size_t bytes = 0;
};

/// One model, type and number of threads.
struct BenchResult {
  MachineReport machine;
  BenchCase what;
  BenchSizes sizes;
  std::string name, generation, dtype;
  ModelInfo info;
  ModelCost cost;
  BenchRun::Rates rates;
  std::vector<int> batch_tokens;            ///< of every batch
  std::vector<double> batch_skipped_bytes;  ///< a token, of each of sizes.batch
  double load_seconds = 0;
  FirstTokens first;
  std::size_t peak_resident_bytes = 0;
  std::uint64_t logits_hash = 0;
  double skipped_bytes = 0;  ///< of a generated token
};

struct BenchReport {
  std::vector<BenchResult> results;
  std::vector<Planned> planned;
};

[[nodiscard]] std::string processor_name();
[[nodiscard]] OrderedJson machine_json(const MachineReport& m);
[[nodiscard]] std::string machine_text(const MachineReport& m);
[[nodiscard]] BenchResult result_of(const BenchRun& run, const MachineReport& machine);
[[nodiscard]] OrderedJson result_json(const BenchResult& r);
/// One result as it is, several as a list, with what did not fit.
[[nodiscard]] OrderedJson report_json(const BenchReport& report);
[[nodiscard]] std::string report_text(const BenchReport& report);
[[nodiscard]] std::string report_markdown(const BenchReport& report);

}  // namespace prwkv::cli
