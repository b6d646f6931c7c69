#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "backend/cpu/cpu_backend.h"
#include "base/memory.h"
#include "cli/bench_report.h"
#include "cli/bench_run.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/help.h"
#include "cli/model_options.h"
#include "cli/text.h"
#include "models/random.h"
#include "runtime/default_model.h"

namespace prwkv::cli {
namespace {

struct BenchOptions {
  std::vector<std::string> models, random_weights, dtypes, sparsity = {"skip"};
  std::vector<int> threads = {0};
  BenchSizes sizes;
  int repeat = 3;
  double zeros = kZerosByChance;
  std::uint64_t seed = 0;
  bool pin = false, machine = false, steps = false, json = false, markdown = false;
  ProgressOptions progress;
};

/// "rwkv7:0.4b,rwkv4:L2,C64": a shape has commas of its own, so a comma only ends one where the next
/// begins.
std::vector<std::string> split_shapes(const std::vector<std::string>& given) {
  std::vector<std::string> shapes;
  for (const std::string& text : given) {
    bool first = true;
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::string part = text.substr(begin, end - begin);
      if (first || part.find(':') != part.npos)
        shapes.push_back(part);
      else
        shapes.back() += "," + part;
      first = false;
      begin = end + 1;
    }
  }
  return shapes;
}

template <class T>
void expect_distinct(const std::vector<T>& values, std::string_view option) {
  std::set<T> seen;
  for (const T& value : values) {
    if (!seen.insert(value).second)
      fail(Code::kInvalidArgument, "{}: {} is named twice", option, value);
  }
}

/// Every model in every type on every number of threads.
std::vector<BenchCase> cases_of(const BenchOptions& o) {
  const bool random = !o.random_weights.empty();
  std::vector<std::string> models = random ? split_shapes(o.random_weights) : o.models;
  if (models.empty()) models.push_back(default_model_path());
  for (const std::string& shape : models) {
    if (random) (void)model_shape(shape);  // a wrong name is found before anything is measured
  }
  expect_distinct(models, random ? "--random-weights" : "MODEL");
  expect_distinct(o.dtypes, "--dtype");
  expect_distinct(o.threads, "--threads");
  expect_distinct(o.sparsity, "--sparsity");
  expect_distinct(o.sizes.prompt_tokens, "--prompt-tokens");
  expect_distinct(o.sizes.batch, "--batch");
  const std::vector<std::string> dtypes =
      o.dtypes.empty() ? std::vector<std::string>{""} : o.dtypes;
  std::vector<BenchCase> cases;
  for (const std::string& model : models) {
    for (const std::string& dtype : dtypes) {
      for (const int threads : o.threads) {
        for (const std::string& sparsity : o.sparsity) {
          cases.push_back({.model = model,
                           .random = random,
                           .dtype = dtype,
                           .threads = threads,
                           .seed = o.seed,
                           .pin = o.pin,
                           .sparsity = sparsity,
                           .zeros = o.zeros});
        }
      }
    }
  }
  return cases;
}

/// Cases that fit in memory together run in turns; what is too large for that comes one after the
/// other.
std::vector<std::vector<BenchCase>> groups_of(const std::vector<BenchCase>& cases) {
  const std::size_t available = available_memory_bytes();
  const std::size_t kept = ProbeMemory::kWanted + 2 * ProbeMemory::kLeft;
  const std::size_t room = available > kept ? available - kept : 0;
  std::vector<std::vector<BenchCase>> groups;
  std::size_t used = 0;
  for (const BenchCase& c : cases) {
    const std::size_t planned = c.planned_bytes() + c.planned_bytes() / 10;
    if (groups.empty() || (available > 0 && used + planned > room)) groups.emplace_back(), used = 0;
    groups.back().push_back(c);
    used += planned;
  }
  return groups;
}

/// The limits beside the runs, for each number of threads.
class Limits {
 public:
  void measure(CpuBackend& backend) {
    backend.measure_limits(memory_, samples_[backend.threads()]);
  }
  [[nodiscard]] MachineReport report(const CpuBackend& backend) const {
    return {.cpu = processor_name(),
            .isa = std::string(backend.isa()),
            .threads = backend.threads(),
            .probe_bytes = memory_.bytes(),
            .limits = samples_.at(backend.threads()).medians()};
  }

 private:
  ProbeMemory memory_;
  std::map<int, LimitSamples> samples_;
};

/// The models of one group, loaded, and the limits of the machine.
class Group {
 public:
  /// Models that do not fit are added to `planned`.
  Group(const std::vector<BenchCase>& cases, const BenchSizes& sizes, std::vector<Planned>& planned,
        std::optional<Error>& refused) {
    for (const BenchCase& c : cases) {
      try {
        runs_.push_back(std::make_unique<BenchRun>(c, sizes));
      } catch (const Error& e) {
        if (e.code() != Code::kOutOfMemory) throw;
        planned.push_back({c, c.planned_bytes()});
        if (!refused) refused = e;
      }
    }
    if (runs_.empty()) return;
    limits_.emplace();
    measure_limits();
  }

  /// Every phase of every model, in turns, with the limits behind them.
  void round(const std::function<void()>& done) {
    for (const auto& run : runs_) {
      for (const int n : run->sizes().prompt_tokens) run->prompt(n);
      run->generation();
      for (const int n : run->sizes().batch) run->batch(n);
      done();
    }
    measure_limits();
  }

  /// Once for each number of threads.
  void measure_limits() {
    std::set<int> seen;
    for (const auto& run : runs_) {
      if (seen.insert(run->backend().threads()).second) limits_->measure(run->backend());
    }
  }

  void report(std::vector<BenchResult>& to) const {
    for (const auto& run : runs_) to.push_back(result_of(*run, limits_->report(run->backend())));
  }
  [[nodiscard]] bool empty() const { return runs_.empty(); }
  [[nodiscard]] BenchRun& only() { return *runs_.front(); }

 private:
  std::vector<std::unique_ptr<BenchRun>> runs_;
  std::optional<Limits> limits_;  // behind the loading, which needs the memory more
};

void print_report(const BenchOptions& o, const BenchReport& report) {
  if (o.json)
    print_json(report_json(report));
  else
    print(o.markdown ? report_markdown(report) : report_text(report));
}

void run_machine(const BenchOptions& o) {
  std::vector<std::unique_ptr<Backend>> backends;
  Limits limits;
  for (const int threads : o.threads)
    backends.push_back(make_backend({.name = "cpu", .threads = threads}));
  const auto cpu = [](const std::unique_ptr<Backend>& b) -> CpuBackend& {
    return dynamic_cast<CpuBackend&>(*b);
  };
  for (int i = 0; i < o.repeat; ++i) {
    for (const auto& backend : backends) limits.measure(cpu(backend));
  }
  std::string text;
  OrderedJson machines = OrderedJson::array();
  for (const auto& backend : backends) {
    const MachineReport report = limits.report(cpu(backend));
    machines.push_back(machine_json(report));
    text += machine_text(report);
  }
  if (!o.json) return print(text);
  OrderedJson json = {{"machine", machines.front()}};
  if (machines.size() > 1) json["machines"] = machines;
  print_json(json);
}

/// What a line of standard input asks for: "limits", "generation", "prompt 512", "batch 16".
struct Step {
  std::string phase;
  int size = 0;
};

Step parse_step(const std::string& line, const BenchSizes& sizes) {
  const std::size_t space = line.find(' ');
  Step step{.phase = line.substr(0, space)};
  const std::vector<int>* known = step.phase == "prompt"  ? &sizes.prompt_tokens
                                  : step.phase == "batch" ? &sizes.batch
                                                          : nullptr;
  if (known != nullptr && space != line.npos) {
    const char* end = line.data() + line.size();
    const auto [p, error] = std::from_chars(line.data() + space + 1, end, step.size);
    const bool good = error == std::errc{} && p == end &&
                      std::find(known->begin(), known->end(), step.size) != known->end();
    if (good) return step;
  } else if (known == nullptr && space == line.npos &&
             (step.phase == "limits" || step.phase == "generation")) {
    return step;
  }
  throw Error(Code::kInvalidArgument, fmt::format("--steps: cannot measure '{}'", one_line(line)),
              {.expected = "limits, generation, prompt N or batch N, each N one of those that the "
                           "options name"});
}

/// Another program says what comes next, so that its own measurements can stand between ours.
void run_steps(Group& group) {
  BenchRun& run = group.only();
  print_json({{"ready", run.what().name()}});
  for (std::string line; std::getline(std::cin, line);) {
    const Step step = parse_step(line, run.sizes());
    if (step.phase == "limits") {
      group.measure_limits();
      print_json({{"step", line}});
      continue;
    }
    const double rate = step.phase == "prompt"  ? run.prompt(step.size)
                        : step.phase == "batch" ? run.batch(step.size)
                                                : run.generation();
    print_json({{"step", line}, {"tokens_per_s", rate}});
  }
  // The report has every phase; what nobody asked for is measured now.
  if (run.rates.generation.empty()) run.generation();
  for (const int n : run.sizes().prompt_tokens) {
    if (!run.rates.prompt.contains(n)) run.prompt(n);
  }
  for (const int n : run.sizes().batch) {
    if (!run.rates.batch.contains(n)) run.batch(n);
  }
}

void run_bench(const BenchOptions& o) {
  if (o.machine) return run_machine(o);
  const std::vector<BenchCase> cases = cases_of(o);
  if (o.steps && cases.size() != 1)
    fail(Code::kInvalidArgument, "--steps measures one model, one type and one number of threads");
  Progress progress("bench", "runs", o.progress);
  const double total = static_cast<double>(cases.size()) * o.repeat;
  double done = 0;
  BenchReport report;
  std::optional<Error> refused;
  for (const std::vector<BenchCase>& part : groups_of(cases)) {
    progress.update(done, total, "loading");
    Group group(part, o.sizes, report.planned, refused);
    if (group.empty()) continue;
    if (o.steps) {
      run_steps(group);
    } else {
      for (int i = 0; i < o.repeat; ++i) group.round([&] { progress.update(++done, total); });
    }
    group.report(report.results);
  }
  progress.finish();
  if (report.results.empty()) throw Error(*refused);
  print_report(o, report);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto o = std::make_shared<BenchOptions>();
  CLI::App* cmd = app.add_subcommand("bench", "Measure speed against the limits of this machine");
  cmd->footer(fmt::format(
      "Several models, types, numbers of threads, lengths of prompts and batches (commas between "
      "them) are\n"
      "measured in turns, round by round, as far as they fit in memory together; so a slow phase "
      "of "
      "the machine\n"
      "hits all alike. The limits are measured between the rounds: reading 2 GiB in the fastest of "
      "eight ways,\n"
      "and products in registers. All speeds are medians, after one round that does not count; the "
      "backend is cpu.\n"
      "  generation  bytes of a token: all matrices but the embedding (one row of it), the "
      "vectors, and the\n"
      "              state read and written, less the weights that met zeros and were skipped.\n"
      "              share = bytes x tokens/s / read_bytes_per_s\n"
      "  prompt      ops of a token: 2 x the elements of all matrices but embedding and head; the "
      "head counts\n"
      "              once a prompt. share = ops x tokens/s / the peak of the arithmetic: "
      "flops_per_s "
      "for f32 and\n"
      "              f16 weights, bf16_flops_per_s, int8_ops_per_s for block types; each matrix "
      "counts by its own\n"
      "              type. Recurrences are left out\n"
      "  batch       the same for sequences that are generated together; the head counts for every "
      "token\n"
      "JSON: machine {{cpu, isa, threads, read_bytes_per_s, flops_per_s, ...}}, model, "
      "load_seconds,\n"
      "peak_resident_bytes, generation {{tokens_per_s, bytes, share}}, prompt {{tokens_per_s, ops, "
      "share}}, prompts,\n"
      "batches, logits_hash; of a sweep {{results: [the same ...], planned: [what does not "
      "fit]}}.\n"
      "{}",
      wrapped(fmt::format("Shapes: {}, or sizes (see prwkv make-random --help).",
                          fmt::join(model_shape_names(), " ")),
              98)));
  auto* model =
      cmd->add_option(
             "MODEL", o->models,
             "Weight files of any RWKV generation (.pth, .safetensors, .gguf, .bin), or folders")
          ->type_name("FILE");
  auto* shape = cmd->add_option("--random-weights", o->random_weights,
                                "Models of these shapes with random weights, e.g. rwkv7:0.4b")
                    ->type_name("SHAPES")
                    ->excludes(model);
  auto* machine = cmd->add_flag("--machine", o->machine, "Only measure the limits of the machine");
  machine->excludes(model)->excludes(shape);
  // One argument each time, so that a MODEL can stand behind it.
  const auto list = [](CLI::Option* option, const char* type) {
    return option->delimiter(',')->allow_extra_args(false)->type_name(type);
  };
  list(cmd->add_option("--dtype", o->dtypes,
                       "Types of the matrices (default: as stored; random weights: f16)")
           ->check(CLI::IsMember(matrix_type_names())),
       "TYPES");
  list(cmd->add_option("--threads", o->threads, "0: one for each usable core")
           ->check(CLI::Range(0, 1024))
           ->default_str("0"),
       "N");
  list(cmd->add_option("--prompt-tokens", o->sizes.prompt_tokens, "Lengths of the prompts")
           ->check(CLI::Range(1, 1 << 24))
           ->default_str("512"),
       "N");
  cmd->add_option("--gen-tokens", o->sizes.gen_tokens, "Tokens to generate")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str()
      ->type_name("N");
  auto* batch = list(cmd->add_option("--batch", o->sizes.batch,
                                     "Numbers of sequences to generate together, e.g. 16,32")
                         ->check(CLI::Range(1, 1 << 14)),
                     "N");
  cmd->add_flag("--pin", o->pin, "Threads stay on one core each");
  list(cmd->add_option("--sparsity", o->sparsity,
                       "What becomes of weights that meet zeros: skip, keep, none (see prwkv "
                       "generate --help)")
           ->check(CLI::IsMember(sparsity_names()))
           ->default_str("skip"),
       "NAMES");
  add_zeros_option(*cmd, o->zeros)->needs(shape);
  cmd->add_flag("--ragged", o->sizes.ragged, "The sequences of a batch are of unequal length")
      ->needs(batch);
  cmd->add_option("--repeat", o->repeat, "Rounds to take the medians of")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--seed", o->seed, "Seed of random weights")
      ->check(seed_number())
      ->capture_default_str()
      ->type_name("N");
  cmd->add_flag("--steps", o->steps,
                "Measure what each line of standard input names (limits, generation, prompt N, "
                "batch N), answer in JSON lines, and report at its end")
      ->excludes(machine);
  auto* json = cmd->add_flag("--json", o->json, "Print JSON");
  cmd->add_flag("--markdown", o->markdown, "Print tables in Markdown")
      ->excludes(json)
      ->excludes(machine);
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->callback([o] { run_bench(*o); });
}

}  // namespace prwkv::cli
