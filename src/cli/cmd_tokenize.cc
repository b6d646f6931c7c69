#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/text.h"

namespace prwkv::cli {
namespace {

struct TokenizeOptions {
  std::string vocab = "world", file;
  std::optional<std::string> text;
  bool no_special = false, pieces = false, json = false;
};

void run_tokenize(const TokenizeOptions& o) {
  const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_by_name(o.vocab);
  const std::string text = !o.file.empty()            ? read_text(o.file)
                           : o.text && *o.text != "-" ? *o.text
                                                      : read_text("-");
  const std::vector<std::int32_t> ids = tokenizer->encode(text, !o.no_special);
  std::string out = o.json ? R"({"ids":[)" : "";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (o.pieces && !o.json) {
      fmt::format_to(std::back_inserter(out), "{:8}  {}\n", ids[i],
                     one_line(tokenizer->decode({ids[i]})));
    } else {
      fmt::format_to(std::back_inserter(out), "{}{}", i > 0 ? (o.json ? "," : " ") : "", ids[i]);
    }
  }
  out += o.json ? "]}\n" : o.pieces ? "" : "\n";
  print(out);
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto o = std::make_shared<TokenizeOptions>();
  CLI::App* cmd = app.add_subcommand("tokenize", "Turn text into token ids");
  cmd->footer("JSON: {\"ids\": [...]}. A text that begins with '-' goes behind '--'.");
  auto* text = cmd->add_option_function<std::string>(
      "TEXT", [o](const std::string& given) { o->text = given; },
      "Text; without it, or with '-', standard input is read");
  cmd->add_option("-f,--file", o->file, "Read the text from a file")
      ->type_name("FILE")
      ->excludes(text);
  cmd->add_option("--vocab", o->vocab, kVocabHelp)->capture_default_str()->type_name("VOCAB");
  cmd->add_flag("--no-special", o->no_special,
                "Take '<|endoftext|>' and the like for ordinary text");
  cmd->add_flag("--pieces", o->pieces, "One token a line, with its text");
  cmd->add_flag("--json", o->json, "Print JSON");
  cmd->callback([o] { run_tokenize(*o); });
}

}  // namespace prwkv::cli
