#include "cli/commands.h"
#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/text.h"

namespace prwkv::cli {
namespace {

struct DetokenizeOptions {
  std::string vocab = "world";
  std::vector<std::string> ids;
  bool json = false, raw = false;
};

void run_detokenize(const DetokenizeOptions& o) {
  const std::shared_ptr<const Tokenizer> tokenizer = tokenizer_by_name(o.vocab);
  std::string list;
  for (const std::string& part : o.ids) list += part + " ";
  if (o.ids.empty() || (o.ids.size() == 1 && o.ids[0] == "-")) list = read_text("-");
  const std::vector<std::int32_t> ids = parse_ids(list, "IDS");
  for (const std::int32_t id : ids) {
    if (id < tokenizer->vocab_size()) continue;
    throw Error(Code::kInvalidArgument,
                fmt::format("token id {} is not in the vocabulary '{}'", id, tokenizer->name()),
                {.expected = fmt::format("0 to {}", tokenizer->vocab_size() - 1)});
  }
  if (o.json)
    print_json({{"text", tokenizer->decode(ids)}});
  else
    print(o.raw ? tokenizer->decode_bytes(ids) : tokenizer->decode(ids));
}

}  // namespace

void add_detokenize(CLI::App& app) {
  auto o = std::make_shared<DetokenizeOptions>();
  CLI::App* cmd = app.add_subcommand("detokenize", "Turn token ids back into text");
  cmd->footer(
      "JSON: {\"text\": ...}. Bytes that are no UTF-8, as when ids cut a character, become "
      "U+FFFD.");
  cmd->add_option("IDS", o->ids,
                  "Ids, as in 34,105,110; without them, or with '-', standard input is read")
      ->type_name("IDS");
  cmd->add_option("--vocab", o->vocab, kVocabHelp)->capture_default_str()->type_name("VOCAB");
  cmd->add_flag("--raw", o->raw, "Print the tokens' bytes as they are");
  cmd->add_flag("--json", o->json, "Print JSON");
  cmd->callback([o] { run_detokenize(*o); });
}

}  // namespace prwkv::cli
