/// Proofs that the design carries what is to come: captured GPU steps, models larger than memory,
/// probes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <set>

#include "support/engines.h"

namespace prwkv::test {
namespace {

/// A small model of any generation.
std::string shape_of(const std::string& generation) {
  return "rwkv" + generation + ":L5,C64,V101" + (generation.starts_with('4') ? "" : ",N16");
}

std::vector<std::string> generation_names() {
  std::vector<std::string> names;
  for (const Generation& g : generations()) names.emplace_back(g.name);
  return names;
}

std::string param_name(const testing::TestParamInfo<std::string>& p) {
  std::string name = "rwkv" + p.param;
  for (char& c : name) c = c == '.' ? '_' : c;
  return name;
}

class Design : public testing::TestWithParam<std::string> {
 protected:
  static std::string shape() { return shape_of(GetParam()); }
};

// ---- A decode step can be captured once and replayed: it always uses the same addresses.

TEST_P(Design, AddressesAreTheSameInAThousandDecodeSteps) {
  const auto e = engine_for_shape(shape(), DType::kF32, {.backend = "cpu_scalar", .threads = 1});
  using Step = std::vector<std::pair<std::string, const void*>>;
  Step now;
  e->observe([&](const char* op, const Tensor& value) { now.emplace_back(op, value.data); });
  Session session = e->session();
  const Tokens tokens = some_tokens(1000, e->info().dims.V, 3);
  Step first;
  std::size_t capacity = 0;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    now.clear();
    session.feed(std::span(&tokens[t], 1));
    ASSERT_EQ(e->arena().mark().block, 0);
    ASSERT_EQ(e->arena().mark().offset, 0) << "scratch memory was not given back";
    if (t == 0) first = now, capacity = e->arena().capacity();
    ASSERT_EQ(now, first) << "step " << t;
  }
  EXPECT_EQ(e->arena().capacity(), capacity);
  EXPECT_GT(first.size(), 50);
}

TEST_P(Design, AddressesComeBackAfterAPrompt) {
  const auto e = engine_for_shape(shape(), DType::kF32, {.backend = "cpu_scalar", .threads = 1});
  std::vector<const void*> now;
  e->observe([&](const char*, const Tensor& value) { now.push_back(value.data); });
  Session session = e->session();
  const Tokens prompt = some_tokens(200, e->info().dims.V, 3);
  session.feed(std::span(prompt).first(1));
  const auto before = std::exchange(now, {});
  session.feed(prompt);
  now.clear();
  session.feed(std::span(prompt).first(1));
  EXPECT_EQ(now, before);
}

// ---- Probes see every result of every operation, in order.

TEST_P(Design, AnObserverSeesEveryResult) {
  const auto e = engine_for_shape(shape(), DType::kF32, {.backend = "fake"});
  std::vector<std::string> ops;
  std::vector<float> last;
  e->observe([&](const char* op, const Tensor& value) {
    ops.emplace_back(op);
    last = download_f32(e->backend(), value);
  });
  Session session = e->session();
  const Tokens tokens = some_tokens(3, e->info().dims.V, 4);
  session.feed(tokens);
  EXPECT_EQ(ops.front(), "embedding");
  EXPECT_EQ(ops.back(), "linear");
  EXPECT_EQ(last, std::vector<float>(session.logits().begin(), session.logits().end()));
  const std::string recurrence = GetParam()[0] == '4'   ? "wkv4"
                                 : GetParam()[0] == '7' ? "wkv7"
                                                        : "wkv6";
  EXPECT_EQ(std::count(ops.begin(), ops.end(), recurrence), e->info().dims.L);
  e->observe(nullptr);
  ops.clear();
  session.feed(tokens);
  EXPECT_TRUE(ops.empty());
}

// ---- Models larger than memory: weights can be touched only between acquire and release.

/// Moves the weights of every layer into memory of its own and makes it inaccessible, except for
/// the layer that is in use and the one that was asked for next.
class TwoLayersAtATime final : public LayerSource {
 public:
  explicit TwoLayersAtATime(LoadedModel& model) {
    struct Collector final : ParamVisitor {
      void visit(const Param& p, Tensor& t) override {
        if (p.layer >= 0) tensors[p.layer].push_back(&t);
      }
      std::map<int, std::vector<Tensor*>> tensors;
    } found;
    model.model->visit(found);
    for (auto& [layer, tensors] : found.tensors) {
      std::size_t bytes = 0;
      for (const Tensor* t : tensors) bytes += padded(*t);
      void* memory =
          ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED) fail(Code::kOutOfMemory, "no memory for layer {}", layer);
      layers_.push_back({static_cast<char*>(memory), bytes});
      char* at = layers_.back().data;
      for (Tensor* t : tensors) {
        std::memcpy(at, t->data, t->bytes());
        t->data = at;
        at += padded(*t);
      }
      protect(layer, PROT_NONE);
    }
  }
  TwoLayersAtATime(const TwoLayersAtATime&) = delete;
  TwoLayersAtATime& operator=(const TwoLayersAtATime&) = delete;
  ~TwoLayersAtATime() override {
    for (const Memory& m : layers_) ::munmap(m.data, m.bytes);
  }

  void acquire(int layer) override {
    acquired.push_back(layer);
    if (!open_.contains(layer)) late.push_back(layer);  // it should have been prefetched
    open(layer);
  }
  void prefetch(int layer) override {
    if (layer < static_cast<int>(layers_.size())) open(layer);
  }
  void release(int layer) override {
    released.push_back(layer);
    open_.erase(layer);
    protect(layer, PROT_NONE);
  }
  [[nodiscard]] const void* memory(int layer) const {
    return layers_[static_cast<std::size_t>(layer)].data;
  }

  std::vector<int> acquired, released, late;
  std::size_t most_open = 0;

 private:
  struct Memory {
    char* data;
    std::size_t bytes;
  };
  static std::size_t padded(const Tensor& t) { return (t.bytes() + 63) / 64 * 64; }
  void open(int layer) {
    open_.insert(layer);
    most_open = std::max(most_open, open_.size());
    protect(layer, PROT_READ);
  }
  void protect(int layer, int protection) {
    const Memory& m = layers_[static_cast<std::size_t>(layer)];
    if (::mprotect(m.data, m.bytes, protection) != 0) fail(Code::kInternal, "mprotect failed");
  }

  std::vector<Memory> layers_;
  std::set<int> open_;
};

TEST_P(Design, TwoLayersAtATimeGiveTheSameBits) {
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    const auto resident = engine_for_shape(shape(), dtype, {.backend = "cpu_scalar"});
    const Tokens tokens = some_tokens(40, resident->info().dims.V, 5);
    const Pass expected = run_whole(*resident, tokens);

    auto backend = make_backend_under_test("cpu_scalar").backend;
    LoadedModel model = random_model(model_shape(shape()), dtype, *backend, 1);
    TwoLayersAtATime source(model);
    const auto e = std::make_shared<Engine>(std::move(backend), std::move(model), EngineOptions{});
    e->use_layers(&source);
    EXPECT_EQ(difference(run_whole(*e, tokens), expected), "");
    EXPECT_THAT(source.acquired, testing::ElementsAre(0, 1, 2, 3, 4));
    EXPECT_THAT(source.released, testing::ElementsAre(0, 1, 2, 3, 4));
    EXPECT_THAT(source.late, testing::ElementsAre(0))
        << "only the first layer of a pass cannot be asked for early";
    EXPECT_EQ(source.most_open, 2);
    EXPECT_EQ(difference(run_step_by_step(*e, tokens), expected), "");
    EXPECT_EQ(source.acquired.size(), 5 * (1 + tokens.size()));
    EXPECT_FALSE(is_readable(source.memory(2))) << "the test proves nothing";
    e->use_layers(nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(Generations, Design, testing::ValuesIn(generation_names()), param_name);

}  // namespace
}  // namespace prwkv::test
