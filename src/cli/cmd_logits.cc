#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/text.h"

namespace prwkv::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  PromptOptions prompt;
  std::string tokens, mode = "parallel";
  bool all = false, json = false;
  int top = 10;
};

/// Tokens of one call: the logits of so many rows are in memory at a time.
constexpr std::size_t kRowsAtOnce = 128;

/// Calls f(index of the token, its logits) after each token, or after the last one.
template <class F>
void for_each_row(Engine& engine, const std::vector<std::int32_t>& tokens, const LogitsOptions& o,
                  const F& f) {
  Session session = engine.session();
  const auto V = static_cast<std::size_t>(engine.info().dims.V);
  const std::size_t step = o.mode == "rnn" ? 1 : o.all ? kRowsAtOnce : tokens.size();
  for (std::size_t begin = 0; begin < tokens.size(); begin += step) {
    const std::size_t n = std::min(step, tokens.size() - begin);
    const bool last = begin + n == tokens.size();
    Work work{.session = &session,
              .tokens = std::span(tokens).subspan(begin, n),
              .want = o.all  ? Logits::kAll
                      : last ? Logits::kLast
                             : Logits::kNone};
    engine.run(std::span(&work, 1));
    const auto rows = [&](const auto& logits) {
      for (std::size_t at = 0; at < logits.size(); at += V) {
        f(o.all ? begin + at / V : tokens.size() - 1, std::span(logits).subspan(at, V));
      }
    };
    // The reference backend computes in f64: then all digits are shown.
    if (work.logits_f64.empty())
      rows(work.logits);
    else
      rows(work.logits_f64);
  }
}

void print_table(const Engine& engine, std::int32_t token, std::span<const double> z, int top) {
  const auto text = [&](std::int32_t id) {
    return engine.has_tokenizer() ? one_line(engine.tokenizer().decode({id})) : "";
  };
  std::vector<std::int32_t> order(z.size());
  std::iota(order.begin(), order.end(), 0);
  const auto n = std::min(static_cast<std::size_t>(top), z.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                    [z](std::int32_t a, std::int32_t b) {
                      const double za = z[static_cast<std::size_t>(a)],
                                   zb = z[static_cast<std::size_t>(b)];
                      return za != zb ? za > zb : a < b;
                    });
  const double highest = z[static_cast<std::size_t>(order[0])];
  double total = 0;
  for (const double x : z) total += std::exp(x - highest);
  std::string table =
      fmt::format("after token {} {}\n      id       logit      p  text\n", token, text(token));
  for (std::size_t i = 0; i < n; ++i) {
    const double x = z[static_cast<std::size_t>(order[i])];
    table += fmt::format("{:8} {:11.5f} {:6.4f}  {}\n", order[i], x, std::exp(x - highest) / total,
                         text(order[i]));
  }
  print(table);
}

void run_logits(const LogitsOptions& o) {
  o.model.expect_model();
  const std::optional<std::string> prompt = o.prompt.read();
  if (!prompt && o.tokens.empty()) {
    throw Error(Code::kInvalidArgument, "prwkv logits: no tokens",
                {.expected = "--tokens 34,105,110 or --prompt TEXT"});
  }
  std::vector<std::int32_t> tokens = parse_ids(o.tokens, "--tokens");
  const std::shared_ptr<Engine> engine = o.model.open();
  if (prompt) tokens = engine->tokenizer().encode(*prompt);
  if (tokens.empty()) fail(Code::kInvalidArgument, "prwkv logits: the list of tokens is empty");

  std::string json = o.all ? R"({"logits":[)" : R"({"logits":)";
  for_each_row(*engine, tokens, o, [&](std::size_t i, const auto& logits) {
    if (!o.json) {
      print_table(*engine, tokens[i], std::vector<double>(logits.begin(), logits.end()), o.top);
      return;
    }
    if (o.all && i > 0) json += ',';
    append_list(json, logits);
    print(json);
    json.clear();
  });
  if (o.json) print(o.all ? "]}\n" : "}\n");
}

}  // namespace

void add_logits(CLI::App& app) {
  auto o = std::make_shared<LogitsOptions>();
  CLI::App* cmd =
      app.add_subcommand("logits", "Print what a model says about the token after some tokens");
  cmd->footer(
      "JSON: {\"logits\": [...]} of the last token, with --all one list a token. The numbers are "
      "the shortest\n"
      "that read back as the same f32 (or f64); what JSON cannot say is \"nan\", \"inf\" or "
      "\"-inf\".");
  add_model_options(*cmd, o->model);
  auto* tokens =
      cmd->add_option("--tokens", o->tokens, "Token ids, as in 34,105,110")->type_name("IDS");
  for (CLI::Option* prompt : add_prompt_options(*cmd, o->prompt, "Text instead of ids"))
    prompt->excludes(tokens);
  cmd->add_option("--mode", o->mode,
                  "parallel: many tokens a pass; rnn: one by one. The same numbers")
      ->check(CLI::IsMember({"rnn", "parallel"}))
      ->capture_default_str()
      ->type_name("MODE");
  cmd->add_flag("--all", o->all, "After each token, not only after the last");
  cmd->add_option("--top", o->top, "Rows of the table")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_flag("--json", o->json, "Print JSON with all logits instead of a table");
  cmd->callback([o] { run_logits(*o); });
}

}  // namespace prwkv::cli
