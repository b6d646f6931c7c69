/// Matrix products alone: y = x Wᵀ for 1 to 512 rows of x, of every type of weights, as a share of the
/// peak of arithmetic that is measured in the same run.
///
/// The weights are a matrix of a random model, so they lie as the loader places them; whatever a
/// product does to its activations is inside the timing. Types and rows are measured in turns.
///
///     products [--shape OUTxIN] [--dtype f32,bf16,q8_0] [--rows 1,16,512] [--threads N]
///              [--repeat N] [--json | --markdown] [--steps]
///
/// --steps: each line of standard input names what to measure, "limits" or "product f32 16"; each is
/// answered by a line of JSON, and the end of the input by the report (bench/steps.py).
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <deque>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "base/clock.h"
#include "base/json.h"
#include "models/random.h"

namespace prwkv {
namespace {

constexpr double kSecondsOfSample = 0.05;
constexpr int kLeastCalls = 3;

struct Options {
  std::int64_t out = 8192, in = 2048;
  std::vector<std::string> dtypes = {"f32", "f16", "bf16", "q8_0", "q6_k", "q5_k", "q4_k", "q4_0"};
  std::vector<std::int64_t> rows = {1, 2, 4, 8, 16, 64, 512};
  int threads = 0, repeat = 5;
  bool json = false, markdown = false, steps = false;
};

/// A model of one layer whose ffn.key has the wanted shape; the rest of it is as small as it can be.
ModelShape shape_with(std::int64_t out, std::int64_t in) {
  return model_shape(fmt::format("rwkv4:L1,C{},F{},V64", in, out));
}

/// The weights of one type.
class Weights {
 public:
  Weights(const Options& o, DType dtype, Backend& backend)
      : model_(random_model(shape_with(o.out, o.in), dtype, backend)) {
    for_each_param(*model_.model, [&](const Param& p, const Tensor& t) {
      if (p.name == "blocks.0.ffn.key.weight") weight_ = t;
    });
    if (weight_.dtype != dtype) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("rows of {} do not fit the blocks of {}", o.in, name_of(dtype)),
                  {.expected = fmt::format("a multiple of {}", info(dtype).block_size)});
    }
  }
  [[nodiscard]] const Tensor& weight() const { return weight_; }

 private:
  LoadedModel model_;
  Tensor weight_;
};

/// Everything that is measured, and what was measured of it.
class Products {
 public:
  explicit Products(const Options& o)
      : o_(o), backend_(make_backend({.name = "cpu", .threads = o.threads})) {
    const std::int64_t most = *std::max_element(o.rows.begin(), o.rows.end());
    x_ = make({most, o.in});
    y_ = make({most, o.out});
    // Scattered values of both signs, as activations are.
    for (std::int64_t i = 0; i < x_.numel(); ++i)
      x_.as<float>()[i] = static_cast<float>((i * 7919 + 11) % 2001 - 1000) / 1000.0F;
    for (const std::string& name : o.dtypes)
      weights_.try_emplace(name, o, dtype_from_name(name).value_or(DType::kF32), *backend_);
    for (const auto& [dtype, rows] : cases()) (void)time(dtype, rows);  // warms up
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> cases() const {
    std::vector<std::pair<std::string, std::int64_t>> all;
    for (const std::string& dtype : o_.dtypes) {
      for (const std::int64_t rows : o_.rows) all.emplace_back(dtype, rows);
    }
    return all;
  }

  void measure_limits() { cpu().measure_limits(memory_, limits_); }

  /// Seconds of one product; one more sample.
  double measure(const std::string& dtype, std::int64_t rows) {
    return seconds_[{dtype, rows}].emplace_back(time(dtype, rows));
  }

  [[nodiscard]] OrderedJson report() const {
    const MachineLimits limits = limits_.medians();
    OrderedJson products = OrderedJson::array();
    for (const auto& [dtype, rows] : cases()) {
      const auto samples = seconds_.find({dtype, rows});
      if (samples == seconds_.end()) continue;
      const double seconds = median(samples->second);
      const Tensor& weight = weights_.at(dtype).weight();
      const double operations = 2.0 * static_cast<double>(o_.out * o_.in * rows);
      products.push_back({{"dtype", dtype},
                          {"rows", rows},
                          {"seconds", seconds},
                          {"ops_per_s", operations / seconds},
                          {"share", operations / seconds / peak(weight.dtype, limits)},
                          {"weight_bytes_per_s", static_cast<double>(weight.bytes()) / seconds},
                          {"runs", samples->second}});
    }
    return {{"machine",
             {{"isa", cpu().isa()},
              {"threads", cpu().threads()},
              {"read_bytes_per_s", limits.read_bytes_per_s},
              {"flops_per_s", limits.flops_per_s},
              {"bf16_flops_per_s", limits.bf16_flops_per_s},
              {"int8_ops_per_s", limits.int8_ops_per_s},
              {"int8_instruction", limits.int8_instruction}}},
            {"shape", fmt::format("{}x{}", o_.out, o_.in)},
            {"products", products}};
  }

 private:
  [[nodiscard]] CpuBackend& cpu() const { return dynamic_cast<CpuBackend&>(*backend_); }

  Tensor make(const Shape& shape) {
    Tensor t;
    t.shape = shape;
    t.dtype = DType::kF32;
    t.data = buffers_.emplace_back(backend_->allocate(t.bytes())).data();
    return t;
  }

  /// Of the arithmetic that multiplies this type; bf16 is f32's business where the processor does not
  /// multiply it.
  static double peak(DType dtype, const MachineLimits& limits) {
    if (is_block(dtype)) return limits.int8_ops_per_s;
    return dtype == DType::kBF16 && limits.bf16_flops_per_s > 0 ? limits.bf16_flops_per_s
                                                                : limits.flops_per_s;
  }

  double time(const std::string& dtype, std::int64_t rows) {
    Tensor x = x_, y = y_;
    x.shape = {rows, o_.in};
    y.shape = {rows, o_.out};
    LinearArgs args;
    args.n = 1;
    args.part[0].y = y;
    args.part[0].x = x;
    args.part[0].w = weights_.at(dtype).weight();
    std::vector<double> calls;
    for (double total = 0; total < kSecondsOfSample || calls.size() < kLeastCalls;) {
      const Stopwatch clock;
      backend_->linear(args);
      backend_->sync();
      total += calls.emplace_back(clock.seconds());
    }
    return median(calls);
  }

  const Options& o_;
  std::unique_ptr<Backend> backend_;
  std::deque<Buffer> buffers_;
  Tensor x_, y_;
  std::map<std::string, Weights> weights_;
  ProbeMemory memory_;
  LimitSamples limits_;
  std::map<std::pair<std::string, std::int64_t>, std::vector<double>> seconds_;
};

void print_line(const OrderedJson& json) {
  fmt::print("{}\n", json.dump());
  (void)std::fflush(stdout);
}

/// Rows of types, columns of numbers of rows.
std::string markdown(const Options& o, const OrderedJson& report) {
  const auto& machine = report["machine"];
  std::string text = fmt::format(
      "y = x Wᵀ, W {} x {}, {}, {} threads, medians of {} interleaved rounds. Peaks: {:.0f} "
      "GFLOP/s "
      "(f32 multiply-adds), {:.0f} GFLOP/s (bf16), {:.0f} GOP/s ({}). GOP/s and share of the "
      "peak.\n\n| type |",
      o.out, o.in, machine["isa"].get<std::string>(), machine["threads"].get<int>(), o.repeat,
      machine["flops_per_s"].get<double>() / 1e9, machine["bf16_flops_per_s"].get<double>() / 1e9,
      machine["int8_ops_per_s"].get<double>() / 1e9,
      machine["int8_instruction"].get<std::string>());
  for (const std::int64_t rows : o.rows)
    text += fmt::format(" {} row{} |", rows, rows == 1 ? "" : "s");
  text += "\n|---|";
  for (std::size_t i = 0; i < o.rows.size(); ++i) text += "---|";
  std::string dtype;
  for (const OrderedJson& p : report["products"]) {
    if (p["dtype"] != dtype) text += fmt::format("\n| {} |", dtype = p["dtype"]);
    text += fmt::format(" {:.0f} ({:.0f} %) |", p["ops_per_s"].get<double>() / 1e9,
                        100 * p["share"].get<double>());
  }
  return text + "\n";
}

/// As bench/peers.py does it.
void run_steps(Products& products) {
  print_line({{"ready", "products"}});
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "limits") {
      products.measure_limits();
      print_line({{"step", line}});
      continue;
    }
    const auto all = products.cases();
    const auto wanted = std::find_if(all.begin(), all.end(), [&](const auto& c) {
      return line == fmt::format("product {} {}", c.first, c.second);
    });
    if (wanted == all.end())
      fail(Code::kInvalidArgument, "'{}' is not among --dtype and --rows", line);
    print_line({{"step", line}, {"seconds", products.measure(wanted->first, wanted->second)}});
  }
}

int run(const Options& o) {
  Products products(o);
  if (o.steps) {
    run_steps(products);
  } else {
    for (int i = 0; i < o.repeat; ++i) {
      products.measure_limits();
      for (const auto& [dtype, rows] : products.cases()) products.measure(dtype, rows);
    }
  }
  products.measure_limits();
  const OrderedJson report = products.report();
  if (o.json)
    print_line(report);
  else
    fmt::print("{}", markdown(o, report));
  return 0;
}

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (const DTypeInfo& t : dtypes()) {
    if (is_block(t.dtype) || (is_float(t.dtype) && t.dtype != DType::kF64))
      names.emplace_back(t.name);
  }
  return names;
}

/// "8192x2048"
void parse_shape(const std::string& text, Options& o) {
  const char *begin = text.data(), *end = begin + text.size();
  const auto [x, first] = std::from_chars(begin, end, o.out);
  const bool has_x = first == std::errc{} && x != end && *x == 'x';
  const auto [rest, second] = std::from_chars(has_x ? x + 1 : end, end, o.in);
  if (!has_x || second != std::errc{} || rest != end || o.out < 1 || o.in < 1)
    fail(Code::kInvalidArgument, "--shape: '{}' is not OUTxIN", text);
}

}  // namespace
}  // namespace prwkv

int main(int argc, char** argv) {
  using namespace prwkv;
  Options o;
  std::string shape = "8192x2048";
  CLI::App app("Matrix products as shares of the machine's peak");
  app.add_option("--shape", shape, "OUTxIN of the weights");
  app.add_option("--dtype", o.dtypes, "Types")->delimiter(',')->check(CLI::IsMember(type_names()));
  app.add_option("--rows", o.rows, "Rows of x")->delimiter(',')->check(CLI::Range(1, 1 << 16));
  app.add_option("--threads", o.threads, "0: one for each core")->check(CLI::Range(0, 1024));
  app.add_option("--repeat", o.repeat, "Rounds")->check(CLI::Range(1, 1000));
  auto* json = app.add_flag("--json", o.json, "Print JSON");
  app.add_flag("--markdown", o.markdown, "Print a table (the default)")->excludes(json);
  app.add_flag("--steps", o.steps, "Measure what standard input names")->needs(json);
  CLI11_PARSE(app, argc, argv);
  try {
    parse_shape(shape, o);
    return run(o);
  } catch (const std::exception& e) {
    fmt::print(stderr, "products: {}\n", e.what());
    return 2;
  }
}
