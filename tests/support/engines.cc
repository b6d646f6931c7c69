#include "support/engines.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "base/json.h"
#include "support/paths.h"
#include "support/random.h"

namespace prwkv::test {

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(repository_file("tests/golden"))) {
    if (entry.path().extension() == ".safetensors") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Golden load_golden(const std::string& name) {
  const std::string path = repository_file("tests/golden/" + name);
  std::ifstream in(path + ".json");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const Json json = parse_json(text, path + ".json");
  Golden g{.name = name,
           .generation = json.at("generation"),
           .path = path + ".safetensors",
           .tokens = json.at("tokens"),
           .logits = {},
           .groupnorm_eps = json.at("groupnorm_eps")};
  for (const Json& row : json.at("logits")) {
    for (const Json& value : row) g.logits.push_back(value);
  }
  return g;
}

std::shared_ptr<Engine> engine_for_file(const std::string& path, const EngineSpec& spec) {
  MadeBackend made = make_backend_under_test(spec.backend, spec.threads);
  if (!made.backend) fail(Code::kUnsupported, "{}", made.reason);
  LoadedModel model = load_model(path, *made.backend, spec.load);
  return std::make_shared<Engine>(
      std::move(made.backend), std::move(model),
      EngineOptions{.backend = {}, .load = {}, .chunk_rows = spec.chunk_rows, .tokenizer = {}});
}

std::shared_ptr<Engine> engine_for_shape(const std::string& shape, DType dtype,
                                         const EngineSpec& spec, std::uint64_t seed) {
  MadeBackend made = make_backend_under_test(spec.backend, spec.threads);
  if (!made.backend) fail(Code::kUnsupported, "{}", made.reason);
  LoadedModel model = random_model(model_shape(shape), dtype, *made.backend, seed);
  return std::make_shared<Engine>(
      std::move(made.backend), std::move(model),
      EngineOptions{.backend = {}, .load = {}, .chunk_rows = spec.chunk_rows, .tokenizer = {}});
}

std::string missing(const std::string& backend) {
  return make_backend_under_test(backend, 1).reason;
}

Pass run_in_cuts(Engine& engine, const Tokens& tokens, const std::vector<std::size_t>& cuts) {
  Pass result;
  Session session = engine.session();
  std::size_t at = 0;
  for (std::size_t i = 0; at < tokens.size(); ++i) {
    const std::size_t n = std::min(i < cuts.size() ? cuts[i] : tokens.size(), tokens.size() - at);
    Work work{
        .session = &session, .tokens = std::span(tokens).subspan(at, n), .want = Logits::kAll};
    engine.run(std::span(&work, 1));
    if (work.logits_f64.empty())
      result.logits.insert(result.logits.end(), work.logits.begin(), work.logits.end());
    else
      result.logits.insert(result.logits.end(), work.logits_f64.begin(), work.logits_f64.end());
    at += n;
  }
  result.state = session.state();
  return result;
}

Tokens some_tokens(std::size_t n, std::int64_t V, std::uint64_t seed) {
  Random random(seed);
  Tokens tokens(n);
  for (std::int32_t& t : tokens) t = static_cast<std::int32_t>(random.below(V));
  return tokens;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size() || a.empty()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]);
    if (!(d <= largest)) largest = d;  // NaN stays
  }
  return largest;
}

double spread(const std::vector<double>& logits) {
  double mean = 0, square = 0;
  const auto n = static_cast<double>(logits.size());
  for (const double x : logits) mean += x / n;
  for (const double x : logits) square += (x - mean) * (x - mean) / n;
  return std::sqrt(square);
}

std::string difference(const Pass& a, const Pass& b) {
  if (a.logits.size() != b.logits.size())
    return fmt::format("{} and {} logits", a.logits.size(), b.logits.size());
  for (std::size_t i = 0; i < a.logits.size(); ++i) {
    if (std::bit_cast<std::uint64_t>(a.logits[i]) == std::bit_cast<std::uint64_t>(b.logits[i]))
      continue;
    return fmt::format("logit {}: {} and {}", i, a.logits[i], b.logits[i]);
  }
  for (std::size_t i = 0; i < a.state.tensors.size(); ++i) {
    if (a.state.tensors[i] != b.state.tensors[i]) return "state " + a.state.tensors[i].name;
  }
  return a.state == b.state ? "" : "the states";
}

}  // namespace prwkv::test
