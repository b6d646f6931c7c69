#include <array>
#include <cstring>
#include <limits>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/sampling_options.h"
#include "cli/text.h"

namespace prwkv::cli {
namespace {

struct GenerateOptions {
  ModelOptions model;
  PromptOptions prompt;
  SamplingArguments sampling;
  int max_tokens = 256;
  std::string state_in, state_out;
  bool any_weights = false, ignore_eot = false, echo = false, json = false;
  ProgressOptions progress;
};

struct Timing {
  double load_seconds = 0, prompt_seconds = 0, generation_seconds = 0;
  std::size_t prompt_tokens = 0, generated_tokens = 0;

  static double rate(std::size_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  }
  [[nodiscard]] double prompt_rate() const { return rate(prompt_tokens, prompt_seconds); }
  [[nodiscard]] double generation_rate() const {
    return rate(generated_tokens, generation_seconds);
  }
};

std::string statistics(const Timing& t, const SamplingOptions& s) {
  std::string line = fmt::format("load {:.2f} s", t.load_seconds);
  if (t.prompt_tokens > 0)
    line += fmt::format(", prompt {} tokens at {:.1f}/s", t.prompt_tokens, t.prompt_rate());
  if (t.generated_tokens > 0) {
    line +=
        fmt::format(", generated {} tokens at {:.1f}/s", t.generated_tokens, t.generation_rate());
  }
  line += ", peak memory " + bytes(static_cast<double>(peak_resident_bytes()));
  if (s.temperature > 0) line += fmt::format(", seed {}", s.seed);
  return line;
}

/// Returns false if Ctrl-C stopped it in the middle.
bool feed_prompt(Session& session, const std::vector<std::int32_t>& tokens,
                 const GenerateOptions& o, Timing& t) {
  const Stopwatch clock;
  const std::uint64_t before = session.tokens_seen();
  Progress progress("prompt", "tokens", o.progress);
  try {
    session.feed(tokens, [&](std::size_t done) {
      progress.update(static_cast<double>(done), static_cast<double>(tokens.size()));
      return !interrupted();
    });
  } catch (const Error& e) {
    if (e.code() != Code::kCancelled) throw;
  }
  t.prompt_seconds = clock.seconds();
  t.prompt_tokens = static_cast<std::size_t>(session.tokens_seen() - before);
  return t.prompt_tokens == tokens.size();
}

void run_generate(const GenerateOptions& o) {
  o.model.expect_model();
  if (!o.state_in.empty() && !o.model.init_state.empty()) {
    throw Error(Code::kInvalidArgument, "prwkv generate: two states to begin with",
                {.expected = "--state-in or --init-state",
                 .hint = "a saved session has gone on from its initial state already"});
  }
  const std::optional<std::string> prompt = o.prompt.read();
  if (!o.state_out.empty()) expect_writable(o.state_out);

  catch_interrupts();
  const std::shared_ptr<Engine> engine = o.model.open();
  const Tokenizer& tokenizer = engine->tokenizer();
  Session session = engine->session();
  begin_sampling(session, o.sampling);
  if (!o.state_in.empty()) session.load(o.state_in, o.any_weights ? Weights::kAny : Weights::kSame);
  change_sampling(session, o.sampling);

  Timing t{.load_seconds = engine->info().load_seconds};
  Generated out;
  std::string stop(name_of(out.stop));
  bool streaming = !o.json;
  const auto stream = [&](std::string_view text) {
    try {
      if (streaming) print(text);
    } catch (const ReaderGone&) {
      streaming = false;  // nobody reads on, but the state is still wanted
    }
    return streaming || o.json;
  };

  const std::vector<std::int32_t> tokens =
      prompt ? tokenizer.encode(*prompt) : std::vector<std::int32_t>{};
  bool complete = true;
  if (prompt && o.echo) stream(*prompt);
  if (!tokens.empty()) complete = feed_prompt(session, tokens, o, t);
  if (complete && !interrupted()) {
    const Stopwatch clock;
    const int most = o.max_tokens < 0 ? std::numeric_limits<int>::max() : o.max_tokens;
    out = session.generate({.max_tokens = most, .stop_at_end_of_text = !o.ignore_eot},
                           [&](const Piece& piece) {
                             const bool go_on = stream(piece.text);
                             return go_on && !interrupted();
                           });
    t.generation_seconds = clock.seconds();
    t.generated_tokens = out.ids.size();
    stop = name_of(out.stop);
  }
  if (interrupted())
    stop = "interrupted";
  else if (!streaming && !o.json)
    stop = "reader_gone";

  if (!o.state_out.empty()) session.save(o.state_out);
  const SamplingOptions sampling = session.sampler().options();
  if (o.json) {
    print_json({{"text", out.text},
                {"ids", out.ids},
                {"stop", stop},
                {"prompt_tokens", t.prompt_tokens},
                {"tokens_seen", session.tokens_seen()},
                {"sampling",
                 {{"temperature", sampling.temperature},
                  {"top_p", sampling.top_p},
                  {"top_k", sampling.top_k},
                  {"seed", sampling.seed}}},
                {"statistics",
                 {{"load_seconds", t.load_seconds},
                  {"prompt_tokens_per_s", t.prompt_rate()},
                  {"generation_tokens_per_s", t.generation_rate()},
                  {"peak_resident_bytes", peak_resident_bytes()}}}});
  } else if (streaming && ::isatty(STDOUT_FILENO) == 1 && !out.text.ends_with('\n')) {
    stream("\n");  // or the shell's prompt would stand behind the text
  }
  if (!o.progress.quiet) note(statistics(t, sampling));
  if (!complete)
    note(
        fmt::format("stopped after {} of {} tokens of the prompt", t.prompt_tokens, tokens.size()));
  if (interrupted()) throw Exit{kInterruptedExit};
}

}  // namespace

void add_generate(CLI::App& app) {
  auto o = std::make_shared<GenerateOptions>();
  CLI::App* cmd =
      app.add_subcommand("generate", "Continue a prompt and print the text as it is produced");
  cmd->footer(
      "Only the continuation is printed, not the prompt. Without a prompt, the text starts from "
      "end-of-text,\nas a new document.\n"
      "A session file (--state-out) has everything needed to go on as if never stopped: the "
      "model's state,\n"
      "its last logits, an unfinished character, the sampling options and the place in the random "
      "sequence.\n"
      "Defaults of sampling come from a generation_config.json beside the weights, if there is "
      "one.\n"
      "Sampling options given with --state-in replace the saved ones; the same seed goes on with "
      "its\n"
      "sequence, another one begins anew. Ctrl-C stops cleanly: statistics, --state-out, exit code "
      "130.");
  add_model_options(*cmd, o->model);
  add_prompt_options(*cmd, o->prompt, "Text to continue");
  cmd->add_option("-n,--max-tokens,--tokens", o->max_tokens,
                  "Stop after this many tokens; -1: go on until the model ends")
      ->check(CLI::Range(-1, std::numeric_limits<int>::max()))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_flag("--ignore-eot", o->ignore_eot, "Go on after the end-of-text token (id 0)");
  cmd->add_flag("--echo", o->echo, "Print the prompt, too");
  add_sampling_options(*cmd, o->sampling);
  const std::string state = "State";
  cmd->add_option("--state-in", o->state_in, "Go on from a session or state file")
      ->type_name("FILE")
      ->group(state);
  cmd->add_option("--state-out", o->state_out, "Save the session at the end")
      ->type_name("FILE")
      ->group(state);
  cmd->add_flag("--any-weights", o->any_weights,
                "Accept a state made with other weights of the same size")
      ->group(state);
  const std::string output = "Output";
  cmd->add_flag("--json", o->json, "Print one JSON object at the end instead of streaming")
      ->group(output);
  cmd->add_flag("--progress", o->progress.force,
                "Show the progress of the prompt even without a terminal")
      ->group(output);
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No progress and no statistics")->group(output);
  cmd->callback([o] { run_generate(*o); });
}

}  // namespace prwkv::cli
