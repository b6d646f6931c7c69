/// Lines from a person at a terminal, who may edit them and call older ones back; or from a pipe, as they are.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace prwkv::cli {

class LineEditor {
 public:
  /// Keeps its history in this file; empty: for this run only. A file that cannot be read is no history.
  explicit LineEditor(std::string history);
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;
  ~LineEditor();

  /// Whether a person sits there: standard input and output are a terminal.
  [[nodiscard]] bool is_interactive() const { return state_ != nullptr; }

  struct Line {
    std::string text;        ///< without its newline; bytes as they came
    bool cancelled = false;  ///< Ctrl-C: what stood there is gone
  };
  /// The next line; empty at the end (Ctrl-D). `prompt` is shown to a person.
  std::optional<Line> read(const std::string& prompt);
  /// Something that can be called back; kept in the file, readable by its owner alone.
  void remember(const std::string& text);

 private:
  struct State;
  std::unique_ptr<State> state_;  // of the terminal's library
  std::string history_;
};

/// Where the history of a command is kept: $XDG_STATE_HOME/prwkv, or ~/.local/state/prwkv; empty if there is no home.
std::string history_file(const std::string& command);

}  // namespace prwkv::cli
