/// Two engines in one process: how fast is each while the other one works, and what do they cost when
/// nothing is asked of them? And parallel regions, each of which ends in a barrier: how many has a token, and what does one
/// cost that has nothing to do?
///
///     engines [--dtype f16|q8_0|…] [--tokens N] [--rounds N] [--check] [SHAPE]
///
/// Each engine has half of the cores. The model is small enough to stay in the caches: engines share
/// the memory bus as any two programs do, and that is not what is measured. --check: exit status 1 if
/// the median speed of both together is below 0.97 of what each reaches alone, or if an idle second
/// takes more than a hundredth of a core.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "models/random.h"
#include "runtime/engine.h"

namespace prwkv {
namespace {

struct Options {
  std::string shape = "rwkv7:L4,C256,V4096", dtype = "f16";
  int tokens = 400, rounds = 9;
  bool check = false;
};

Options parse(std::span<char*> arguments) {
  Options o;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string a = arguments[i];
    const bool has_value = i + 1 < arguments.size();
    if (a == "--check")
      o.check = true;
    else if (a == "--dtype" && has_value)
      o.dtype = arguments[++i];
    else if (a == "--tokens" && has_value)
      o.tokens = std::stoi(arguments[++i]);
    else if (a == "--rounds" && has_value)
      o.rounds = std::stoi(arguments[++i]);
    else if (!a.starts_with("--"))
      o.shape = a;
    else
      fail(Code::kInvalidArgument, "{}: no such option, or its value is missing", a);
  }
  if (o.tokens < 1 || o.rounds < 1)
    fail(Code::kInvalidArgument, "--tokens and --rounds are at least 1");
  return o;
}

std::shared_ptr<Engine> make_engine(const Options& o, int threads) {
  EngineOptions options;
  options.backend.threads = threads;
  std::unique_ptr<Backend> backend = make_backend(options.backend);
  const std::optional<DType> dtype = dtype_from_name(o.dtype);
  if (!dtype) fail(Code::kInvalidArgument, "--dtype: there is no '{}'", o.dtype);
  LoadedModel model = random_model(model_shape(o.shape), *dtype, *backend);
  return std::make_shared<Engine>(std::move(backend), std::move(model), options);
}

/// Tokens a second of one conversation.
double speed(Engine& engine, int tokens) {
  Session session = engine.session();
  std::int32_t id = 0;
  session.feed(std::span(&id, 1));
  const Stopwatch clock;
  for (int i = 0; i < tokens; ++i) {
    id = static_cast<std::int32_t>(i % engine.info().dims.V);
    session.feed(std::span(&id, 1));
  }
  return tokens / clock.seconds();
}

struct Regions {
  double seconds;             // of an empty one
  std::int64_t of_one_token;  // with as many threads as there are cores
};

Regions measure_regions(const Options& o) {
  ThreadPool pool;
  constexpr int kCalls = 1000, kRounds = 101;
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) {
    const Stopwatch clock;
    for (int i = 0; i < kCalls; ++i) pool.parallel_for(pool.size(), 1, [](auto, auto) {});
    seconds.push_back(clock.seconds() / kCalls);
  }
  const std::shared_ptr<Engine> engine = make_engine(o, 0);
  const auto& backend = dynamic_cast<const CpuBackend&>(engine->backend());
  Session session = engine->session();
  std::int32_t id = 0;
  session.feed(std::span(&id, 1));
  const std::uint32_t before = backend.regions();
  session.feed(std::span(&id, 1));
  return {median(seconds), std::int64_t{backend.regions()} - std::int64_t{before}};
}

int run(const Options& o) {
  const int cores = ThreadPool().size(), threads = std::max(1, cores / 2);
  const std::shared_ptr<Engine> a = make_engine(o, threads), b = make_engine(o, threads);
  std::vector<double> ratios;
  double alone = 0;
  for (int i = 0; i < o.rounds; ++i) {
    const double a_alone = speed(*a, o.tokens), b_alone = speed(*b, o.tokens);
    double a_beside = 0, b_beside = 0;
    {
      const std::jthread other([&] { b_beside = speed(*b, o.tokens); });
      a_beside = speed(*a, o.tokens);
    }
    alone = a_alone;
    ratios.push_back((a_beside / a_alone + b_beside / b_alone) / 2);
  }
  const double before = processor_seconds();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const double idle = processor_seconds() - before, ratio = median(ratios);
  fmt::print(
      "{} {}, 2 engines of {} thread{}: each reaches {:.3f} of its speed alone ({:.0f} tokens/s), "
      "median of {}; an idle second takes {:.4f} s of processor time\n",
      o.shape, o.dtype, threads, threads == 1 ? "" : "s", ratio, alone, o.rounds, idle);
  const Regions regions = measure_regions(o);
  fmt::print(
      "{} parallel regions a token with {} threads, {:.2f} us for one that has nothing to do\n",
      regions.of_one_token, cores, regions.seconds * 1e6);
  return o.check && (ratio < 0.97 || idle > 0.01) ? 1 : 0;
}

}  // namespace
}  // namespace prwkv

int main(int argc, char** argv) {
  try {
    return prwkv::run(prwkv::parse({argv, static_cast<std::size_t>(argc)}));
  } catch (const std::exception& e) {
    fmt::print(stderr, "engines: {}\n", e.what());
    return 2;
  }
}
