#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/text.h"
#include "runtime/state.h"

namespace prwkv::cli {
namespace {

struct MakeOptions {
  ModelOptions model;
  PromptOptions prompt;
  std::string out;
  bool json = false;
  ProgressOptions progress;
};

struct ShowOptions {
  std::string file;
  bool json = false;
};

struct CompareOptions {
  std::string a, b;
  bool json = false;
};

struct AverageOptions {
  std::vector<std::string> files;
  std::vector<double> weights;
  std::string out;
  bool any_weights = false, json = false;
};

void run_make(const MakeOptions& o) {
  o.model.expect_model();
  const std::optional<std::string> prompt = o.prompt.read();
  if (!prompt) {
    throw Error(Code::kInvalidArgument, "prwkv state make: no prompt",
                {.expected = "--prompt TEXT or --prompt-file FILE"});
  }
  expect_writable(o.out);
  catch_interrupts();
  const std::shared_ptr<Engine> engine = o.model.open();
  const std::vector<std::int32_t> tokens = engine->tokenizer().encode(*prompt);
  if (tokens.empty()) fail(Code::kInvalidArgument, "prwkv state make: the prompt is empty");
  Session session = engine->session();
  {
    Progress progress("prompt", "tokens", o.progress);
    session.feed(tokens, [&](std::size_t done) {
      progress.update(static_cast<double>(done), static_cast<double>(tokens.size()));
      return !interrupted();
    });
  }
  session.save(o.out);
  if (o.json) {
    print_json({{"path", o.out}, {"tokens", tokens.size()}});
  } else if (!o.progress.quiet) {
    note(fmt::format("{}: the state after {} tokens", o.out, tokens.size()));
  }
}

/// Root mean square and largest magnitude of all tensors of one name.
struct Summary {
  std::vector<std::int64_t> shape;
  std::size_t tensors = 0;
  double count = 0, squares = 0, max_abs = 0;
};

void run_show(const ShowOptions& o) {
  const StateFile file = load_state_file(o.file);
  const State& s = file.state;
  std::vector<std::pair<std::string, Summary>> rows;
  for (const StateTensor& t : s.tensors) {
    const std::string name = t.name.substr(t.name.rfind('.') + 1);
    auto row =
        std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.first == name; });
    if (row == rows.end()) row = rows.insert(rows.end(), {name, {.shape = t.shape}});
    Summary& sum = row->second;
    ++sum.tensors;
    const std::size_t n = t.bytes.size() / info(s.dtype).block_bytes;
    for (std::size_t i = 0; i < n; ++i) {
      const double x = s.value(t, i);
      // RWKV-4's exponent of an empty sum is −1e38: a mark, not a magnitude.
      if (x < -1e30) continue;
      sum.squares += x * x;
      sum.max_abs = std::max(sum.max_abs, std::abs(x));
      sum.count += 1;
    }
  }
  const auto rms = [](const Summary& r) {
    return r.count > 0 ? std::sqrt(r.squares / r.count) : 0.0;
  };
  const bool has_logits = std::any_of(
      file.extra_tensors.begin(), file.extra_tensors.end(),
      [](const StateTensor& t) { return t.name == "session.logits" && !t.bytes.empty(); });
  const auto session = file.extra.find("session");
  Json sampler;
  if (session != file.extra.end()) {
    const Json json = parse_json(session->second, o.file + ": session");
    if (json.is_object()) sampler = json.value("sampler", Json());
  }
  if (o.json) {
    OrderedJson tensors = OrderedJson::array();
    for (const auto& [name, r] : rows) {
      tensors.push_back({{"name", name},
                         {"shape", r.shape},
                         {"layers", r.tensors},
                         {"rms", rms(r)},
                         {"max_abs", r.max_abs}});
    }
    print_json({{"path", o.file},
                {"generation", s.header.generation},
                {"n_layer", s.header.L},
                {"n_embd", s.header.C},
                {"fingerprint", s.header.fingerprint.str()},
                {"tokens_seen", s.tokens_seen},
                {"dtype", name_of(s.dtype)},
                {"bytes", s.bytes()},
                {"logits", has_logits},
                {"sampler", sampler},
                {"tensors", tensors}});
    return;
  }
  std::string out = fmt::format(
      "generation   {}\nlayers       {}\nchannels     {}\nfingerprint  {}\ntokens seen  {}\nstate  "
      "      {} in {}\n"
      "session      {}\n\ntensor       layers  shape              rms      largest\n",
      s.header.generation, s.header.L, s.header.C, s.header.fingerprint.str(), s.tokens_seen,
      bytes(static_cast<double>(s.bytes())), name_of(s.dtype),
      has_logits ? "can go on without another token" : "needs a token before it can generate");
  for (const auto& [name, r] : rows) {
    out += fmt::format("{:12} {:6}  {:14} {:9.4g} {:12.4g}\n", name, r.tensors,
                       fmt::format("({})", fmt::join(r.shape, ", ")), rms(r), r.max_abs);
  }
  print(out);
}

void run_compare(const CompareOptions& o) {
  const State a = load_state_file(o.a).state, b = load_state_file(o.b).state;
  const std::vector<StateDifference> rows = compare(a, b);
  const bool one_model = same_weights(a.header.fingerprint, b.header.fingerprint);
  const bool identical = std::all_of(rows.begin(), rows.end(),
                                     [](const StateDifference& r) { return r.max_abs == 0; });
  if (o.json) {
    std::string json =
        fmt::format(R"({{"identical":{},"same_weights":{},"tokens_seen":[{},{}],"tensors":[)",
                    identical, one_model, a.tokens_seen, b.tokens_seen);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      json += fmt::format(R"({}{{"name":{},"max_abs":)", i > 0 ? "," : "", json_text(rows[i].name));
      append_number(json, rows[i].max_abs);
      json += R"(,"rms":)";
      append_number(json, rows[i].rms);
      json += "}";
    }
    print(json + "]}\n");
    return;
  }
  std::string out = fmt::format("{}{}\ntensor        largest difference   rms difference\n",
                                identical ? "the states are identical" : "the states differ",
                                one_model ? "" : "; they were made with different weights");
  for (const StateDifference& r : rows)
    out += fmt::format("{:12} {:19.6g} {:16.6g}\n", r.name, r.max_abs, r.rms);
  print(out);
}

void run_average(const AverageOptions& o) {
  expect_writable(o.out);
  std::vector<State> states;
  for (const std::string& file : o.files) {
    states.push_back(load_state_file(file).state);
    if (o.any_weights) states.back().header.fingerprint = states.front().header.fingerprint;
  }
  save_state_file(o.out, {.state = average(states, o.weights), .extra = {}, .extra_tensors = {}});
  if (o.json) print_json({{"path", o.out}, {"states", states.size()}});
}

}  // namespace

void add_state(CLI::App& app) {
  CLI::App* state = app.add_subcommand("state", "Make, show, compare and average recurrent states");
  state->require_subcommand(1);
  state->footer(
      "A state is everything a model remembers of a text, in a file of fixed size: "
      "docs/state_format.md.");

  auto make = std::make_shared<MakeOptions>();
  CLI::App* cmd = state->add_subcommand("make", "Read a prompt and save the state behind it");
  cmd->footer(
      "'prwkv generate MODEL --state-in FILE' goes on from there at once, however long the "
      "prompt was.");
  add_model_options(*cmd, make->model);
  add_prompt_options(*cmd, make->prompt, "Text to read");
  cmd->add_option("-o,--out", make->out, "File to write")->required()->type_name("FILE");
  cmd->add_flag("--json", make->json, "Print what was made as JSON");
  cmd->add_flag("--progress", make->progress.force, "Show progress even without a terminal");
  cmd->add_flag("-q,--quiet", make->progress.quiet, "No progress and no summary");
  cmd->callback([make] { run_make(*make); });

  auto show = std::make_shared<ShowOptions>();
  cmd = state->add_subcommand("show", "Show what a state file has");
  cmd->add_option("FILE", show->file, "State file")->required()->type_name("FILE");
  cmd->add_flag("--json", show->json, "Print JSON");
  cmd->callback([show] { run_show(*show); });

  auto both = std::make_shared<CompareOptions>();
  cmd = state->add_subcommand("compare", "Show how far two states of one model's sizes are apart");
  cmd->add_option("A", both->a, "State file")->required()->type_name("FILE");
  cmd->add_option("B", both->b, "State file")->required()->type_name("FILE");
  cmd->add_flag("--json", both->json, "Print JSON");
  cmd->callback([both] { run_compare(*both); });

  auto mean = std::make_shared<AverageOptions>();
  cmd = state->add_subcommand("average", "Average states of one model, element by element");
  cmd->footer("The average has no logits: give 'prwkv generate' a prompt with it.");
  cmd->add_option("FILES", mean->files, "State files")->required()->type_name("FILE");
  cmd->add_option("-o,--out", mean->out, "File to write")->required()->type_name("FILE");
  cmd->add_option("--weights", mean->weights, "One number a state, as in 2,1,1 (default: equal)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("W");
  cmd->add_flag("--any-weights", mean->any_weights,
                "Accept states made with different weights of the same size");
  cmd->add_flag("--json", mean->json, "Print what was made as JSON");
  cmd->callback([mean] { run_average(*mean); });
}

}  // namespace prwkv::cli
