/// The gradient of every parameter of a model, for comparison with other programs' (tests/oracles):
///
///     gradients MODEL IDS.json OUT.safetensors [f32|f64 [L2WRAP]]
///
/// IDS.json holds sequences of T + 1 token ids each, [[3, 1, 4], …]. The loss is the mean cross entropy of each
/// token after the first, from the empty state; L2WRAP, 0 by default, is op::Wanted's. OUT gets the gradients with
/// BlinkDL's names and shapes, and a scalar `loss`, all stored as f64. It is computed in f64, the default, by the
/// reference backend, in f32 by the CPU backend.
#include <fmt/core.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/writer.h"
#include "models/loader.h"
#include "support/backends.h"

namespace prwkv {
namespace {

/// B sequences of equal length, their inputs and targets one after the other.
struct Samples {
  std::int32_t B = 0, T = 0;
  std::vector<std::int32_t> ids, targets;  // (B T)
};

Samples read_samples(const std::string& path, std::int64_t V) {
  std::ifstream in(path);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad() || text.empty()) fail(Code::kFile, "{}: cannot be read", path);
  Samples samples;
  for (const std::vector<std::int32_t> sequence : parse_json(text, path)) {
    const auto T = static_cast<std::int32_t>(sequence.size()) - 1;
    if (T < 1 || (samples.B > 0 && T != samples.T))
      fail(Code::kFormat, "{}: sequences must be of one length, and of two ids or more", path);
    for (const std::int32_t id : sequence) {
      if (id < 0 || id >= V) fail(Code::kFormat, "{}: there is no token {}", path, id);
    }
    samples.ids.insert(samples.ids.end(), sequence.begin(), sequence.end() - 1);
    samples.targets.insert(samples.targets.end(), sequence.begin() + 1, sequence.end());
    samples.T = T;
    ++samples.B;
  }
  if (samples.B == 0) fail(Code::kFormat, "{}: no sequences", path);
  return samples;
}

class Training {
 public:
  explicit Training(Backend& backend) : backend_(backend), arena_(backend) {}

  /// Returns the loss, and leaves the gradients in `params`.
  double run(const Model& model, const Samples& samples, double l2wrap, ParamGrads& params) {
    std::vector<std::int32_t> begin = {0}, slot;
    for (std::int32_t s = 0; s < samples.B; ++s) {
      slot.push_back(s);
      begin.push_back((s + 1) * samples.T);
    }
    const std::int32_t rows = begin.back();
    const Batch batch = {
        .ids = arena_.ints(samples.ids),
        .seqs = {.begin = arena_.ints(begin),
                 .slot = arena_.ints(slot),
                 .n = samples.B,
                 .rows = rows,
                 .slots = samples.B},
        .wanted = {.targets = arena_.ints(samples.targets), .scale = 1.0 / rows, .l2wrap = l2wrap}};
    std::vector<LayerState> state = empty_state(model, samples.B);
    Tape tape(backend_, arena_, params);
    Ctx c{.backend = backend_, .arena = arena_, .tape = &tape};
    const Tensor losses = model.forward(c, batch, state);
    tape.run_backward();
    return mean(losses);
  }

 private:
  double mean(const Tensor& t) {
    const std::vector<double> values = test::download(backend_, t);
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }

  std::vector<LayerState> empty_state(const Model& model, std::int64_t slots) {
    std::vector<LayerState> state;
    for (int l = 0; l < model.dims().L; ++l) {
      state.emplace_back();
      for (const StateEntry& e : model.state_spec(l)) {
        const Tensor t = arena_.make(e.shape.stacked(slots), backend_.activation_dtype());
        backend_.fill(t, e.initial);
        state.back().tensors.push_back(t);
      }
    }
    return state;
  }

  Backend& backend_;
  Arena arena_;
};

/// (…, out, in) -> (…, in, out)
std::vector<double> transposed(const std::vector<double>& values, const Shape& shape) {
  const auto out = static_cast<std::size_t>(shape[shape.rank - 2]),
             in = static_cast<std::size_t>(shape[shape.rank - 1]);
  std::vector<double> result(values.size());
  for (std::size_t first = 0; first < values.size(); first += out * in) {
    for (std::size_t o = 0; o < out; ++o) {
      for (std::size_t i = 0; i < in; ++i) result[first + i * out + o] = values[first + o * in + i];
    }
  }
  return result;
}

std::unique_ptr<Backend> backend_of(std::string_view type) {
  if (type == "f64") return make_backend({.name = "ref", .dtype = DType::kF64});
  if (type == "f32") return make_backend({.name = "cpu", .packing = Packing::kEachCall});
  fail(Code::kInvalidArgument, "f32 or f64, not '{}'", type);
}

void run(std::span<char* const> args) {
  if (args.size() < 4 || args.size() > 6)
    fail(Code::kInvalidArgument,
         "usage: gradients MODEL IDS.json OUT.safetensors [f32|f64 [L2WRAP]]");
  const std::unique_ptr<Backend> backend = backend_of(args.size() > 4 ? args[4] : "f64");
  const LoadedModel m = load_model(args[1], *backend);
  ParamGrads params(*backend);
  for_each_param(*m.model, [&](const Param&, const Tensor& t) { params.watch(t); });
  const Samples samples = read_samples(args[2], m.model->dims().V);
  const double l2wrap = args.size() > 5 ? std::stod(args[5]) : 0;
  const double loss = Training(*backend).run(*m.model, samples, l2wrap, params);

  std::vector<TensorSpec> specs = {{"loss", DType::kF64, {}}};
  std::vector<double> all = {loss};
  for_each_param(*m.model, [&](const Param& p, const Tensor& t) {
    specs.push_back({p.name, DType::kF64, m.file->find(p.name)->shape()});
    std::vector<double> values = test::download(*backend, params.of(t));
    if (p.stored == Stored::kTransposed) values = transposed(values, p.shape);
    all.insert(all.end(), values.begin(), values.end());
  });
  SafetensorsWriter writer(args[3], specs);
  writer.write(std::as_bytes(std::span(all)));
  writer.finish();
}

}  // namespace
}  // namespace prwkv

int main(int argc, char** argv) {
  try {
    prwkv::run({argv, static_cast<std::size_t>(argc)});
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "gradients: {}\n", e.what());
    return 1;
  }
}
