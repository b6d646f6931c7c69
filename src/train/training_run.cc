#include "train/training_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/clock.h"
#include "train/loss_chart.h"

namespace prwkv {

namespace fs = std::filesystem;

namespace {

constexpr const char* kCheckpoint = "checkpoint.safetensors";
constexpr std::string_view kOthers[] = {kCheckpoint,      "init.safetensors", "rwkv_vocab.txt",
                                        "tokenizer.json", "log.jsonl",        "loss.svg"};

bool is_of_a_run(std::string_view name) {
  if (std::ranges::find(kOthers, name) != std::end(kOthers)) return true;
  return std::ranges::any_of(std::array{Method::kFull, Method::kLora, Method::kState},
                             [&](Method m) {
                               const std::vector<std::string> results = results_of(m);
                               return std::ranges::find(results, name) != results.end();
                             });
}

}  // namespace

bool has_run(const std::string& folder) { return fs::exists(fs::path(folder) / kCheckpoint); }

void expect_no_run(const std::string& folder) {
  if (!has_run(folder)) return;
  throw Error(Code::kInvalidArgument,
              fmt::format("{}: there is a training run in this folder", folder),
              {.hint = "go on with it (--resume), or name another folder"});
}

std::vector<std::string> results_of(Method method) {
  switch (method) {
    case Method::kFull: return {"model.safetensors"};
    case Method::kLora: return {"lora.safetensors", "lora.pth"};
    case Method::kState: return {"state.safetensors", "state.pth"};
  }
  return {};
}

void expect_nothing_lost(const std::string& folder, Method method) {
  if (has_run(folder)) return;
  for (const std::string& name : results_of(method)) {
    const fs::path path = fs::path(folder) / name;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) continue;
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: no run has written this file, and this one would write over it",
                            path.string()),
                {.hint = "move it away, or name another folder"});
  }
}

TrainingRun::TrainingRun(Trainer& trainer, const TrainedModel& model, RunOptions options)
    : trainer_(trainer), model_(model), options_(std::move(options)) {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) {
    throw Error(Code::kFile, fmt::format("{}: cannot make the folder", options_.folder),
                {.found = error.message()});
  }
  if (!options_.resume) expect_no_run(options_.folder);
  expect_nothing_lost(options_.folder, model_.selection().method);
  if (options_.resume) remove_leftovers();
  if (fs::exists(checkpoint())) {
    trainer_.load(checkpoint());
    saved_ = trainer_.steps_done();
    // The run may have ended between its checkpoint and these.
    write_outputs();
  }
  const std::int64_t done = trainer_.steps_done();
  log_ = RunLog::open(file("log.jsonl"), done > 0 ? done : -1);
  // A run that was killed before its first checkpoint left steps that count no more.
  events_ = options_.resume ? EventFile(options_.folder, done + 1) : EventFile(options_.folder);
}

std::string TrainingRun::checkpoint() const { return file(kCheckpoint); }

std::string TrainingRun::file(const std::string& name) const {
  return (fs::path(options_.folder) / name).string();
}

// Of a process that was killed while it wrote (AtomicFile): only what a run itself writes.
void TrainingRun::remove_leftovers() const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(options_.folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const std::size_t end = name.find(".tmp-");
    if (end != std::string::npos && is_of_a_run(std::string_view(name).substr(0, end)))
      fs::remove(entry.path(), ignored);
  }
}

std::vector<std::string> TrainingRun::outputs() const {
  std::vector<std::string> paths;
  for (const std::string& name : results_of(model_.selection().method)) paths.push_back(file(name));
  return paths;
}

// The checkpoint first: whatever happens then, nothing that was learned is lost.
void TrainingRun::save(const RunCallbacks& callbacks) {
  if (saved_ == trainer_.steps_done()) return;
  trainer_.save(checkpoint());
  saved_ = trainer_.steps_done();
  write_outputs();
  if (callbacks.on_save) callbacks.on_save(saved_);
}

void TrainingRun::write_outputs() const {
  for (const std::string& path : outputs()) model_.save(path, options_.dtype);
}

void TrainingRun::draw() const {
  AtomicFile out(file("loss.svg"));
  out.write(loss_chart(read_points(file("log.jsonl")), options_.title));
  out.commit();
}

void TrainingRun::report(const StepReport& r, const std::optional<Losses>& validation) {
  OrderedJson line = {{"step", r.step},
                      {"tokens", r.tokens},
                      {"loss", r.loss},
                      {"lr", r.lr},
                      {"norm", r.norm},
                      {"seconds", r.seconds},
                      {"tokens_per_second", r.tokens_per_second()}};
  std::vector<EventFile::Scalar> scalars = {{"loss/train", r.loss},
                                            {"lr", r.lr},
                                            {"gradient_norm", r.norm},
                                            {"tokens_per_second", r.tokens_per_second()}};
  if (options_.peak_flops > 0) {
    const double share = options_.flops_per_token * r.tokens_per_second() / options_.peak_flops;
    line["share_of_peak"] = share;
    scalars.push_back({"share_of_peak", share});
  }
  if (validation) {
    line["validation_loss"] = validation->mean();
    scalars.push_back({"loss/validation", validation->mean()});
  }
  log_->add(line);
  events_->add(r.step, scalars);
}

bool TrainingRun::run(const RunCallbacks& callbacks) {
  const auto keep_going = [&] { return !callbacks.keep_going || callbacks.keep_going(); };
  const auto is_due = [&](std::int64_t every, std::int64_t step) {
    return (every > 0 && step % every == 0) || trainer_.is_done();
  };
  bool stopped = false;
  while (!trainer_.is_done() && !stopped) {
    if (!keep_going()) break;
    StepReport r;
    std::optional<Losses> validation;
    try {
      const Stopwatch clock;
      const std::int64_t before = trainer_.tokens_done();
      static_cast<StepResult&>(r) = trainer_.step(keep_going);
      r.seconds = clock.seconds();
      r.step_tokens = r.tokens - before;
    } catch (const Error& e) {
      if (e.code() != Code::kCancelled) throw;
      break;
    }
    try {
      if (is_due(options_.eval_every, r.step))
        validation = trainer_.evaluate(options_.eval_samples, keep_going);
    } catch (const Error& e) {
      if (e.code() != Code::kCancelled) throw;
      stopped = true;  // the step counts, its evaluation does not
    }
    if (validation && validation->counted == 0) validation.reset();
    report(r, validation);
    if (callbacks.on_step) callbacks.on_step(r);
    if (validation && callbacks.on_evaluation) callbacks.on_evaluation(r.step, *validation);
    if (is_due(options_.save_every, r.step)) save(callbacks);
  }
  if (trainer_.steps_done() > 0) {
    save(callbacks);
    draw();
  }
  return trainer_.is_done();
}

}  // namespace prwkv
