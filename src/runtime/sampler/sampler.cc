#include "runtime/sampler/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "runtime/sampler/softmax.h"

namespace prwkv {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

void check(const SamplingOptions& o, Code code) {
  const auto refuse = [code](const char* name, const char* expected, std::string found) {
    throw Error(code, fmt::format("sampling: {} is out of range", name),
                {.expected = expected, .found = std::move(found)});
  };
  if (!(o.temperature >= 0 && std::isfinite(o.temperature))) {
    refuse("the temperature", "0 (always the most likely token) or a positive number",
           fmt::format("{}", o.temperature));
  }
  if (!(o.top_p >= 0 && o.top_p <= 1)) {
    refuse("top_p", "a share from 0 to 1 (off)", fmt::format("{}", o.top_p));
  }
  if (o.top_k < 0) refuse("top_k", "0 (off) or a positive number", fmt::format("{}", o.top_k));
}

/// The highest logit, after looking at all of them.
float checked_highest(std::span<const float> logits) {
  float highest = -kInfinity;
  int unusable = 0;
  for (const float z : logits) {
    highest = z > highest ? z : highest;
    unusable += z < kInfinity ? 0 : 1;  // also counts NaN
  }
  if (unusable == 0 && highest > -kInfinity) return highest;
  const auto bad =
      std::find_if_not(logits.begin(), logits.end(), [](float z) { return z < kInfinity; });
  throw Error(
      Code::kInvalidArgument, "sampling: these logits are no distribution",
      {.expected = "numbers or −∞, at least one finite",
       .found = logits.empty()        ? "no logits"
                : bad == logits.end() ? "nothing but −∞"
                                      : fmt::format("{} at id {}", *bad, bad - logits.begin()),
       .hint = "NaN means damaged weights, or numbers beyond the range of their type"});
}

/// memory[key] if it is of the wanted kind, else an Error.
const Json& field(const Json& memory, const char* key, bool (Json::*is_wanted)() const noexcept) {
  if (const auto it = memory.find(key); memory.is_object() && it != memory.end()) {
    if (((*it).*is_wanted)()) return *it;
  }
  throw Error(Code::kFormat, fmt::format("a saved sampler has no usable '{}'", key),
              {.found = memory.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 120)});
}

}  // namespace

void Candidates::sort(std::size_t n) {
  n = std::min(n, list.size());
  if (sorted) return;
  const auto end = list.begin() + static_cast<std::ptrdiff_t>(n);
  // A heap of the best few rejects almost every other candidate with one comparison; for many, it
  // pays to separate them first.
  if (n > list.size() / 16) {
    if (n < list.size()) std::nth_element(list.begin(), end, list.end(), before);
    std::sort(list.begin(), end, before);
  } else {
    std::partial_sort(list.begin(), end, list.end(), before);
  }
  sorted = n == list.size();
}

double Random::uniform() {
  // The state of SplitMix64 after n steps is seed + n γ.
  ++drawn_;
  std::uint64_t z = seed_ + drawn_ * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  z ^= z >> 31U;
  return static_cast<double>(z >> 11U) * 0x1p-53;
}

Sampler::Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {
  check(options, Code::kInvalidArgument);
  if (options.temperature == 0) return;
  if (options.top_p < 1) chain_.push_back(make_top_p(options.top_p));
  if (options.top_k > 0) chain_.push_back(make_top_k(options.top_k));
  if (options.temperature != 1) chain_.push_back(make_temperature(options.temperature));
}

Sampler::Sampler(const Sampler& other) : options_(other.options_), random_(other.random_) {
  for (const auto& p : other.chain_) chain_.push_back(p->clone());
}

Sampler& Sampler::operator=(const Sampler& other) {
  Sampler copy(other);
  *this = std::move(copy);
  return *this;
}

std::int32_t Sampler::sample(std::span<const float> logits) {
  const float highest = checked_highest(logits);
  std::int32_t chosen = -1;
  if (options_.temperature == 0) {
    chosen = static_cast<std::int32_t>(std::find(logits.begin(), logits.end(), highest) -
                                       logits.begin());
  } else {
    candidates_.list.clear();
    candidates_.list.reserve(logits.size());
    candidates_.sorted = false;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (logits[i] == -kInfinity) continue;
      candidates_.list.push_back({static_cast<std::int32_t>(i), logits[i]});
    }
    for (const auto& p : chain_) p->apply(candidates_);

    const std::span<const Candidate> left = candidates_.list;
    weights_.resize(left.size());
    exp_of_differences(left, highest_logit(left), weights_.data());
    double total = 0;
    for (const float w : weights_) total += static_cast<double>(w);
    // Walk until the sum passes u · total. Rounding may leave a crumb at the end: then it is the
    // last token that has any weight.
    double rest = random_.uniform() * total;
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (weights_[i] == 0) continue;
      chosen = left[i].id;
      rest -= static_cast<double>(weights_[i]);
      if (rest < 0) break;
    }
  }
  for (const auto& p : chain_) p->accept(chosen);
  return chosen;
}

std::string Sampler::description() const {
  if (options_.temperature == 0) return "greedy";
  std::string text;
  for (const auto& p : chain_) text.append(text.empty() ? "" : " > ").append(p->name());
  return text.empty() ? "plain" : text;
}

Json Sampler::memory() const {
  Json chain = Json::array();
  for (const auto& p : chain_) chain.push_back({{"name", p->name()}, {"memory", p->memory()}});
  return {{"temperature", options_.temperature},
          {"top_p", options_.top_p},
          {"top_k", static_cast<std::uint64_t>(options_.top_k)},
          {"seed", random_.seed()},
          {"drawn", random_.drawn()},
          {"chain", std::move(chain)}};
}

void Sampler::restore(const Json& memory) {
  const Json& top_k = field(memory, "top_k", &Json::is_number_unsigned);
  if (top_k.get<std::uint64_t>() > std::numeric_limits<int>::max()) {
    fail(Code::kFormat, "a saved sampler has a top_k beyond any vocabulary");
  }
  SamplingOptions options{
      .temperature = field(memory, "temperature", &Json::is_number).get<double>(),
      .top_p = field(memory, "top_p", &Json::is_number).get<double>(),
      .top_k = top_k.get<int>(),
      .seed = field(memory, "seed", &Json::is_number_unsigned).get<std::uint64_t>()};
  check(options, Code::kFormat);
  Sampler saved(options);
  saved.random_.restore(saved.options_.seed,
                        field(memory, "drawn", &Json::is_number_unsigned).get<std::uint64_t>());
  const Json& chain = field(memory, "chain", &Json::is_array);
  if (chain.size() != saved.chain_.size()) {
    throw Error(Code::kFormat, "a saved sampler's chain has the wrong length",
                {.expected = saved.description(), .found = fmt::format("{} steps", chain.size())});
  }
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (field(chain[i], "name", &Json::is_string) != saved.chain_[i]->name()) {
      throw Error(Code::kFormat, "a saved sampler's chain has other steps",
                  {.expected = saved.description(), .found = chain[i]["name"].get<std::string>()});
    }
    saved.chain_[i]->restore(chain[i].value("memory", Json()));
  }
  *this = std::move(saved);
}

}  // namespace prwkv
