#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <span>

#include "backend/cpu/cpu_backend.h"
#include "base/hash.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/help.h"
#include "cli/model_options.h"
#include "cli/text.h"
#include "models/random.h"

namespace prwkv::cli {
namespace {

struct BenchOptions {
  std::string model, random_weights, dtype;
  int threads = 0, prompt_tokens = 512, gen_tokens = 32, repeat = 3;
  std::uint64_t seed = 0;
  bool machine = false, json = false;
  ProgressOptions progress;
};

constexpr std::size_t kGiB = std::size_t{1} << 30U;
constexpr double kSecondsOfLimits = 0.4;

/// What one step has to do at the very least, whoever does it.
struct Cost {
  double token_bytes = 0;  ///< memory that a generated token must read and write
  double prompt_ops = 0;   ///< of one token of a prompt, all of it through the head once
};

Cost cost_of(const Engine& engine, int prompt_tokens) {
  Cost c;
  double body = 0, head = 0;
  for_each_param(engine.model(), [&](const Param& p, const Tensor& t) {
    if (p.name == "emb.weight") {
      c.token_bytes += static_cast<double>(row_bytes(t.dtype, p.shape[1]));  // one row
      return;
    }
    c.token_bytes += static_cast<double>(t.bytes());
    if (p.stored != Stored::kVector)
      (p.name == "head.weight" ? head : body) += static_cast<double>(p.shape.numel());
  });
  for (int l = 0; l < engine.info().dims.L; ++l) {
    for (const StateEntry& e : engine.model().state_spec(l)) {
      c.token_bytes +=
          2 * static_cast<double>(row_bytes(DType::kF32, e.shape.numel()));  // read and written
    }
  }
  c.prompt_ops = 2 * body + 2 * head / prompt_tokens;
  return c;
}

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != line.npos) return line.substr(colon + 2);
  }
  return "unknown";
}

/// Other programs can only make a measurement worse, so the best of several is the limit.
class Limits {
 public:
  explicit Limits(CpuBackend& backend) : backend_(backend) {}
  void measure() {
    // Beyond every cache, but never so much that the machine begins to swap.
    const std::size_t room = available_memory_bytes() / 4;
    const MachineLimits now =
        backend_.measure_limits(kSecondsOfLimits, std::clamp(room, kGiB / 16, kGiB));
    best.read_bytes_per_s = std::max(best.read_bytes_per_s, now.read_bytes_per_s);
    best.flops_per_s = std::max(best.flops_per_s, now.flops_per_s);
  }
  MachineLimits best;

 private:
  CpuBackend& backend_;
};

OrderedJson machine_json(const CpuBackend& backend, const MachineLimits& limits) {
  return {{"cpu", processor_name()},
          {"isa", backend.isa()},
          {"threads", backend.threads()},
          {"read_bytes_per_s", limits.read_bytes_per_s},
          {"flops_per_s", limits.flops_per_s}};
}

std::string machine_text(const CpuBackend& backend, const MachineLimits& limits) {
  return fmt::format(
      "machine     {}, {}, {} thread{}\nlimits      read {:.1f} GB/s, {:.0f} GFLOP/s (f32 "
      "multiply-adds)\n",
      processor_name(), backend.isa(), backend.threads(), backend.threads() == 1 ? "" : "s",
      limits.read_bytes_per_s / 1e9, limits.flops_per_s / 1e9);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

std::shared_ptr<Engine> open_bench_engine(const BenchOptions& o, double& load_seconds) {
  const Stopwatch clock;
  ModelOptions m;
  m.model = o.model;
  m.dtype = o.dtype;
  m.threads = o.threads;
  const EngineOptions options = m.engine_options();
  std::shared_ptr<Engine> engine;
  if (o.random_weights.empty()) {
    engine = m.open("bench");
  } else {
    const ModelShape shape = model_shape(o.random_weights);
    std::unique_ptr<Backend> backend = make_backend(options.backend);
    LoadedModel model =
        random_model(shape, options.load.dtype.value_or(DType::kF16), *backend, o.seed);
    engine = std::make_shared<Engine>(std::move(backend), std::move(model), options);
  }
  load_seconds = clock.seconds();
  return engine;
}

/// Seconds of one prompt and of the tokens generated behind it, always the same ones.
class Run {
 public:
  Run(Engine& engine, const BenchOptions& o) : o_(o), session_(engine.session()) {
    const auto V = static_cast<std::uint64_t>(engine.info().dims.V);
    Random random(1);
    for (int i = 0; i < o.prompt_tokens; ++i) {
      prompt_.push_back(static_cast<std::int32_t>(random.uniform() * static_cast<double>(V)));
    }
  }
  double prompt() {
    session_.reset();
    const Stopwatch clock;
    session_.feed(prompt_);
    return clock.seconds();
  }
  double generation() {
    Sampler greedy({.temperature = 0});
    const Stopwatch clock;
    for (int i = 0; i < o_.gen_tokens; ++i) {
      const std::int32_t id = greedy.sample(session_.logits());
      session_.feed(std::span(&id, 1));
    }
    return clock.seconds();
  }
  /// Of the last logits: two runs of one build must agree.
  [[nodiscard]] std::uint64_t hash() const { return hash64(std::as_bytes(session_.logits())); }

 private:
  const BenchOptions& o_;
  std::vector<std::int32_t> prompt_;
  Session session_;
};

void run_machine(const BenchOptions& o) {
  const std::unique_ptr<Backend> made = make_backend({.name = "cpu", .threads = o.threads});
  auto& backend = dynamic_cast<CpuBackend&>(*made);
  Limits limits(backend);
  for (int i = 0; i < o.repeat; ++i) limits.measure();
  if (o.json)
    print_json({{"machine", machine_json(backend, limits.best)}});
  else
    print(machine_text(backend, limits.best));
}

void run_bench(const BenchOptions& o) {
  if (o.machine) return run_machine(o);
  Progress progress("bench", "runs", o.progress);
  progress.update(0, o.repeat + 1, "loading");
  double load_seconds = 0;
  const std::shared_ptr<Engine> engine = open_bench_engine(o, load_seconds);
  auto& backend = dynamic_cast<CpuBackend&>(engine->backend());
  Run run(*engine, o);
  // Pages and caches warm up in a first round that does not count. It has touched all memory that a
  // run needs, so the peak is read before the limits take memory of their own.
  run.prompt();
  run.generation();
  const std::size_t peak = peak_resident_bytes();
  Limits limits(backend);
  std::vector<double> prompt, generation;
  limits.measure();
  for (int i = 0; i < o.repeat; ++i) {
    progress.update(i + 1, o.repeat + 1);
    prompt.push_back(o.prompt_tokens / run.prompt());
    generation.push_back(o.gen_tokens / run.generation());
    limits.measure();
  }
  progress.finish();

  const Cost cost = cost_of(*engine, o.prompt_tokens);
  const double prompt_rate = median(prompt), generation_rate = median(generation);
  const double prompt_share = prompt_rate * cost.prompt_ops / limits.best.flops_per_s;
  const double generation_share = generation_rate * cost.token_bytes / limits.best.read_bytes_per_s;
  const ModelInfo& info = engine->info();
  const std::string name = o.random_weights.empty() ? info.path : o.random_weights;
  const std::string hash = fmt::format("{:016x}", run.hash());
  if (o.json) {
    print_json({{"machine", machine_json(backend, limits.best)},
                {"model",
                 {{"name", name},
                  {"generation", info.generation},
                  {"n_layer", info.dims.L},
                  {"n_embd", info.dims.C},
                  {"parameters", info.parameters},
                  {"bytes", info.weight_bytes}}},
                {"load_seconds", load_seconds},
                {"peak_resident_bytes", peak},
                {"generation",
                 {{"tokens_per_s", generation_rate},
                  {"bytes", std::llround(cost.token_bytes)},
                  {"share", generation_share},
                  {"tokens", o.gen_tokens},
                  {"runs", generation}}},
                {"prompt",
                 {{"tokens_per_s", prompt_rate},
                  {"ops", std::llround(cost.prompt_ops)},
                  {"share", prompt_share},
                  {"tokens", o.prompt_tokens},
                  {"runs", prompt}}},
                {"logits_hash", hash}});
    return;
  }
  print(machine_text(backend, limits.best));
  print(fmt::format(
      "model       {}: RWKV-{}, {} parameters, {}\nload        {:.2f} s, peak memory {}\n"
      "prompt      {:8.1f} tokens/s of {}: {} ops a token, {:.0f} GFLOP/s = {:.0f} % of the limit\n"
      "generation  {:8.1f} tokens/s of {}: {} a token, {:.1f} GB/s = {:.0f} % of the limit\n"
      "medians of {}; logits hash {}\n",
      name, info.generation, count(static_cast<double>(info.parameters)),
      bytes(static_cast<double>(info.weight_bytes)), load_seconds, bytes(static_cast<double>(peak)),
      prompt_rate, o.prompt_tokens, count(cost.prompt_ops), prompt_rate * cost.prompt_ops / 1e9,
      100 * prompt_share, generation_rate, o.gen_tokens, bytes(cost.token_bytes),
      generation_rate * cost.token_bytes / 1e9, 100 * generation_share, o.repeat, hash));
}

}  // namespace

void add_bench(CLI::App& app) {
  auto o = std::make_shared<BenchOptions>();
  CLI::App* cmd = app.add_subcommand("bench", "Measure speed against the limits of this machine");
  cmd->footer(fmt::format(
      "The limits are measured between the runs: reading 1 GiB, and f32 multiply-adds in "
      "registers; the best\n"
      "of each counts. Speeds are medians, after one round that does not count; the backend is "
      "cpu.\n"
      "  generation  bytes of a token: all matrices but the embedding (one row of it), the "
      "vectors, and the\n"
      "              state read and written. share = bytes x tokens/s / read_bytes_per_s\n"
      "  prompt      ops of a token: 2 x the elements of all matrices but embedding and head; the "
      "head counts\n"
      "              once a prompt. share = ops x tokens/s / flops_per_s. Recurrences are left "
      "out.\n"
      "JSON: machine {{cpu, isa, threads, read_bytes_per_s, flops_per_s}}, model, load_seconds,\n"
      "peak_resident_bytes, generation {{tokens_per_s, bytes, share}}, prompt {{tokens_per_s, ops, "
      "share}}.\n"
      "{}",
      wrapped(fmt::format("Shapes: {}, or sizes (see prwkv make-random --help).",
                          fmt::join(model_shape_names(), " ")),
              98)));
  auto* model =
      cmd->add_option(
             "MODEL", o->model,
             "Weight file of any RWKV generation (.pth, .safetensors, .gguf, .bin), or a folder")
          ->type_name("FILE");
  auto* shape = cmd->add_option("--random-weights", o->random_weights,
                                "A model of this shape with random weights, e.g. rwkv7:0.4b")
                    ->type_name("SHAPE")
                    ->excludes(model);
  auto* machine = cmd->add_flag("--machine", o->machine, "Only measure the limits of the machine");
  machine->excludes(model)->excludes(shape);
  cmd->add_option("--dtype", o->dtype,
                  "Type of the matrices (default: as stored; random weights: f16)")
      ->check(CLI::IsMember(matrix_type_names()))
      ->type_name("TYPE");
  cmd->add_option("--threads", o->threads, "0: one for each usable core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--prompt-tokens", o->prompt_tokens, "Length of the prompt")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--gen-tokens", o->gen_tokens, "Tokens to generate")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--repeat", o->repeat, "Runs to take the median of")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--seed", o->seed, "Seed of random weights")
      ->check(seed_number())
      ->capture_default_str()
      ->type_name("N");
  cmd->add_flag("--json", o->json, "Print JSON");
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->callback([o] { run_bench(*o); });
}

}  // namespace prwkv::cli
