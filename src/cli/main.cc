/// The program `prwkv`: parses, runs one subcommand, and turns what went wrong into a message on
/// standard error and an exit code. No other file does that.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>
#include <sstream>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/help.h"
#include "cli/text.h"

namespace prwkv::cli {
namespace {

constexpr const char* kFooter =
    R"(Results go to standard output, progress and statistics to standard error.

Exit codes
  0  done                              4  well-formed, but not supported
  1  a bug in this program             5  two files do not belong together, or differ
  2  a mistake on the command line     6  not enough memory
  3  a file is missing or damaged    130  stopped by Ctrl-C or SIGTERM

Environment
  PRWKV_DEFAULT_MODEL  the model where none is named
  PRWKV_CPU_ISA  use this instruction set instead of the best one: scalar; on x86-64 also avx2, avx512,
                 avx512_vnni, avx512_bf16, avx512_amx; on aarch64 also neon, neon_dotprod, neon_i8mm)";

int report(const char* message, int code) {
  note(std::string("prwkv: ") + message);
  return code;
}

/// What is wrong with a command line that CLI11 refuses.
std::string usage_error(const CLI::App& app, const CLI::ParseError& e, int argc, char** argv) {
  const CLI::App* command = &app;
  std::string path = "prwkv";
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    path += " " + command->get_name();
  }
  std::string what = e.what();
  if (command == &app && argc > 1 && argv[1][0] != '-')
    what = fmt::format("there is no command {}", one_line(argv[1]));
  return fmt::format("{}\n  hint      '{} --help' lists what there is", what, path);
}

int run(int argc, char** argv) {
  CLI::App app("prwkv: runs every generation of RWKV language models", "prwkv");
  app.set_version_flag("--version", "prwkv " PRWKV_VERSION, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.formatter(std::make_shared<HelpFormatter>());
  app.require_subcommand(1);
  app.footer(kFooter);
  add_generate(app);
  add_chat(app);
  add_logits(app);
  add_tokenize(app);
  add_detokenize(app);
  add_inspect(app);
  add_convert(app);
  add_quantize(app);
  add_diff(app);
  add_perplexity(app);
  add_bench(app);
  add_make_random(app);
  add_state(app);
  add_train(app);
  add_merge(app);
  add_vocab(app);
  add_completion(app);
  try {
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& e) {  // --help, --version
      std::ostringstream text;
      app.exit(e, text, text);
      print(text.str());
    }
    return kOk;
  } catch (const CLI::ParseError& e) {
    return report(usage_error(app, e, argc, argv).c_str(), kUsageError);
  } catch (const Exit& e) {
    return e.code;
  } catch (const ReaderGone&) {
    return kOk;  // whoever read this has seen enough
  } catch (const Error& e) {
    if (e.code() == Code::kCancelled)
      return report("stopped, nothing was written", kInterruptedExit);
    return report(e.what(), exit_code_of(e.code()));
  } catch (const std::bad_alloc&) {
    return report("there is not enough memory", kMemoryError);
  } catch (const std::exception& e) {
    return report(fmt::format("internal error: {}", e.what()).c_str(), kInternalError);
  }
}

}  // namespace
}  // namespace prwkv::cli

int main(int argc, char** argv) {
  // A reader that goes away then shows as an error of write(), so that a session can still be
  // saved.
  std::signal(SIGPIPE, SIG_IGN);
  // Beyond `ulimit -f` write() then fails like on a full disk, and the unfinished file is removed. A
  // library must not set signals, so that it is done here.
  std::signal(SIGXFSZ, SIG_IGN);
  return prwkv::cli::run(argc, argv);
}
