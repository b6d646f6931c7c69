#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/quantize_report.h"
#include "cli/text.h"
#include "models/model_tokenizer.h"
#include "runtime/compare.h"
#include "runtime/quantize.h"

namespace prwkv::cli {
namespace {

namespace fs = std::filesystem;

struct QuantizeOptions {
  std::string in, out, type, head, embedding, first_layer, last_layer, low_rank;
  std::vector<std::string> tensors, reports;
  std::string calibrate, evaluate, vocab;
  std::size_t calibration_tokens = 8192, evaluation_tokens = 0;
  int threads = 0;
  std::optional<double> groupnorm_eps;
  bool dry_run = false, json = false;
  ProgressOptions progress;
};

/// Reports, by the extension of the file.
struct ReportFormat {
  std::string_view extension;
  std::string (*write)(const QuantizeReport&);
};
constexpr ReportFormat kReportFormats[] = {
    {".md", &as_markdown},
    {".json", [](const QuantizeReport& r) { return as_json(r).dump(2) + "\n"; }},
    {".svg", &as_svg},
};

const ReportFormat& report_format(const std::string& path) {
  for (const ReportFormat& f : kReportFormats) {
    if (path.ends_with(f.extension)) return f;
  }
  throw Error(Code::kInvalidArgument, path + ": no report has this extension",
              {.expected = ".md, .json or .svg"});
}

WeightFormat target_format(const std::string& out) {
  const auto format = weight_format_of(out);
  if (format == WeightFormat::kGguf || format == WeightFormat::kRwkvCpp) return *format;
  throw Error(Code::kInvalidArgument, out + ": no format with block types has this extension",
              {.expected = ".gguf (RWKV-6 and 7) or .bin (rwkv.cpp: 4, 5.0, 5.2, 6 and 7)",
               .hint = "'prwkv convert' writes the other formats"});
}

std::optional<DType> type_of(const std::string& name) {
  return name.empty() ? std::nullopt : dtype_from_name(name);
}

/// "blocks.*.att.key.weight=q6_k"
std::pair<std::string, DType> tensor_rule(const std::string& text) {
  const std::size_t at = text.rfind('=');
  const auto type = at == std::string::npos ? std::nullopt : dtype_from_name(text.substr(at + 1));
  const std::vector<std::string> names = matrix_type_names();
  if (at != 0 && type && std::find(names.begin(), names.end(), name_of(*type)) != names.end())
    return {text.substr(0, at), *type};
  throw Error(Code::kInvalidArgument, "--tensor " + one_line(text) + ": is no rule for a tensor",
              {.expected = "NAME=TYPE, such as blocks.*.att.key.weight=q6_k"});
}

QuantizePolicy policy_of(const QuantizeOptions& o) {
  QuantizePolicy policy{.type = dtype_from_name(o.type).value(),
                        .head = type_of(o.head),
                        .embedding = type_of(o.embedding),
                        .first_layer = type_of(o.first_layer),
                        .last_layer = type_of(o.last_layer),
                        .low_rank = type_of(o.low_rank).value_or(QuantizePolicy{}.low_rank),
                        .tensors = {}};
  for (const std::string& rule : o.tensors) policy.tensors.push_back(tensor_rule(rule));
  return policy;
}

void check_options(const QuantizeOptions& o) {
  for (const std::string& report : o.reports) {
    (void)report_format(report);
    expect_writable(report);
  }
  if (!o.reports.empty() && o.evaluate.empty()) {
    throw Error(Code::kInvalidArgument, "--report: there is nothing to report on",
                {.hint = "add --evaluate FILE, a text to measure on"});
  }
  std::error_code ignored;
  if (!o.calibrate.empty() && !o.evaluate.empty() &&
      fs::equivalent(o.calibrate, o.evaluate, ignored)) {
    throw Error(Code::kInvalidArgument,
                o.evaluate + ": a text that was calibrated on says too little about others",
                {.expected = "another text for --evaluate than for --calibrate"});
  }
}

/// A text as token ids. Throws Error{kFormat} if it has none.
std::vector<std::int32_t> tokens_of(const std::string& path, const Tokenizer& tokenizer) {
  std::vector<std::int32_t> tokens = tokenizer.encode(read_text(path));
  if (!tokens.empty()) return tokens;
  throw Error(Code::kFormat, path + ": the text is empty",
              {.expected = "at least one token", .found = "0 bytes"});
}

class QuantizeRun {
 public:
  explicit QuantizeRun(const QuantizeOptions& o)
      : o_(o), file_(o.in), work_(file_, target_format(o.out), policy_of(o)) {}

  QuantizeReport run() {
    expect_other_file(file_.reader(), o_.out, "quantized");
    expect_writable(o_.out);
    expect_room(o_.out, work_.plan().bytes());
    describe();
    if (o_.dry_run) return report_;
    catch_interrupts();
    const Stopwatch clock;
    if (!o_.calibrate.empty()) calibrate();
    write();
    report_.seconds = clock.seconds();
    if (!o_.evaluate.empty()) evaluate();
    return report_;
  }

 private:
  void describe() {
    const Export& plan = work_.plan();
    report_.in = o_.in;
    report_.out = o_.out;
    report_.format = name_of(target_format(o_.out));
    report_.generation = plan.model().generation->name;
    report_.type = o_.type;
    report_.bytes = plan.bytes();
    report_.original_bytes = 0;
    for (const QuantizedTensor& t : work_.tensors())
      report_.original_bytes += static_cast<std::uint64_t>(
          static_cast<double>(t.elements) * static_cast<double>(info(t.from).block_bytes) /
          static_cast<double>(info(t.from).block_size));
    report_.tensors = work_.tensors();
    report_.left_out = plan.left_out();
    report_.not_carried = plan.not_carried();
  }

  std::shared_ptr<const Tokenizer> tokenizer() const {
    const std::int64_t V = work_.plan().model().dims.V;
    auto found = o_.vocab.empty() ? tokenizer_of(file_, V) : tokenizer_by_name(o_.vocab);
    if (found != nullptr && found->vocab_size() <= V) return found;
    throw Error(found == nullptr ? Code::kUnsupported : Code::kMismatch,
                fmt::format("{}: no tokenizer for a model with {} vocabulary entries", o_.in, V),
                {.hint = "name a vocabulary file with --vocab"});
  }

  void calibrate() {
    const auto words = tokenizer();
    const CalibrationOptions options{.threads = o_.threads, .groupnorm_eps = o_.groupnorm_eps};
    const std::vector<std::int32_t> sample =
        calibration_sample(tokens_of(o_.calibrate, *words), words->end_of_text(),
                           o_.calibration_tokens, options.sequence_length);
    Progress progress("calibrate", "weights", o_.progress);
    work_.calibrate(sample, options, [&](std::int64_t done, std::int64_t total) {
      progress.update(static_cast<double>(done), static_cast<double>(total));
      return !interrupted();
    });
    report_.calibrated_on = o_.calibrate;
    report_.calibration_tokens = sample.size();
    report_.tensors = work_.tensors();
  }

  void write() {
    Progress progress("quantize", "bytes", o_.progress);
    work_.write(o_.out, [&](std::uint64_t done, std::uint64_t total) {
      progress.update(static_cast<double>(done), static_cast<double>(total),
                      done == total ? "flushing to the disk" : "");
      return !interrupted();
    });
  }

  EngineOptions engine_options() const {
    EngineOptions options;
    options.backend.threads = o_.threads;
    options.load.groupnorm_eps = o_.groupnorm_eps;
    options.tokenizer = o_.vocab;
    return options;
  }

  // The file that was written; and, if it is calibrated, what it would have been otherwise.
  void evaluate() {
    EngineOptions options = engine_options();
    const std::shared_ptr<Engine> original = Engine::open(o_.in, options);
    // Not every format can state it.
    options.load.groupnorm_eps = original->model().groupnorm_eps;
    std::vector<std::shared_ptr<Engine>> others = {Engine::open(o_.out, options)};
    report_.measured = {{work_.is_calibrated() ? "calibrated" : "nearest", {}}};
    if (work_.is_calibrated()) {
      options.load.dtypes = work_.matrix_types();
      others.push_back(Engine::open(o_.in, options));
      report_.measured.push_back({"nearest", {}});
    }
    std::vector<std::int32_t> tokens = tokens_of(o_.evaluate, original->tokenizer());
    if (o_.evaluation_tokens > 0 && tokens.size() > o_.evaluation_tokens)
      tokens.resize(o_.evaluation_tokens);
    tokens.insert(tokens.begin(), original->tokenizer().end_of_text());
    Progress progress("evaluate", "tokens", o_.progress);
    const std::vector<Agreement> found =
        compare_models(original, others, tokens, [&](std::size_t done, std::size_t total) {
          progress.update(static_cast<double>(done), static_cast<double>(total));
          return !interrupted();
        });
    for (std::size_t i = 0; i < found.size(); ++i) report_.measured[i].agreement = found[i];
    report_.evaluated_on = o_.evaluate;
  }

  const QuantizeOptions& o_;
  Checkpoint file_;
  Quantization work_;
  QuantizeReport report_;
};

void print_report(const QuantizeOptions& o, const QuantizeReport& report) {
  if (o.json) return print_json(as_json(report));
  print(tensor_table(report));
  if (!report.measured.empty()) print("\n" + quality_table(report));
  if (o.progress.quiet) return;
  note(fmt::format("{}: RWKV-{} as {}, {} tensors, {} of {}, {:.2f} bits an element{}", o.out,
                   report.generation, report.format, report.tensors.size(),
                   bytes(static_cast<double>(report.bytes)),
                   bytes(static_cast<double>(report.original_bytes)), report.bits_per_element(),
                   o.dry_run ? ", not written" : fmt::format(", {:.1f} s", report.seconds)));
  for (const std::string& fact : report.not_carried)
    note(fmt::format("not carried over, since {} has no place for it: {}", o.out, fact));
}

void run_quantize(const QuantizeOptions& o) {
  check_options(o);
  QuantizeRun run(o);
  const QuantizeReport report = run.run();
  for (const std::string& path : o.reports) {
    if (report.measured.empty()) break;
    AtomicFile file(path);
    file.write(report_format(path).write(report));
    file.commit();
  }
  print_report(o, report);
}

/// The policy, for --help.
std::string policy_text() {
  std::string text = "Protected unless options say otherwise:\n";
  text += "  --type                     embedding, head   first and last layer\n";
  for (const DType type : quantized_types()) {
    const ProtectedTypes p = protected_types(type);
    text += fmt::format("  {:<27}{:<18}{}\n", name_of(type), name_of(p.ends), name_of(p.borders));
  }
  return text;
}

CLI::Option* add_type(CLI::App& command, const std::string& name, std::string& to,
                      const std::string& what) {
  return command.add_option(name, to, what)
      ->check(CLI::IsMember(matrix_type_names()))
      ->type_name("TYPE");
}

}  // namespace

void add_quantize(CLI::App& app) {
  auto o = std::make_shared<QuantizeOptions>();
  CLI::App* cmd =
      app.add_subcommand("quantize", "Write a model in block types, calibrated on a text");
  cmd->footer(
      policy_text() +
      "Low-rank pairs are q8_0 in a .gguf. Vectors are f32 in any case, and low-rank pairs in a\n"
      ".bin, which keeps embedding and head plain. Rows that a type does not fit get a smaller\n"
      "block. --calibrate rounds with the inputs of each matrix in view, layer after layer; file\n"
      "and size are the same as without.\n"
      "The extension of OUT picks the format: .gguf (RWKV-6 and 7) or .bin (4, 5.0, 5.2, 6, 7).\n"
      "Prints which tensor got what, then what it costs: the Kullback-Leibler divergence of the\n"
      "predictions from the original's, how often the likeliest token is the same, perplexity.\n"
      "JSON: path, original, format, generation, type, bytes, original_bytes, bits_per_element,\n"
      "seconds, calibration, evaluation, tensors, left_out, not_carried.");
  cmd->add_option("IN", o->in, "Weight file or folder")->required()->type_name("IN");
  cmd->add_option("OUT", o->out, "File to write, .gguf or .bin")->required()->type_name("OUT");
  std::vector<std::string> types;
  for (const DType type : quantized_types()) types.emplace_back(name_of(type));
  cmd->add_option("--type", o->type, "Type of all matrices that nothing else is said about")
      ->required()
      ->check(CLI::IsMember(types))
      ->type_name("TYPE");
  add_type(*cmd, "--head-type", o->head, "Type of the head");
  add_type(*cmd, "--embedding-type", o->embedding, "Type of the embedding");
  add_type(*cmd, "--first-type", o->first_layer, "Type of the first layer");
  add_type(*cmd, "--last-type", o->last_layer, "Type of the last layer");
  add_type(*cmd, "--low-rank-type", o->low_rank,
           "Type of low-rank pairs in a .gguf (default: q8_0)");
  cmd->add_option("--tensor", o->tensors,
                  "Type of all matrices with such a name, as in inspect --json; '*' stands for any "
                  "characters; may be repeated, the first that fits wins")
      ->type_name("NAME=TYPE");
  cmd->add_option("--calibrate", o->calibrate, "Text to calibrate the rounding on")
      ->type_name("FILE");
  cmd->add_option("--calibration-tokens", o->calibration_tokens,
                  "At most so many, taken from all over the text; memory grows with them")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--evaluate", o->evaluate, "Another text, to measure the loss of quality on")
      ->type_name("FILE");
  cmd->add_option("--evaluation-tokens", o->evaluation_tokens, "At most so many; 0: the whole text")
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--report", o->reports,
                  "Write it to a file, too: .md, .json or .svg; may be repeated")
      ->type_name("FILE");
  cmd->add_option("--threads", o->threads,
                  "Threads to calibrate and measure with; 0: one for each usable core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--groupnorm-eps", o->groupnorm_eps,
                  "eps of ln_x in RWKV 5, 6 and 7 (default 64e-5)")
      ->check(positive_number())
      ->type_name("EPS");
  cmd->add_option("--vocab", o->vocab, std::string(kVocabHelp) + "; default: the model's")
      ->type_name("VOCAB");
  cmd->add_flag("--dry-run", o->dry_run, "Only print which tensor would get what");
  cmd->add_flag("--json", o->json, "Print the report as JSON");
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No progress and no summary");
  cmd->callback([o] { run_quantize(*o); });
}

}  // namespace prwkv::cli
