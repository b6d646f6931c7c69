#include "cli/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/console.h"

namespace prwkv::cli {
namespace {

constexpr int kEntries = 1000;

/// Characters of the terminal. Without a locale of its own a UTF-8 one is the best guess.
void use_locale() {
  const char* set = std::setlocale(LC_CTYPE, "");
  if (set == nullptr || std::string_view(set) == "C" || std::string_view(set) == "POSIX")
    std::setlocale(LC_CTYPE, "C.UTF-8");
}

/// What a terminal's signals ask of a line that is being edited. Outside of one they do what they always do.
volatile std::sig_atomic_t has_new_size = 0, must_stop = 0, was_stopped = 0;

void on_terminal_signal(int signal) {
  if (signal == SIGWINCH) has_new_size = 1;
  if (signal == SIGTSTP) must_stop = 1;
  if (signal == SIGCONT) was_stopped = 1;
  wake();
}

class TerminalSignals {
 public:
  TerminalSignals() {
    struct sigaction action {};
    action.sa_handler = &on_terminal_signal;
    action.sa_flags = SA_RESTART;
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &action, &before_[i]);
  }
  TerminalSignals(const TerminalSignals&) = delete;
  TerminalSignals& operator=(const TerminalSignals&) = delete;
  ~TerminalSignals() {
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &before_[i], nullptr);
  }

  /// As if nobody had caught it: the process stops here, and goes on here.
  static void stop() {
    struct sigaction stops {
    }, caught{};
    stops.sa_handler = SIG_DFL;
    ::sigaction(SIGTSTP, &stops, &caught);
    ::raise(SIGTSTP);
    ::sigaction(SIGTSTP, &caught, nullptr);
  }

 private:
  static constexpr std::array kSignals = {SIGWINCH, SIGTSTP, SIGCONT};
  std::array<struct sigaction, kSignals.size()> before_{};
};

/// Nobody may be there any more.
void show_plainly(std::string_view text) {
  [[maybe_unused]] const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
}

enum class Waited { kInput, kSignal, kEnd };

/// Until standard input has something, or a signal came.
Waited wait_for_input() {
  std::array<pollfd, 2> sources = {
      pollfd{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
      pollfd{.fd = signal_descriptor(), .events = POLLIN, .revents = 0}};
  if (::poll(sources.data(), sources.size(), -1) < 0)
    return errno == EINTR ? Waited::kSignal : Waited::kEnd;
  if (sources[1].revents != 0) {
    calm_down();
    return Waited::kSignal;
  }
  return Waited::kInput;
}

}  // namespace

struct LineEditor::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (history != nullptr) ::history_end(history);
    if (editor != nullptr) ::el_end(editor);
  }

  ::EditLine* editor = nullptr;
  ::History* history = nullptr;
  ::HistEvent event{};
  std::string prompt;
  bool is_end = false;  // of the input
  /// A line that was being edited when the window changed its size. The editor's picture of the screen does not survive
  /// that, so it begins anew, and the line is typed for it.
  std::optional<std::wstring> unfinished;

  static State& self_of(::EditLine* editor) {
    State* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    return *self;
  }
  static char* prompt_of(::EditLine* editor) { return self_of(editor).prompt.data(); }

  void keep_line() {
    constexpr wchar_t kQuote = 0x16, kBack = 0x02, kFirstPrintable = 0x20,
                      kDelete = 0x7f;  // Ctrl-V, Ctrl-B, space
    const ::LineInfoW* line = ::el_wline(editor);
    std::wstring typed;
    for (const wchar_t* c = line->buffer; c != line->lastchar; ++c) {
      if (*c < kFirstPrintable || *c == kDelete) typed += kQuote;
      typed += *c;
    }
    typed.append(static_cast<std::size_t>(line->lastchar - line->cursor), kBack);
    unfinished = std::move(typed);
  }

  /// One line; nullptr: none. `length` as el_gets has it.
  const char* gets(int* length) {
    while (true) {
      // Before the prompt is seen: keys that come right behind it are not echoed twice.
      ::el_set(editor, EL_PREP_TERM, 1);
      has_new_size = 0;
      ::el_resize(editor);
      if (unfinished) ::el_wpush(editor, unfinished->c_str());
      unfinished.reset();
      *length = 0;
      const char* line = ::el_gets(editor, length);
      ::el_set(editor, EL_PREP_TERM, 0);
      if (line != nullptr || is_end || interrupted() || *length == 0) return line;
      if (unfinished) show_plainly("\r\x1b[J");
    }
  }

  /// The next character, for the editor: 1, 0 at the end, -1 to give up. Signals are seen to here, between two keys:
  /// inside their handlers the editor may be in the middle of anything.
  static int next_character(::EditLine* editor, wchar_t* c) {
    std::string bytes;
    while (true) {
      if (interrupted()) return -1;
      if (must_stop != 0) {
        must_stop = 0;
        ::el_set(editor, EL_PREP_TERM, 0);
        TerminalSignals::stop();
        was_stopped = 1;  // also where nobody stops it
      }
      if (was_stopped != 0) {
        was_stopped = 0;
        self_of(editor).keep_line();
        return -1;
      }
      if (has_new_size != 0) {
        self_of(editor).keep_line();
        return -1;
      }
      switch (wait_for_input()) {
        case Waited::kSignal: continue;
        case Waited::kEnd: self_of(editor).is_end = true; return 0;
        case Waited::kInput: break;
      }
      char byte = 0;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        self_of(editor).is_end = true;
        return 0;
      }
      bytes += byte;
      std::mbstate_t state{};
      const std::size_t length = std::mbrtowc(c, bytes.data(), bytes.size(), &state);
      if (length == static_cast<std::size_t>(-2)) continue;  // more of it is to come
      if (length != static_cast<std::size_t>(-1)) return 1;
      bytes.clear();  // no character of this terminal: left out
    }
  }
};

LineEditor::LineEditor(std::string history) : history_(std::move(history)) {
  (void)signal_descriptor();  // from now on no signal is missed
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) return;
  use_locale();
  state_ = std::make_unique<State>();
  State& s = *state_;
  s.editor = ::el_init("prwkv", stdin, stdout, stderr);
  s.history = ::history_init();
  if (s.editor == nullptr || s.history == nullptr) {
    state_.reset();
    return;
  }
  ::el_set(s.editor, EL_CLIENTDATA, &s);
  ::el_set(s.editor, EL_PROMPT, &State::prompt_of);
  ::el_set(s.editor, EL_EDITOR, "emacs");
  ::el_set(s.editor, EL_GETCFN, &State::next_character);
  ::history(s.history, &s.event, H_SETSIZE, kEntries);
  ::history(s.history, &s.event, H_SETUNIQUE, 1);
  ::el_set(s.editor, EL_HIST, &::history, s.history);
  ::el_set(s.editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  if (!history_.empty()) ::history(s.history, &s.event, H_LOAD, history_.c_str());
  ::el_source(s.editor, nullptr);  // ~/.editrc, as in other programs
}

LineEditor::~LineEditor() = default;

std::optional<LineEditor::Line> LineEditor::read(const std::string& prompt) {
  if (state_ != nullptr) {
    const TerminalSignals signals;
    state_->prompt = prompt;
    int length = 0;
    const char* line = state_->gets(&length);
    if (interrupted()) return Line{"", true};
    if (line == nullptr || length <= 0) return std::nullopt;
    std::string text(line, static_cast<std::size_t>(length));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return Line{std::move(text)};
  }
  std::string text;
  while (true) {
    if (interrupted()) return Line{"", true};
    const Waited waited = wait_for_input();
    if (waited == Waited::kSignal) continue;
    char c = 0;
    const ssize_t n = waited == Waited::kEnd ? 0 : ::read(STDIN_FILENO, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    if (c == '\n') {
      if (text.ends_with('\r')) text.pop_back();
      return Line{std::move(text)};
    }
    text += c;
  }
  if (text.empty()) return std::nullopt;
  return Line{std::move(text)};
}

// Written to another name first, so that a history is never half a one; of two chats at once, the last to write wins.
void LineEditor::remember(const std::string& text) {
  if (state_ == nullptr || text.empty()) return;
  State& s = *state_;
  ::history(s.history, &s.event, H_ENTER, text.c_str());
  if (history_.empty()) return;
  std::error_code ignored;
  const std::filesystem::path path = history_;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const std::string part = history_ + "." + std::to_string(::getpid());
  const mode_t before = ::umask(S_IRWXG | S_IRWXO);
  const bool written = ::history(s.history, &s.event, H_SAVE, part.c_str()) >= 0;
  ::umask(before);
  if (written) std::filesystem::rename(part, path, ignored);
  if (!written || ignored) std::filesystem::remove(part, ignored);
}

std::string history_file(const std::string& command) {
  std::filesystem::path folder;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
    folder = state;
  else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    folder = std::filesystem::path(home) / ".local" / "state";
  else
    return {};
  return folder / "prwkv" / (command + "_history");
}

}  // namespace prwkv::cli
