/// The process and its terminal: standard output that may go away, Ctrl-C, progress, exit codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace prwkv::cli {

/// What the process ends with; docs/cli.md and `prwkv --help` list these.
enum ExitCode {
  kOk = 0,
  kInternalError = 1,
  kUsageError = 2,
  kFileError = 3,
  kUnsupportedError = 4,
  kMismatchError = 5,
  kMemoryError = 6,
  kInterruptedExit = 130,  // 128 + SIGINT, as shells have it
};
ExitCode exit_code_of(Code code);

/// Thrown to end with this code after everything has been said.
struct Exit {
  int code;
};

/// Thrown by print() when nobody reads standard output any more, as in `prwkv … | head`: no error.
struct ReaderGone {};

/// Writes to standard output at once. Throws ReaderGone, or Error{kFile} if the disk is full.
void print(std::string_view text);

/// Writes a line to standard error.
void note(std::string_view line);

/// From now on Ctrl-C only sets a flag, so that a command can finish what it does. A second Ctrl-C
/// ends the process.
void catch_interrupts();
[[nodiscard]] bool interrupted();
/// Whether it was not Ctrl-C but SIGTERM or SIGHUP.
[[nodiscard]] bool told_to_end();
/// A Ctrl-C was seen to: the next one counts anew.
void clear_interrupt();
/// Becomes readable when a signal comes, whichever thread it interrupts: what waits for input waits for both.
[[nodiscard]] int signal_descriptor();
/// From a signal handler: makes it readable. `calm_down` makes it unreadable again.
void wake();
void calm_down();

/// --progress / --quiet of the commands that take long.
struct ProgressOptions {
  bool force = false, quiet = false;
};

/// One line on standard error that is overwritten as work goes on: shown on a terminal, or if
/// asked.
class Progress {
 public:
  /// `what` is done, in `unit`s: "prompt", "tokens"
  Progress(std::string what, std::string unit, const ProgressOptions& options);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { finish(); }
  /// `done` of `total`, which may be 0 for unknown; `extra` is shown behind.
  void update(double done, double total, std::string_view extra = "");
  void finish();

 private:
  std::string what_, unit_;
  bool shown_ = false, terminal_ = false, written_ = false;
  Stopwatch clock_;
  double last_ = -1;
};

}  // namespace prwkv::cli
