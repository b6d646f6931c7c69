/// Speed of the tokenizers in bytes of text per second, and of their construction. One core.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace {

constexpr std::size_t kTextBytes = 1 << 20;

/// A megabyte of prose; the paragraph is repeated, so caches are kinder to it than to a real book.
std::string english() {
  constexpr std::string_view kParagraph =
      "The harbour master had kept the same ledger for thirty years, and every ship that came in "
      "past the "
      "breakwater was written there in a small, upright hand: her name, her cargo, the state of "
      "her sails. "
      "\"You could read the weather of a whole decade in it,\" he used to say, \"if you knew where "
      "to look.\" "
      "In 1987, when the last of the schooners didn't return, he drew a line under the entry and "
      "closed the "
      "book; it wasn't opened again until the museum asked whether they'd be allowed to copy its "
      "pages.\n\n";
  std::string text;
  while (text.size() < kTextBytes) text += kParagraph;
  return text;
}

std::string one_letter() { return std::string(kTextBytes, 'a'); }

std::string random_bytes() {
  std::mt19937_64 random(42);
  std::string text(kTextBytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string chinese() {
  std::string text;
  while (text.size() < kTextBytes)
    text += "港口的老人三十年来一直用同一本账簿，每一艘船都记在上面。";
  return text;
}

/// The file named by PRWKV_BENCH_TEXT, for text that does not repeat; empty without it.
std::string from_file() {
  const char* path = std::getenv("PRWKV_BENCH_TEXT");
  std::ifstream in(path == nullptr ? "" : path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void encode(benchmark::State& state, const std::string& tokenizer_name, const std::string& text) {
  const auto tokenizer = prwkv::tokenizer_by_name(tokenizer_name);
  std::size_t tokens = 0;
  while (state.KeepRunning()) tokens = tokenizer->encode(text).size();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.counters["bytes/token"] = static_cast<double>(text.size()) / static_cast<double>(tokens);
}

void decode(benchmark::State& state, const std::string& tokenizer_name, const std::string& text) {
  const auto tokenizer = prwkv::tokenizer_by_name(tokenizer_name);
  const auto ids = tokenizer->encode(text);
  while (state.KeepRunning()) benchmark::DoNotOptimize(tokenizer->decode(ids));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void construct(benchmark::State& state, const std::string& tokenizer_name) {
  while (state.KeepRunning()) benchmark::DoNotOptimize(prwkv::tokenizer_by_name(tokenizer_name));
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::pair<std::string, std::string>> texts = {{"english", english()},
                                                            {"chinese", chinese()},
                                                            {"one_letter", one_letter()},
                                                            {"random_bytes", random_bytes()}};
  if (std::string text = from_file(); !text.empty()) texts.emplace_back("file", std::move(text));
  for (const std::string name : {"world", "neox"}) {
    const auto add = [&](const std::string& what, const auto& function, const auto&... arguments) {
      benchmark::RegisterBenchmark((name + '/' + what).c_str(), function, name, arguments...)
          ->Unit(benchmark::kMillisecond);
    };
    for (const auto& [text_name, text] : texts) add("encode/" + text_name, encode, text);
    add("decode/english", decode, texts.front().second);
    add("construct", construct);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
