/// The matrix products of a training step alone, as shares of the peak of f32 multiply-adds that is
/// measured in the same round: y = x Wᵀ, and on the way back g_x += g_y W and g_W += g_yᵀ x.
///
///     training_products [--shape L8,C320,V4096]... [--rows 512,1024] [--threads N] [--repeat N]
///                       [--json]
///
/// The shapes are the large matrices of RWKV-7 with L layers, C channels and a vocabulary of V:
/// receptance, key, value and output (C x C), the channel mix (4C x C and C x 4C), the head (V x C).
/// All of a round is measured in turns, and what a product does to its operands is inside the timing:
/// matrices that are trained change with every step, so they are packed in every call
/// (Packing::kEachCall).
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/json.h"

namespace prwkv {
namespace {

constexpr double kSecondsOfSample = 0.1;
constexpr int kLeastCalls = 3;
// The head sees no more rows at a time than this makes logits (ops/read_out).
constexpr std::int64_t kLogitsAtOnce = std::int64_t{1} << 24U;
constexpr std::array<const char*, 3> kDirections = {"forward", "g_x", "g_w"};

struct Sizes {
  std::string name;
  std::int64_t L = 0, C = 0, V = 0;
};

struct Options {
  std::vector<std::string> shapes = {"L8,C320,V4096", "L12,C768,V65536"};
  std::vector<std::int64_t> rows = {512, 1024};
  int threads = 0, repeat = 5;
  bool json = false;
};

/// Matrices of one shape that meet so many rows of activations.
struct Case {
  std::int64_t out = 0, in = 0, rows = 0;
  friend bool operator==(const Case&, const Case&) = default;
  friend bool operator<(const Case& a, const Case& b) {
    return std::tie(a.out, a.in, a.rows) < std::tie(b.out, b.in, b.rows);
  }
  [[nodiscard]] std::string shape() const { return fmt::format("{}x{}", out, in); }
  /// Of each of the three products.
  [[nodiscard]] double operations() const { return 2.0 * static_cast<double>(out * in * rows); }
};

/// A case and how often a token meets it on its way through a model.
struct Use {
  Case what;
  std::int64_t times = 1;
};

std::vector<Use> uses(const Sizes& m, std::int64_t rows) {
  const std::int64_t C = m.C, F = 4 * C;
  const std::int64_t of_head = std::min(rows, std::max<std::int64_t>(1, kLogitsAtOnce / m.V));
  return {{{C, C, rows}, 4 * m.L}, {{F, C, rows}, m.L}, {{C, F, rows}, m.L}, {{m.V, C, of_head}}};
}

/// Operands of every case, and what was measured of each.
class TrainingProducts {
 public:
  TrainingProducts(const Options& o, const std::vector<Sizes>& models)
      : o_(o),
        models_(models),
        backend_(
            make_backend({.name = "cpu", .threads = o.threads, .packing = Packing::kEachCall})) {
    for (const Sizes& m : models) {
      for (const std::int64_t rows : o.rows) {
        for (const Use& use : uses(m, rows)) {
          if (std::find(cases_.begin(), cases_.end(), use.what) == cases_.end())
            cases_.push_back(use.what);
        }
      }
    }
    std::int64_t most_x = 0, most_y = 0, most_w = 0;
    for (const Case& c : cases_) {
      most_x = std::max(most_x, c.rows * c.in);
      most_y = std::max(most_y, c.rows * c.out);
      most_w = std::max(most_w, c.out * c.in);
    }
    x_ = scattered(most_x), g_y_ = scattered(most_y), w_ = scattered(most_w);
    y_ = zeros(most_y), g_x_ = zeros(most_x), g_w_ = zeros(most_w);
    for (const Case& c : cases_) {  // warms up
      for (const char* direction : kDirections) (void)time(c, direction);
    }
  }

  /// One sample of the peak and of every product.
  void measure_round() {
    peaks_.push_back(backend_->measure_flops());
    for (const Case& c : cases_) {
      for (const char* direction : kDirections)
        seconds_[{c, direction}].push_back(time(c, direction));
    }
  }

  [[nodiscard]] OrderedJson report() const {
    OrderedJson products = OrderedJson::array(), models = OrderedJson::array();
    for (const Case& c : cases_) {
      for (const char* direction : kDirections) {
        const std::vector<double>& runs = seconds_.at({c, direction});
        products.push_back({{"shape", c.shape()},
                            {"rows", c.rows},
                            {"product", direction},
                            {"flops_per_s", c.operations() / median(runs)},
                            {"share", share(c.operations(), runs)},
                            {"runs", runs}});
      }
    }
    for (const Sizes& m : models_) {
      for (const std::int64_t rows : o_.rows) models.push_back(of_model(m, rows));
    }
    return {{"machine",
             {{"backend", backend_->description()},
              {"flops_per_s", median(peaks_)},
              {"flops_per_s_runs", peaks_}}},
            {"repeat", o_.repeat},
            {"products", products},
            {"models", models}};
  }

 private:
  Tensor zeros(std::int64_t n) {
    Tensor t;
    t.shape = {n};
    t.data = buffers_.emplace_back(backend_->allocate(t.bytes())).data();
    return t;
  }

  /// Of both signs, and small: gradients are added up in every call and must stay ordinary numbers.
  Tensor scattered(std::int64_t n) {
    Tensor t = zeros(n);
    for (std::int64_t i = 0; i < n; ++i)
      t.as<float>()[i] = static_cast<float>((i * 7919 + 11) % 2001 - 1000) / 1e5F;
    return t;
  }

  static Tensor as_matrix(Tensor t, std::int64_t rows, std::int64_t columns) {
    t.shape = {rows, columns};
    return t;
  }

  /// Seconds of one product.
  double time(const Case& c, std::string_view direction) {
    const Tensor x = as_matrix(x_, c.rows, c.in), w = as_matrix(w_, c.out, c.in);
    LinearArgs forward;
    forward.n = 1;
    forward.part[0].y = as_matrix(y_, c.rows, c.out);
    forward.part[0].x = x;
    forward.part[0].w = w;
    LinearBackwardArgs back{.g_x = {},
                            .g_w = {},
                            .g_bias = {},
                            .g_addend = {},
                            .g_y = as_matrix(g_y_, c.rows, c.out),
                            .x = x,
                            .w = w,
                            .z = {},
                            .act = Act::kNone};
    if (direction == "g_x") back.g_x = as_matrix(g_x_, c.rows, c.in);
    if (direction == "g_w") back.g_w = as_matrix(g_w_, c.out, c.in);
    std::vector<double> calls;
    for (double total = 0; total < kSecondsOfSample || calls.size() < kLeastCalls;) {
      const Stopwatch clock;
      if (direction == "forward")
        backend_->linear(forward);
      else
        backend_->linear_backward(back);
      backend_->sync();
      total += calls.emplace_back(clock.seconds());
    }
    return median(calls);
  }

  /// Median over the rounds, each beside its own peak; 0 where the peak is unknown.
  [[nodiscard]] double share(double operations, const std::vector<double>& runs) const {
    std::vector<double> shares;
    for (std::size_t i = 0; i < runs.size(); ++i)
      shares.push_back(peaks_[i] > 0 ? operations / runs[i] / peaks_[i] : 0);
    return median(shares);
  }

  /// All that a row costs, there and back.
  [[nodiscard]] OrderedJson of_model(const Sizes& m, std::int64_t rows) const {
    double operations = 0;
    std::vector<double> seconds(peaks_.size());
    for (const Use& use : uses(m, rows)) {
      // The head may take fewer rows at a time, so several calls.
      const double calls =
          static_cast<double>(use.times * rows) / static_cast<double>(use.what.rows);
      for (const char* direction : kDirections) {
        operations += calls * use.what.operations();
        const std::vector<double>& runs = seconds_.at({use.what, direction});
        for (std::size_t i = 0; i < runs.size(); ++i) seconds[i] += calls * runs[i];
      }
    }
    return {{"model", m.name},
            {"rows", rows},
            {"flops_per_s", operations / median(seconds)},
            {"share", share(operations, seconds)}};
  }

  const Options& o_;
  const std::vector<Sizes>& models_;
  std::unique_ptr<Backend> backend_;
  std::deque<Buffer> buffers_;
  std::vector<Case> cases_;
  Tensor x_, g_y_, w_, y_, g_x_, g_w_;  // each as large as the largest case wants it
  std::vector<double> peaks_;           // of each round
  std::map<std::pair<Case, std::string_view>, std::vector<double>> seconds_;
};

std::string cell(const OrderedJson& p) {
  return fmt::format(" {:.0f} ({:.0f} %) |", p["flops_per_s"].get<double>() / 1e9,
                     100 * p["share"].get<double>());
}

std::string markdown(const OrderedJson& report) {
  const auto& machine = report["machine"];
  std::string text = fmt::format(
      "{}, medians of {} interleaved rounds, peak {:.0f} GFLOP/s (f32 multiply-adds). GFLOP/s and "
      "share of the peak.\n\n| W | rows | y = x Wᵀ | g_x | g_W |\n|---|---|---|---|---|",
      machine["backend"].get<std::string>(), report["repeat"].get<int>(),
      machine["flops_per_s"].get<double>() / 1e9);
  for (const OrderedJson& p : report["products"]) {
    if (p["product"] == kDirections[0])
      text += fmt::format("\n| {} | {} |", p["shape"].get<std::string>(), p["rows"].get<int>());
    text += cell(p);
  }
  text += "\n\n| all of a model | rows | there and back |\n|---|---|---|";
  for (const OrderedJson& m : report["models"])
    text +=
        fmt::format("\n| {} | {} |", m["model"].get<std::string>(), m["rows"].get<int>()) + cell(m);
  return text + "\n";
}

/// "L8,C320,V4096"
Sizes parse_sizes(const std::string& text) {
  Sizes sizes{.name = text};
  const std::map<char, std::int64_t*> letters = {{'L', &sizes.L}, {'C', &sizes.C}, {'V', &sizes.V}};
  const auto bad = [&] {
    throw Error(Code::kInvalidArgument, fmt::format("--shape: cannot read '{}'", text),
                {.expected = "layers, channels and vocabulary, as in L8,C320,V4096"});
  };
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    const auto letter = item.empty() ? letters.end() : letters.find(item.front());
    if (letter == letters.end()) bad();
    const char* end = item.data() + item.size();
    const auto [p, error] = std::from_chars(item.data() + 1, end, *letter->second);
    // So that no product of sizes overflows, whatever memory has to say.
    constexpr std::int64_t kMost = 1 << 20U;
    if (error != std::errc{} || p != end || *letter->second > kMost) bad();
  }
  if (sizes.L < 1 || sizes.C < 1 || sizes.V < 1) bad();
  return sizes;
}

int run(const Options& o) {
  std::vector<Sizes> models;
  for (const std::string& shape : o.shapes) models.push_back(parse_sizes(shape));
  TrainingProducts products(o, models);
  for (int i = 0; i < o.repeat; ++i) products.measure_round();
  const OrderedJson report = products.report();
  fmt::print("{}\n", o.json ? report.dump() : markdown(report));
  return 0;
}

}  // namespace
}  // namespace prwkv

int main(int argc, char** argv) {
  using namespace prwkv;
  Options o;
  CLI::App app("The matrix products of training as shares of the machine's peak");
  app.add_option("--shape", o.shapes, "Layers, channels, vocabulary: L8,C320,V4096")
      ->delimiter(' ');
  app.add_option("--rows", o.rows, "Rows of activations")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 16));
  app.add_option("--threads", o.threads, "0: one for each core")->check(CLI::Range(0, 1024));
  app.add_option("--repeat", o.repeat, "Rounds")->check(CLI::Range(1, 1000));
  app.add_flag("--json", o.json, "Print JSON instead of a table");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(o);
  } catch (const std::exception& e) {
    fmt::print(stderr, "training_products: {}\n", e.what());
    return 2;
  }
}
