/// Steps of training: schedules, chunks of long sequences, replicas, checkpoints of a run, the memory plan.
#include "train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <fstream>
#include <numeric>
#include <thread>

#include "base/test_folder.h"
#include "models/tuned_state.h"
#include "train/new_model.h"
#include "train/plan.h"

namespace prwkv {
namespace {

// ---- schedules and groups

TEST(LearningRate, OfCosineIsThatOfBlinkdlsTrainers) {
  const ScheduleOptions o{
      .kind = Schedule::kCosine, .lr = 1, .lr_final = 0.1, .steps = 110, .warmup = 10};
  const std::pair<std::int64_t, double> expected[] = {{0, 0.01},  {5, 0.505}, {9, 0.901}, {10, 1},
                                                      {60, 0.55}, {110, 0.1}, {200, 0.1}};
  for (const auto& [step, lr] : expected) EXPECT_NEAR(learning_rate(o, step), lr, 1e-12) << step;
}

TEST(LearningRate, OfWsdIsStableAndThenGoesDown) {
  const ScheduleOptions o{
      .kind = Schedule::kWsd, .lr = 2, .lr_final = 0, .steps = 100, .warmup = 0, .decay = 20};
  EXPECT_EQ(learning_rate(o, 0), 2);
  EXPECT_EQ(learning_rate(o, 79), 2);
  EXPECT_NEAR(learning_rate(o, 80), 2 - 2.0 / 20, 1e-12);
  EXPECT_NEAR(learning_rate(o, 99), 0, 1e-12);
  EXPECT_EQ(learning_rate({.kind = Schedule::kConstant, .lr = 3, .steps = 9, .warmup = 0}, 8), 3);
}

TEST(LearningRate, RefusesWhatIsNone) {
  EXPECT_THROW((void)learning_rate({.lr = 0}, 0), Error);
  EXPECT_THROW((void)learning_rate({.lr = std::nan("")}, 0), Error);
  EXPECT_THROW((void)learning_rate({.steps = 5, .decay = 6}, 0), Error);
}

TEST(ParamGroups, AreThoseOfBlinkdl) {
  const auto group = [](const char* name, Stored stored) {
    const ParamGroup g = group_of({name, {4, 4}, stored, 0});
    return std::pair(g.lr, g.decays);
  };
  using P = std::pair<double, bool>;
  EXPECT_EQ(group("emb.weight", Stored::kMatrix), P(1, true));
  EXPECT_EQ(group("blocks.0.att.key.weight", Stored::kMatrix), P(1, true));
  EXPECT_EQ(group("blocks.0.att.w1", Stored::kTransposed), P(1, false));
  EXPECT_EQ(group("blocks.0.att.w0", Stored::kVector), P(2, false));
  EXPECT_EQ(group("blocks.0.att.time_decay", Stored::kVector), P(2, false));
  EXPECT_EQ(group("blocks.0.att.time_decay_w1", Stored::kTransposed), P(1, false));
  EXPECT_EQ(group("blocks.0.att.time_first", Stored::kVector), P(3, false));
  EXPECT_EQ(group("blocks.0.ln1.weight", Stored::kVector), P(1, false));
}

// ---- a small model and its data, in files

class Training : public ::testing::Test {
 protected:
  /// A model with random weights, in which everything matters: a new one begins with zeros that hide its state.
  std::string model_file(const std::string& shape = "rwkv7:L2,C32,F64,V24,N16") {
    const std::string path = folder_ / "model.safetensors";
    write_random_model(model_shape(shape), DType::kF32, path, 5);
    return path;
  }
  std::string new_model_file(const std::string& shape = "rwkv7:L2,C32,F64,V24,N16") {
    const std::string path = folder_ / "new.safetensors";
    ThreadPool pool(1);
    ModelShape s = model_shape(shape);
    write_new_model(s, {.seed = 5, .emb_scale = 0.5}, path, pool);
    return path;
  }
  Dataset data(std::int64_t context, std::int64_t tokens = 6000) {
    std::string text;
    for (std::int64_t i = 0; i < tokens; ++i) text += static_cast<char>((i * i + i / 7) % 23 + 1);
    const std::string path = folder_ / "data.txt";
    std::ofstream(path) << text;
    ThreadPool pool(1);
    return Dataset::open(
        {.files = {path}, .vocabulary = 256, .validation = 0.1, .context = context, .seed = 3},
        *byte_tokenizer(), pool);
  }
  static std::unique_ptr<Backend> cpu(int threads = 1) {
    return make_backend({.threads = threads, .packing = Packing::kEachCall});
  }
  static TrainerOptions options(std::int64_t context = 32) {
    return {.batch = 4,
            .micro_batch = 2,
            .context = context,
            .chunk = context,
            .schedule = {.lr = 3e-3, .lr_final = 1e-3, .steps = 8, .warmup = 2}};
  }
  testing::TemporaryFolder folder_;
};

std::vector<float> values_of(Backend& backend, const Tensor& t) {
  const std::vector<double> values = backend.values(t);
  return {values.begin(), values.end()};
}

/// A model on a backend of one thread, and the trainer of it.
struct TestRun {
  TestRun(const std::string& file, const Dataset& data, const TrainerOptions& options,
          const Selection& selection = {}, const LoadOptions& load = {},
          const std::string& state = {})
      : backend(make_backend({.threads = 1, .packing = Packing::kEachCall})),
        model(file, *backend, selection, load, state),
        arena(*backend),
        trainer(model, data, arena, options) {}
  /// All steps that are left.
  StepResult finish() {
    StepResult last;
    while (!trainer.is_done()) last = trainer.step();
    return last;
  }
  std::unique_ptr<Backend> backend;
  TrainedModel model;
  Arena arena;
  Trainer trainer;
};

std::vector<std::vector<float>> weights_of(const TrainedModel& model) {
  std::vector<std::vector<float>> all;
  for (const Trained& t : model.parameters()) all.push_back(values_of(model.backend(), t.value));
  return all;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double off = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    off += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(off / std::max(size, 1e-300));
}

// ---- long sequences

struct Gradients {
  Losses losses;
  std::vector<std::vector<float>> of;
  std::size_t scratch = 0;
};

Gradients gradients_of(Backend& backend, const std::string& file,
                       const std::vector<Sample>& samples, PassOptions pass,
                       Method method = Method::kFull) {
  TrainedModel model(file, backend, {.method = method});
  Arena arena(backend);
  ParamGrads gradients(backend);
  for (const Trained& t : model.parameters()) gradients.watch(t.value);
  pass.sequences = static_cast<std::int64_t>(samples.size());
  BackPropagation passes(model.model(), backend, arena, gradients, pass, model.initial_state());
  Gradients g;
  g.losses = passes.backward(samples, 1e-2);
  for (const Trained& t : model.parameters())
    g.of.push_back(values_of(backend, gradients.of(t.value)));
  g.scratch = arena.peak();
  EXPECT_NEAR(passes.forward(samples).sum, g.losses.sum, 1e-4 * g.losses.sum);
  return g;
}

/// Of unequal length: the second ends inside a chunk, and long before the first.
std::vector<Sample> long_samples(std::int64_t n) {
  std::vector<Sample> samples(2);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto id = static_cast<std::int32_t>((i * 7 + i * i / 5) % 23);
    samples[0].inputs.push_back(id);
    samples[0].targets.push_back(i % 5 == 0 ? -1 : (id + 3) % 23);
    if (i < n / 3 + 1) {
      samples[1].inputs.push_back((id + 11) % 23);
      samples[1].targets.push_back(id);
    }
  }
  return samples;
}

TEST_F(Training, SixteenChunksGiveTheGradientOfOneLongSequence) {
  const std::vector<Sample> samples = long_samples(256);
  for (const char* shape :
       {"rwkv7:L2,C32,F64,V24,N16", "rwkv4:L2,C32,F64,V24", "rwkv6:L2,C32,F64,V24,N16,mix8,decay8",
        "rwkv5.2:L2,C32,F64,V24,N16", "rwkv4a:L2,C32,F64,V24,tiny8"}) {
    SCOPED_TRACE(shape);
    const std::string file = model_file(shape);
    const auto backend = cpu();
    const Gradients whole = gradients_of(*backend, file, samples, {.chunk = 256, .context = 256}),
                    chunks = gradients_of(*backend, file, samples, {.chunk = 16, .context = 256});
    EXPECT_EQ(chunks.losses.counted, whole.losses.counted);
    EXPECT_NEAR(chunks.losses.sum, whole.losses.sum, 1e-5 * whole.losses.sum);
    for (std::size_t i = 0; i < whole.of.size(); ++i)
      EXPECT_LE(distance(chunks.of[i], whole.of[i]), 1e-5) << i;
  }
}

TEST_F(Training, ScratchMemoryDoesNotGrowWithTheContext) {
  const std::string file = model_file();
  const auto backend = cpu();
  const Gradients few =
                      gradients_of(*backend, file, long_samples(64), {.chunk = 16, .context = 64}),
                  many = gradients_of(*backend, file, long_samples(512),
                                      {.chunk = 16, .context = 512});
  EXPECT_EQ(many.scratch, few.scratch);
}

// What is cut off is what came before: gradients differ, losses do not. A window of all chunks cuts off nothing.
TEST_F(Training, TruncationCutsGradientsAndNotLosses) {
  const std::string file = model_file();
  const auto backend = cpu();
  const std::vector<Sample> samples = long_samples(64);
  const auto with = [&](std::int64_t truncate) {
    return gradients_of(*backend, file, samples,
                        {.chunk = 16, .truncate = truncate, .context = 64});
  };
  const Gradients all = with(0), one = with(1), three = with(3), four = with(4);
  EXPECT_EQ(one.losses.sum, all.losses.sum);
  EXPECT_EQ(four.of, all.of);
  double off_one = 0, off_three = 0;
  for (std::size_t i = 0; i < all.of.size(); ++i) {
    off_one = std::max(off_one, distance(one.of[i], all.of[i]));
    off_three = std::max(off_three, distance(three.of[i], all.of[i]));
  }
  EXPECT_GT(off_one, 1e-3);
  EXPECT_GT(off_three, 1e-4);
}

TEST_F(Training, BlockCheckpointsChangeNothing) {
  const std::string file = model_file();
  const auto backend = cpu();
  const std::vector<Sample> samples = long_samples(64);
  EXPECT_EQ(
      gradients_of(*backend, file, samples, {.chunk = 16, .context = 64, .block_checkpoints = true})
          .of,
      gradients_of(*backend, file, samples, {.chunk = 16, .context = 64}).of);
}

// Of the initial state, through chunks, against central differences.
TEST_F(Training, GradientOfTheTunedStateIsExact) {
  const std::string file = model_file();
  const auto backend = make_backend({.name = "ref", .dtype = DType::kF64});
  const std::vector<Sample> samples = long_samples(12);
  const PassOptions pass = {.chunk = 4, .sequences = 2, .context = 12};
  const Gradients got = gradients_of(*backend, file, samples, pass, Method::kState);
  TrainedModel model(file, *backend, {.method = Method::kState});
  Arena arena(*backend);
  ParamGrads none(*backend);
  BackPropagation passes(model.model(), *backend, arena, none, pass, model.initial_state());
  const Tensor state = model.parameters()[1].value;  // of the last layer
  for (const std::size_t i : {std::size_t{0}, std::size_t{17}, std::size_t{300}}) {
    constexpr double kStep = 1e-5;
    double& element = state.as<double>()[i];
    const double x = element;
    element = x + kStep;
    const double up = passes.forward(samples).sum;
    element = x - kStep;
    const double down = passes.forward(samples).sum;
    element = x;
    const double expected = 1e-2 * (up - down) / (2 * kStep);
    EXPECT_NEAR(static_cast<double>(got.of[1][i]), expected, 1e-6 * std::abs(expected) + 1e-9) << i;
  }
}

// ---- steps

TEST_F(Training, LowersTheLossOfTrainingAndValidation) {
  const std::string file = new_model_file();
  const Dataset tokens = data(32);
  TrainerOptions o = options();
  o.schedule.steps = 60;
  TestRun run(file, tokens, o);
  const double before = run.trainer.evaluate(0).mean(), first = run.trainer.step().loss,
               last = run.finish().loss;
  EXPECT_NEAR(first, std::log(24), 1) << "a new model knows nothing";
  EXPECT_LT(last, first - 0.5);
  EXPECT_LT(run.trainer.evaluate(0).mean(), before - 0.5);
  EXPECT_EQ(run.trainer.tokens_done(), 60 * 4 * 32);
}

TEST_F(Training, GoesOnFromACheckpointBitForBit) {
  const std::string file = model_file(), saved = folder_ / "checkpoint.safetensors";
  const Dataset tokens = data(32);
  TestRun whole(file, tokens, options());
  whole.finish();
  TestRun first(file, tokens, options());
  while (first.trainer.steps_done() < 3) first.trainer.step();
  first.trainer.save(saved);
  TestRun then(file, tokens, options());
  then.trainer.load(saved);
  EXPECT_EQ(then.trainer.steps_done(), 3);
  then.finish();
  EXPECT_EQ(weights_of(then.model), weights_of(whole.model));

  TrainerOptions other = options();
  other.schedule.lr = 1e-2;
  EXPECT_THROW(TestRun(file, tokens, other).trainer.load(saved), Error);
  const Dataset others = data(32, 5000);
  EXPECT_THROW(TestRun(file, others, options()).trainer.load(saved), Error);
}

TEST_F(Training, AStepThatIsStoppedHasNotHappened) {
  const std::string file = model_file();
  const Dataset tokens = data(32);
  TestRun run(file, tokens, options());
  const auto before = weights_of(run.model);
  int asked = 0;
  EXPECT_THROW(run.trainer.step([&] { return ++asked < 2; }), Error);
  EXPECT_EQ(weights_of(run.model), before);
  EXPECT_EQ(run.trainer.steps_done(), 0);
}

TEST_F(Training, NoFiniteLossNoStep) {
  const std::string file = model_file();
  const Dataset tokens = data(32);
  TestRun run(file, tokens, options());
  run.backend->fill(run.model.parameters()[0].value, std::nan(""));
  try {
    run.trainer.step();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kUnsupported);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("step 1: the loss is no finite number"));
  }
  EXPECT_EQ(run.trainer.steps_done(), 0);
}

/// Two replicas in two threads of one process.
class TwoReplicas {
 public:
  class Side final : public GradientExchange {
   public:
    Side(TwoReplicas& both, int rank) : both_(both), rank_(rank) {}
    [[nodiscard]] int size() const override { return 2; }
    [[nodiscard]] int rank() const override { return rank_; }
    double sum(double value) override {
      both_.numbers_[rank_] = value;
      both_.meet_.arrive_and_wait();
      const double total = both_.numbers_[0] + both_.numbers_[1];
      both_.meet_.arrive_and_wait();
      return total;
    }
    void sum(Backend&, std::span<const Tensor> tensors) override {
      both_.tensors_[rank_] = tensors;
      both_.meet_.arrive_and_wait();
      if (rank_ == 0) {
        for (std::size_t i = 0; i < tensors.size(); ++i) {
          float *a = both_.tensors_[0][i].as<float>(), *b = both_.tensors_[1][i].as<float>();
          for (std::int64_t k = 0; k < tensors[i].numel(); ++k) a[k] = b[k] = a[k] + b[k];
        }
      }
      both_.meet_.arrive_and_wait();
    }

   private:
    TwoReplicas& both_;
    int rank_;
  };
  Side& side(int rank) { return sides_[rank]; }

 private:
  std::barrier<> meet_{2};
  double numbers_[2] = {};
  std::span<const Tensor> tensors_[2];
  Side sides_[2] = {{*this, 0}, {*this, 1}};
};

// A batch that is dealt out to two replicas gives the weights of one that has it all, up to the order of sums.
TEST_F(Training, ReplicasMeetInTheExchange) {
  const std::string file = model_file();
  const Dataset tokens = data(32);
  TrainerOptions o = options();
  // With an eps as small as RWKV's the sign of a gradient that is nearly zero would decide.
  o.adamw.eps = 1e-3;
  TestRun alone(file, tokens, o);
  StepResult expected;
  while (alone.trainer.steps_done() < 4) expected = alone.trainer.step();

  TwoReplicas both;
  std::vector<std::vector<float>> weights[2];
  StepResult results[2];
  const auto replica = [&](int rank) {
    const auto backend = cpu();
    TrainedModel model(file, *backend, {});
    Arena scratch(*backend);
    Trainer mine(model, tokens, scratch, o, &both.side(rank));
    while (mine.steps_done() < 4) results[rank] = mine.step();
    weights[rank] = weights_of(model);
  };
  std::thread other(replica, 1);
  replica(0);
  other.join();
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(results[0].tokens, expected.tokens);
  EXPECT_NEAR(results[0].loss, expected.loss, 1e-5);
  const auto whole = weights_of(alone.model);
  for (std::size_t i = 0; i < whole.size(); ++i)
    EXPECT_LE(distance(weights[0][i], whole[i]), 1e-4) << alone.model.parameters()[i].name;
}

// ---- adapters and states

TEST_F(Training, NewAdaptersChangeNothingAndThenOnlyTheyAreTrained) {
  const std::string file = model_file(), out = folder_ / "lora.safetensors";
  const Dataset tokens = data(32);
  const Selection lora = {.method = Method::kLora, .lora_rank = 4};
  TestRun plain(file, tokens, options()), run(file, tokens, options(), lora);
  const double before = plain.trainer.evaluate(0).sum;
  EXPECT_EQ(run.trainer.evaluate(0).sum, before);
  for (const Trained& t : run.model.parameters())
    EXPECT_THAT(t.name,
                ::testing::AnyOf(::testing::EndsWith(".lora_A"), ::testing::EndsWith(".lora_B")));
  run.finish();
  const double trained = run.trainer.evaluate(0).sum;
  EXPECT_LT(trained, before);
  run.model.save(out);
  TestRun again(file, tokens, options(), {.method = Method::kLora}, {.dtype = {}, .lora = out});
  EXPECT_EQ(again.trainer.evaluate(0).sum, trained);
}

TEST_F(Training, GoesThroughWeightsThatWerePackedToGenerate) {
  const std::string file = model_file("rwkv7:L2,C64,F128,V24,N16");  // 64: a matrix lies by input
  const PassOptions pass = {.chunk = 40, .context = 40};
  for (const Method method : {Method::kLora, Method::kState}) {
    const auto to_train = cpu(), to_generate = make_backend({.threads = 2});
    const Gradients a = gradients_of(*to_train, file, long_samples(40), pass, method);
    const Gradients b = gradients_of(*to_generate, file, long_samples(40), pass, method);
    EXPECT_NEAR(b.losses.sum, a.losses.sum, 1e-5 * a.losses.sum);
    for (std::size_t i = 0; i < a.of.size(); ++i) EXPECT_LE(distance(b.of[i], a.of[i]), 1e-5) << i;
  }
}

TEST_F(Training, ATunedStateIsReadBack) {
  const std::string file = model_file(), out = folder_ / "state.pth";
  const Dataset tokens = data(32);
  TrainerOptions o = options();
  o.schedule.lr = 0.5;
  const Selection state = {.method = Method::kState};
  TestRun run(file, tokens, o, state);
  const double before = run.trainer.evaluate(0).sum;
  run.finish();
  const double tuned = run.trainer.evaluate(0).sum;
  EXPECT_LT(tuned, before);
  run.model.save(out);
  EXPECT_EQ(TestRun(file, tokens, o, state, {}, out).trainer.evaluate(0).sum, tuned);
  EXPECT_THROW(TrainedModel(model_file("rwkv4:L2,C32,F64,V24"), *run.backend, state), Error);
}

TEST_F(Training, LayersAndPartsAreChosen) {
  const std::string file = model_file();
  const auto backend = cpu();
  const auto names = [&](const Selection& s) {
    std::vector<std::string> all;
    const TrainedModel model(file, *backend, s);
    for (const Trained& t : model.parameters()) all.push_back(t.name);
    return all;
  };
  EXPECT_THAT(
      names({.layers = {1}, .parts = {"ln"}}),
      ::testing::ElementsAre("blocks.0.ln0.weight", "blocks.0.ln0.bias", "blocks.1.ln1.weight",
                             "blocks.1.ln1.bias", "blocks.1.ln2.weight", "blocks.1.ln2.bias",
                             "blocks.1.att.ln_x.weight", "blocks.1.att.ln_x.bias", "ln_out.weight",
                             "ln_out.bias"));
  EXPECT_THAT(
      names({.method = Method::kLora, .layers = {0}, .parts = {"ffn"}, .lora_rank = 2}),
      ::testing::UnorderedElementsAre("blocks.0.ffn.key.lora_A", "blocks.0.ffn.key.lora_B",
                                      "blocks.0.ffn.value.lora_A", "blocks.0.ffn.value.lora_B"));
  EXPECT_THROW(names({.parts = {"heads"}}), Error);
  EXPECT_THROW(names({.layers = {2}}), Error);
}

// ---- memory

TEST_F(Training, ThePlanIsWhatIsUsed) {
  const std::string file = model_file();
  const Dataset tokens = data(64);
  for (const Method method : {Method::kFull, Method::kLora, Method::kState}) {
    for (const std::int64_t chunk : {16, 64}) {
      TrainerOptions o = options(64);
      o.chunk = chunk;
      const Selection selection = {.method = method, .lora_rank = 4};
      const MemoryPlan plan =
          plan_memory(file, selection, {}, o, {.threads = 2, .packing = Packing::kEachCall});
      const auto backend = cpu(2);
      TrainedModel model(file, *backend, selection);
      Arena arena(*backend);
      arena.reserve(plan.activations);
      const std::size_t reserved = arena.capacity();
      Trainer trainer(model, tokens, arena, o);
      trainer.step();
      EXPECT_EQ(arena.peak(), plan.activations);
      EXPECT_EQ(arena.capacity(), reserved) << "one block was enough";
      EXPECT_EQ(backend->scratch_bytes(), plan.kernels);
      EXPECT_EQ(model.weight_bytes(), plan.weights);
      EXPECT_EQ(plan.trained, model.trained_elements());
    }
  }
}

}  // namespace
}  // namespace prwkv
