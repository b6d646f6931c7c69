#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/text.h"
#include "tokenizer/vocab_trainer.h"
#include "tokenizer/world_trie.h"
#include "train/records.h"

namespace prwkv::cli {
namespace {

struct VocabTrainOptions {
  std::vector<std::string> files;
  std::string out;
  VocabOptions vocab;
  bool json = false;
  ProgressOptions progress;
};

/// The texts, from the files each time.
class VocabTexts {
 public:
  explicit VocabTexts(const std::vector<std::string>& files) : files_(files) {
    const auto inputs = std::count(files.begin(), files.end(), "-");
    if (inputs > 1) fail(Code::kInvalidArgument, "FILES: standard input is named twice");
    if (inputs == 1) input_ = read_text("-");
    for (const std::string& file : files)
      total_ += static_cast<double>(open(file).file().bytes().size());
  }

  /// Throws Error{kCancelled} after Ctrl-C.
  template <class F>
  void for_each(std::string_view action, const ProgressOptions& options, const F& f) const {
    Progress progress(std::string(action), "bytes", options);
    double done = 0;
    for (const std::string& path : files_) {
      TextSource source = open(path);
      while (const std::optional<TextPiece> piece = source.next()) {
        if (interrupted()) fail(Code::kCancelled, "stopped while reading");
        if (piece->line == 0) {
          f(piece->text, piece->ends_document);
        } else {
          const std::string where = fmt::format("{}:{}", source.file().path(), piece->line);
          const auto passages = read_record(piece->text, where, chat_template("world"));
          for (const Passage& p : passages) f(p.text, &p == &passages.back());
        }
        progress.update(done + static_cast<double>(source.position()), total_);
        source.file().done_with(std::as_bytes(std::span(piece->text)));
      }
      done += static_cast<double>(source.position());
    }
  }

 private:
  [[nodiscard]] TextSource open(const std::string& path) const {
    if (path != "-") return TextSource(path);
    const auto bytes = std::as_bytes(std::span(input_));
    return TextSource(MappedFile::from_bytes("standard input", {bytes.begin(), bytes.end()}));
  }

  const std::vector<std::string>& files_;
  std::string input_;
  double total_ = 0;
};

/// What the texts take with a vocabulary.
struct Encoded {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::size_t tokens = 0;
  [[nodiscard]] double bytes_per_token(std::size_t bytes) const {
    return tokens == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(tokens);
  }
};

void expect_no_input(const VocabTrainOptions& o) {
  std::error_code ignored;
  for (const std::string& file : o.files) {
    if (file == "-" || !std::filesystem::equivalent(file, o.out, ignored)) continue;
    throw Error(Code::kInvalidArgument, o.out + ": is one of the texts",
                {.hint = "give the vocabulary another name"});
  }
}

void run_vocab_train(const VocabTrainOptions& o) {
  expect_writable(o.out);
  expect_no_input(o);
  catch_interrupts();
  const Stopwatch clock;
  const VocabTexts texts(o.files);
  VocabTrainer trainer(o.vocab);
  std::size_t documents = 0, size = 0;
  texts.for_each("count", o.progress, [&](std::string_view text, bool ends_document) {
    trainer.add(text);
    size += text.size();
    documents += ends_document ? 1 : 0;
  });
  std::optional<Progress> progress;
  std::string_view stage;
  const std::vector<std::string> tokens = trainer.train([&](const VocabProgress& p) {
    if (p.stage != stage) progress.emplace(std::string(stage = p.stage), "tokens", o.progress);
    progress->update(static_cast<double>(p.done), static_cast<double>(p.total));
    return !interrupted();
  });
  progress.reset();
  Encoded made{make_world_trie(vocabulary_text(tokens), o.out, o.out)};
  Encoded world{world_tokenizer()};
  texts.for_each("measure", o.progress, [&](std::string_view text, bool) {
    for (Encoded* e : {&made, &world}) e->tokens += e->tokenizer->encode(text, false).size();
  });
  write_vocabulary(o.out, tokens);

  if (o.json) {
    const auto measured = [&](const Encoded& e) {
      return OrderedJson{{"ids", e.tokenizer->vocab_size()},
                         {"tokens", e.tokens},
                         {"bytes_per_token", e.bytes_per_token(size)}};
    };
    print_json({{"path", o.out},
                {"documents", documents},
                {"bytes", size},
                {"different_words", trainer.different_words()},
                {"vocabulary", measured(made)},
                {"world", measured(world)}});
    return;
  }
  std::string out = "vocabulary      ids       tokens  bytes per token\n";
  for (const Encoded* e : {&made, &world}) {
    out += fmt::format("{:10} {:8} {:>12} {:16.4f}\n", e == &made ? "this" : "world",
                       e->tokenizer->vocab_size(), e->tokens, e->bytes_per_token(size));
  }
  print(out);
  if (!o.progress.quiet) {
    note(fmt::format("{}: {} documents, {}, {} different words, {:.1f} s", o.out, documents,
                     bytes(static_cast<double>(size)), trainer.different_words(), clock.seconds()));
  }
}

}  // namespace

void add_vocab(CLI::App& app) {
  CLI::App* vocab = app.add_subcommand("vocab", "Make vocabularies");
  vocab->require_subcommand(1);

  auto o = std::make_shared<VocabTrainOptions>();
  CLI::App* cmd = vocab->add_subcommand("train", "Make a small vocabulary out of texts");
  cmd->footer(
      "FILES are texts or JSON Lines (.jsonl, .ndjson, .json: one {\"text\": ...} or conversation "
      "a\n"
      "line). The vocabulary is a file as rwkv_vocab_v20230424.txt: ids from 1, the 256 bytes "
      "first;\n"
      "id 0 ends a text. Other commands take it as --vocab FILE. Prints how many tokens the texts\n"
      "take with it, and with the World vocabulary. The same texts give the same file.\n"
      "JSON: {\"path\", \"documents\", \"bytes\", \"different_words\", \"vocabulary\": {\"ids\", "
      "\"tokens\",\n"
      "\"bytes_per_token\"}, \"world\": the same}.");
  cmd->add_option("FILES", o->files, "Texts; '-' reads standard input")
      ->required()
      ->type_name("FILE");
  cmd->add_option("-o,--out", o->out, "File to write")->required()->type_name("FILE");
  cmd->add_option("--size", o->vocab.size, "Ids, with id 0 and the 256 bytes")
      ->check(CLI::Range(kMinVocabSize, kMaxVocabSize))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--max-token-bytes", o->vocab.max_token_bytes, "Length of the longest token")
      ->check(CLI::Range(std::size_t{1}, kMaxTrainedTokenBytes))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--max-digits", o->vocab.max_digits, "Digits in a token; 1 spells numbers out")
      ->check(CLI::Range(1, static_cast<int>(kMaxTrainedTokenBytes)))
      ->capture_default_str()
      ->type_name("N");
  cmd->add_option("--min-count", o->vocab.min_count, "What is rarer becomes no token")
      ->capture_default_str()
      ->type_name("N");
  cmd->add_flag("--json", o->json, "Print JSON");
  cmd->add_flag("--progress", o->progress.force, "Show progress even without a terminal");
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No progress and no statistics");
  cmd->callback([o] { run_vocab_train(*o); });
}

}  // namespace prwkv::cli
