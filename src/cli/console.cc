#include "cli/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "cli/text.h"

namespace prwkv::cli {
namespace {

// A signal handler can reach nothing else.
volatile std::sig_atomic_t interrupt_flag = 0, end_flag = 0;

volatile std::sig_atomic_t wake_descriptor = -1;

void on_interrupt(int signal) {
  if (signal == SIGINT)
    interrupt_flag = 1;
  else
    end_flag = 1;
  wake();
}

constexpr double kSecondsBetweenUpdates = 0.2;

}  // namespace

ExitCode exit_code_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return kUsageError;
    case Code::kFile:
    case Code::kFormat: return kFileError;
    case Code::kUnsupported: return kUnsupportedError;
    case Code::kMismatch: return kMismatchError;
    case Code::kOutOfMemory: return kMemoryError;
    case Code::kCancelled: return kInterruptedExit;
    case Code::kInternal: return kInternalError;
  }
  return kInternalError;
}

void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE) throw ReaderGone{};
    if (n < 0) {
      throw Error(Code::kFile, "standard output cannot be written",
                  {.found = std::generic_category().message(errno)});
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void note(std::string_view line) {
  std::string text(line);
  text += '\n';
  // If nobody listens, nothing can be done about it.
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = &on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGHUP, &action, nullptr);
}

bool interrupted() { return interrupt_flag != 0 || end_flag != 0; }

int signal_descriptor() {
  static const int reader = [] {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
      throw Error(Code::kFile, "no pipe can be made",
                  {.found = std::generic_category().message(errno)});
    }
    wake_descriptor = ends[1];
    return ends[0];
  }();
  return reader;
}

void wake() {
  const int before = errno;
  // A full pipe wakes as well.
  if (wake_descriptor >= 0) [[maybe_unused]]
    const ssize_t n = ::write(wake_descriptor, "", 1);
  errno = before;
}

void calm_down() {
  std::array<char, 64> bytes{};
  while (::read(signal_descriptor(), bytes.data(), bytes.size()) > 0) {
  }
}

bool told_to_end() { return end_flag != 0; }

void clear_interrupt() {
  if (interrupt_flag == 0) return;
  interrupt_flag = 0;
  catch_interrupts();
}

Progress::Progress(std::string what, std::string unit, const ProgressOptions& options)
    : what_(std::move(what)), unit_(std::move(unit)), terminal_(::isatty(STDERR_FILENO) == 1) {
  shown_ = !options.quiet && (terminal_ || options.force);
}

void Progress::update(double done, double total, std::string_view extra) {
  const double now = clock_.seconds();
  const bool is_last = total > 0 && done >= total;
  if (!shown_ || (!is_last && last_ >= 0 && now - last_ < kSecondsBetweenUpdates)) return;
  last_ = now;
  const double rate = now > 0 ? done / now : 0;
  std::string line = what_ + ": ";
  if (total > 0) {
    line +=
        fmt::format("{:.0f}%  {} of {} {}", 100 * done / total, count(done), count(total), unit_);
  } else {
    line += fmt::format("{} {}", count(done), unit_);
  }
  if (rate > 0) line += fmt::format("  {}/s", count(rate));
  if (rate > 0 && total > done) line += "  " + duration((total - done) / rate) + " left";
  if (!extra.empty()) line.append("  ").append(extra);
  // On a terminal the line replaces the one before; elsewhere each gets its own.
  line = terminal_ ? "\r" + line + "\x1b[K" : line + "\n";
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
  written_ = true;
}

void Progress::finish() {
  if (written_ && terminal_) {
    constexpr std::string_view kClear = "\r\x1b[K";
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, kClear.data(), kClear.size());
  }
  written_ = shown_ = false;
}

}  // namespace prwkv::cli
