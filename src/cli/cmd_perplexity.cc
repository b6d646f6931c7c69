#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/text.h"
#include "runtime/compare.h"

namespace prwkv::cli {
namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::string file;
  bool json = false;
  ProgressOptions progress;
};

/// Tokens of one call: the logits of so many rows are in memory at a time, whatever the text's
/// length.
constexpr std::size_t kRowsPerCall = 128;

/// The sum of surprises over rows of V logits.
template <class T>
double surprises(const std::vector<T>& logits, std::size_t V,
                 std::span<const std::int32_t> targets) {
  double sum = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    sum += surprise(std::span<const T>(logits).subspan(i * V, V), targets[i]);
  }
  return sum;
}

/// Or a folder, which is no text either.
bool is_weight_file(const std::string& path) {
  std::error_code ignored;
  const std::string extension = std::filesystem::path(path).extension().string();
  return std::filesystem::is_directory(path, ignored) || extension == ".pt" ||
         weight_format_of(path).has_value();
}

void run_perplexity(const PerplexityOptions& o) {
  if (o.file.empty()) {
    throw Error(Code::kInvalidArgument, "prwkv perplexity: no text was named",
                {.expected = "prwkv perplexity [MODEL] FILE"});
  }
  if (o.model.model.empty() && is_weight_file(o.file)) {
    throw Error(Code::kInvalidArgument, "prwkv perplexity: no text was named",
                {.expected = "prwkv perplexity [MODEL] FILE",
                 .found = fmt::format("only {}, weights", one_line(o.file))});
  }
  o.model.expect_model();
  const std::string text = read_text(o.file);
  catch_interrupts();
  const std::shared_ptr<Engine> engine = o.model.open();
  std::vector<std::int32_t> tokens = engine->tokenizer().encode(text);
  if (tokens.empty()) {
    throw Error(Code::kFormat, o.file + ": the text is empty",
                {.expected = "at least one token", .found = "0 bytes"});
  }
  // The first token is predicted from end-of-text, as documents were separated in training.
  tokens.insert(tokens.begin(), engine->tokenizer().end_of_text());
  const std::size_t total = tokens.size() - 1;

  Session session = engine->session();
  const auto V = static_cast<std::size_t>(engine->info().dims.V);
  Progress progress("perplexity", "tokens", o.progress);
  const Stopwatch clock;
  double nll = 0;
  std::size_t done = 0;
  while (done < total && !interrupted()) {
    const std::size_t n = std::min(kRowsPerCall, total - done);
    Work work{
        .session = &session, .tokens = std::span(tokens).subspan(done, n), .want = Logits::kAll};
    engine->run(std::span(&work, 1));
    const auto targets = std::span(tokens).subspan(done + 1, n);
    // The reference backend computes in f64, and its logits are worth summing up as such.
    nll += work.logits_f64.empty() ? surprises(work.logits, V, targets)
                                   : surprises(work.logits_f64, V, targets);
    done += n;
    progress.update(static_cast<double>(done), static_cast<double>(total),
                    fmt::format("ppl {:.3f}", std::exp(nll / static_cast<double>(done))));
  }
  progress.finish();
  const double mean = nll / static_cast<double>(std::max<std::size_t>(done, 1));
  if (interrupted()) {
    note(fmt::format("stopped after {} of {} tokens: ppl {:.4f} so far", done, total,
                     std::exp(mean)));
    throw Exit{kInterruptedExit};
  }
  const double bits_per_byte = nll / std::numbers::ln2 / static_cast<double>(text.size());
  if (o.json) {
    print_json({{"tokens", total},
                {"nll", mean},
                {"ppl", std::exp(mean)},
                {"bits_per_byte", bits_per_byte},
                {"nll_total", nll},
                {"bytes", text.size()}});
  } else {
    print(
        fmt::format("tokens          {}\nnll per token   {:.6f} nats\nperplexity      {:.4f}\nbits "
                    "per byte   {:.6f}\n",
                    total, mean, std::exp(mean), bits_per_byte));
  }
  if (!o.progress.quiet) {
    note(fmt::format("load {:.2f} s, {:.1f} tokens/s, peak memory {}", engine->info().load_seconds,
                     static_cast<double>(total) / clock.seconds(),
                     bytes(static_cast<double>(peak_resident_bytes()))));
  }
}

}  // namespace

void add_perplexity(CLI::App& app) {
  auto o = std::make_shared<PerplexityOptions>();
  CLI::App* cmd = app.add_subcommand("perplexity", "Measure how well a model predicts a text");
  cmd->footer(
      "JSON: {\"tokens\", \"nll\": nats a token, \"ppl\": e^nll, \"bits_per_byte\": comparable "
      "between\n"
      "vocabularies, \"nll_total\", \"bytes\"}. The first token is predicted from end-of-text (id "
      "0). The text is\n"
      "one document; memory does not grow with it beyond the text and its token ids.");
  add_model_options(*cmd, o->model);
  cmd->add_option("FILE", o->file, "Text file; '-' reads standard input")->type_name("FILE");
  cmd->add_flag("--json", o->json, "Print JSON");
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No progress and no statistics");
  cmd->callback([o] {
    // One name is the text's.
    if (o->file.empty()) std::swap(o->file, o->model.model);
    run_perplexity(*o);
  });
}

}  // namespace prwkv::cli
