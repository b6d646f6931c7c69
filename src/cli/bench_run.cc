#include "cli/bench_run.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "cli/model_options.h"
#include "models/random.h"

namespace prwkv::cli {
namespace {

constexpr int kReadBefore = 8;  // tokens that a sequence has read before it is generated

DType dtype_of(const BenchCase& c) {
  return dtype_from_name(c.dtype.empty() ? "f16" : c.dtype).value_or(DType::kF16);
}

std::shared_ptr<Engine> open_engine(const BenchCase& c) {
  ModelOptions m;
  m.model = c.model;
  m.dtype = c.dtype;
  m.threads = c.threads;
  m.pin = c.pin;
  m.sparsity = c.sparsity;
  if (!c.random) return m.open();
  const EngineOptions options = m.engine_options();
  std::unique_ptr<Backend> backend = make_backend(options.backend);
  ModelShape shape = model_shape(c.model);
  shape.zeros = c.zeros;
  LoadedModel model = random_model(shape, dtype_of(c), *backend, c.seed);
  return std::make_shared<Engine>(std::move(backend), std::move(model), options);
}

void add_operations(Operations& to, DType dtype, double operations) {
  (is_block(dtype) ? to.int8 : dtype == DType::kBF16 ? to.bf16 : to.fma) += operations;
}

ModelCost cost_of(const Engine& engine) {
  ModelCost c;
  for_each_param(engine.model(), [&](const Param& p, const Tensor& t) {
    if (p.name == "emb.weight") {
      c.sequence_bytes += static_cast<double>(row_bytes(t.dtype, p.shape[1]));
      return;
    }
    c.weight_bytes += static_cast<double>(t.bytes());
    if (p.stored == Stored::kVector) return;
    add_operations(p.name == "head.weight" ? c.head : c.body, t.dtype,
                   2 * static_cast<double>(p.shape.numel()));
  });
  for (int l = 0; l < engine.info().dims.L; ++l) {
    for (const StateEntry& e : engine.model().state_spec(l)) {
      c.sequence_bytes +=
          2 * static_cast<double>(row_bytes(DType::kF32, e.shape.numel()));  // read and written
    }
  }
  return c;
}

std::size_t file_bytes(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    const auto size = std::filesystem::file_size(path, error);
    return error ? 0 : static_cast<std::size_t>(size);
  }
  std::size_t total = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const auto size = entry.is_regular_file(error) ? entry.file_size(error) : 0;
    total += error ? 0 : static_cast<std::size_t>(size);
  }
  return total;
}

}  // namespace

std::string BenchCase::name() const {
  return dtype.empty() ? model : fmt::format("{} in {}", model, dtype);
}

std::size_t BenchCase::planned_bytes() const {
  if (random) return model_shape(model).bytes(dtype_of(*this));
  // Converted on the way, a file of any type may become f32.
  return file_bytes(model) * (dtype.empty() ? 1 : 2);
}

double Operations::least_seconds(const MachineLimits& limits) const {
  const double bf16_peak =
      limits.bf16_flops_per_s > 0 ? limits.bf16_flops_per_s : limits.flops_per_s;
  return fma / limits.flops_per_s + bf16 / bf16_peak + int8 / limits.int8_ops_per_s;
}

BenchRun::BenchRun(const BenchCase& what, const BenchSizes& sizes) : what_(what), sizes_(sizes) {
  const bool counted_anew = reset_peak_resident_bytes();
  const std::size_t others = counted_anew ? resident_bytes() : 0;
  const Stopwatch loading;
  engine_ = open_engine(what);
  load_seconds_ = loading.seconds();
  cost_ = cost_of(*engine_);
  sessions_.push_back(engine_->session());

  std::vector<double> seconds;
  for (const std::int32_t id : tokens(FirstTokens::kCount)) {
    const Stopwatch clock;
    sessions_.front().feed(std::span(&id, 1));
    seconds.push_back(clock.seconds());
  }
  for (const double s : seconds) first_.seconds += s;
  first_.warmup = std::max(0.0, seconds.front() - median({seconds.begin() + 1, seconds.end()}));

  for (const int n : sizes_.prompt_tokens) time_prompt(n);
  time_generation();
  for (const int n : sizes_.batch) time_batch(n);
  peak_ = prwkv::peak_resident_bytes() - others;
}

CpuBackend& BenchRun::backend() const { return dynamic_cast<CpuBackend&>(engine_->backend()); }

std::vector<std::int32_t> BenchRun::tokens(int count) const {
  const auto V = static_cast<double>(engine_->info().dims.V);
  Random random(1);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random.uniform() * V);
  return ids;
}

int BenchRun::length(int sequence) const {
  if (!sizes_.ragged) return sizes_.gen_tokens;
  // Half to all of it, every fourth sequence alike.
  return std::max(1, sizes_.gen_tokens - sizes_.gen_tokens * (sequence % 4) / 6);
}

int BenchRun::batch_tokens(int sequences) const {
  int total = 0;
  for (int s = 0; s < sequences; ++s) total += length(s);
  return total;
}

double BenchRun::generation() {
  return rates.generation.emplace_back(sizes_.gen_tokens / time_generation());
}
double BenchRun::prompt(int tokens) {
  return rates.prompt[tokens].emplace_back(tokens / time_prompt(tokens));
}
double BenchRun::batch(int sequences) {
  return rates.batch[sequences].emplace_back(batch_tokens(sequences) / time_batch(sequences));
}

double BenchRun::skipped_since(const CpuBackend::Skipping& before) const {
  const CpuBackend::Skipping& now = backend().skipping();
  return static_cast<double>((now.bytes - before.bytes) - (now.bytes_read - before.bytes_read));
}

double BenchRun::time_prompt(int tokens) {
  const std::vector<std::int32_t> ids = this->tokens(tokens);
  Session& session = sessions_.front();
  session.reset();
  const Stopwatch clock;
  session.feed(ids);
  return clock.seconds();
}

// Always the same tokens: behind the same short prompt, each the most likely one.
double BenchRun::time_generation() {
  Session& session = sessions_.front();
  session.reset();
  session.feed(tokens(kReadBefore));
  Sampler greedy({.temperature = 0});
  const CpuBackend::Skipping before = backend().skipping();
  const Stopwatch clock;
  for (int i = 0; i < sizes_.gen_tokens; ++i) {
    const std::int32_t id = greedy.sample(session.logits());
    session.feed(std::span(&id, 1));
  }
  const double seconds = clock.seconds();
  skipped_bytes_ = skipped_since(before) / sizes_.gen_tokens;
  hash_ = hash64(std::as_bytes(session.logits()));
  return seconds;
}

double BenchRun::time_batch(int sequences) {
  while (static_cast<int>(sessions_.size()) < sequences) sessions_.push_back(engine_->session());
  const std::vector<std::int32_t> ids = tokens(kReadBefore + sizes_.gen_tokens + sequences);
  std::vector<Work> work;
  for (int s = 0; s < sequences; ++s) {
    Session& session = sessions_[static_cast<std::size_t>(s)];
    session.reset();
    const std::size_t read =
        sizes_.ragged ? 1U + static_cast<std::size_t>(s % kReadBefore) : kReadBefore;
    work.push_back(
        {.session = &session, .tokens = std::span(ids).subspan(static_cast<std::size_t>(s), read)});
  }
  engine_->run(work);
  const CpuBackend::Skipping before = backend().skipping();
  const Stopwatch clock;
  for (int i = 0; i < sizes_.gen_tokens; ++i) {
    work.clear();
    const auto first = static_cast<std::size_t>(kReadBefore) + static_cast<std::size_t>(i);
    for (int s = 0; s < sequences; ++s) {
      if (i >= length(s)) continue;
      work.push_back({.session = &sessions_[static_cast<std::size_t>(s)],
                      .tokens = std::span(&ids.at(first + static_cast<std::size_t>(s)), 1)});
    }
    engine_->run(work);
  }
  const double seconds = clock.seconds();
  batch_skipped_bytes_[sequences] = skipped_since(before) / batch_tokens(sequences);
  return seconds;
}

}  // namespace prwkv::cli
