#include "cli/sampling_options.h"

#include <random>
#include <utility>

#include "cli/model_options.h"

namespace prwkv::cli {
namespace {

std::uint64_t random_seed() {
  // Short enough to be typed again.
  return std::random_device{}();
}

}  // namespace

void begin_sampling(Session& session, const SamplingArguments& o) {
  SamplingOptions of_model = session.sampler().options();
  const bool greedy = o.temperature.value_or(of_model.temperature) == 0;
  of_model.seed = o.seed.value_or(greedy ? 0 : random_seed());
  session.set_sampler(Sampler(of_model));
  change_sampling(session, o);
}

void change_sampling(Session& session, const SamplingArguments& o) {
  const Sampler before = session.sampler();
  SamplingOptions s = before.options();
  s.temperature = o.temperature.value_or(s.temperature);
  s.top_p = o.top_p.value_or(s.top_p);
  s.top_k = o.top_k.value_or(s.top_k);
  const bool other_sequence = o.seed && *o.seed != s.seed;
  const bool other_chain = s.temperature != before.options().temperature ||
                           s.top_p != before.options().top_p || s.top_k != before.options().top_k;
  if (!other_sequence && !other_chain) return;
  s.seed = o.seed.value_or(s.seed);
  Sampler sampler(s);
  if (!other_sequence) sampler.continue_random(before);
  session.set_sampler(std::move(sampler));
}

void add_sampling_options(CLI::App& command, SamplingArguments& o) {
  const std::string group = "Sampling";
  command
      .add_option("--temperature", o.temperature,
                  "Below 1 sharper, above 1 flatter; 0: always the most likely token (default 1)")
      ->type_name("T")
      ->group(group);
  command
      .add_option("--top-p", o.top_p,
                  "Only the most likely tokens that make up this share; 1: off (default 0.85)")
      ->type_name("P")
      ->group(group);
  command.add_option("--top-k", o.top_k, "Only the K most likely tokens; 0: off (default)")
      ->type_name("K")
      ->group(group);
  command
      .add_option(
          "--seed", o.seed,
          "The same seed gives the same text (default: another one each time, shown at the end)")
      ->check(seed_number())
      ->type_name("N")
      ->group(group);
}

}  // namespace prwkv::cli
