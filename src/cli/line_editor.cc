#include "cli/line_editor.h"

#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
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

}  // namespace

struct LineEditor::State {
  ::EditLine* editor = nullptr;
  ::History* history = nullptr;
  ::HistEvent event{};
  std::string prompt;

  static char* prompt_of(::EditLine* editor) {
    State* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    return self->prompt.data();
  }
};

LineEditor::LineEditor(std::string history) : history_(std::move(history)) {
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
  ::el_set(s.editor, EL_SIGNAL,
           1);  // the terminal is put right before Ctrl-C, and after a change of its size
  ::history(s.history, &s.event, H_SETSIZE, kEntries);
  ::history(s.history, &s.event, H_SETUNIQUE, 1);
  ::el_set(s.editor, EL_HIST, &::history, s.history);
  ::el_set(s.editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  if (!history_.empty()) ::history(s.history, &s.event, H_LOAD, history_.c_str());
  ::el_source(s.editor, nullptr);  // ~/.editrc, as in other programs
}

LineEditor::~LineEditor() {
  if (state_ == nullptr) return;
  if (state_->history != nullptr) ::history_end(state_->history);
  if (state_->editor != nullptr) ::el_end(state_->editor);
}

std::optional<LineEditor::Line> LineEditor::read(const std::string& prompt) {
  if (state_ != nullptr) {
    state_->prompt = prompt;
    int length = 0;
    errno = 0;
    const char* line = ::el_gets(state_->editor, &length);
    if (interrupted()) {
      print("\n");
      return Line{"", true};
    }
    if (line == nullptr || length <= 0) return std::nullopt;
    std::string text(line, static_cast<std::size_t>(length));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return Line{std::move(text)};
  }
  std::string text;
  while (true) {
    char c = 0;
    const ssize_t n = ::read(STDIN_FILENO, &c, 1);
    if (n < 0 && errno == EINTR) {
      if (interrupted()) return Line{"", true};
      continue;
    }
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

// Written to another name first: two chats may end at once.
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
  if (written)
    std::filesystem::rename(part, path, ignored);
  else
    std::filesystem::remove(part, ignored);
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
