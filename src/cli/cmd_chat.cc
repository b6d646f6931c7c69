#include <fmt/ranges.h>

#include <charconv>
#include <exception>
#include <functional>
#include <limits>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/line_editor.h"
#include "cli/model_options.h"
#include "cli/sampling_options.h"
#include "cli/text.h"
#include "runtime/chat.h"

namespace prwkv::cli {
namespace {

struct ChatOptions {
  ModelOptions model;
  PromptOptions prompt;
  SamplingArguments sampling;
  std::string chat_template, system, think = "off", state_in, state_out;
  int max_tokens = 1024;
  bool any_weights = false, no_history = false, json = false;
  ProgressOptions progress;
};

constexpr const char* kCommands =
    "/help            this list\n"
    "/reset           forget the conversation\n"
    "/retry           another answer to the last message\n"
    "/system [TEXT]   begin anew with a system message, or without one\n"
    "/think [MODE]    off, fake, on, a-bit or a-lot, for models that think (G1)\n"
    "/set NAME VALUE  temperature, top-p, top-k, seed or max-tokens\n"
    "/save FILE       keep the session: /load, or --state-in, goes on with it\n"
    "/load FILE       go on with a kept session\n"
    "/quit            the end, as Ctrl-D\n"
    "\n"
    "A message of several lines stands between two lines of \"\"\", or its lines end with \\.\n"
    "A message that begins with / is written with two of them. Ctrl-C stops an answer.\n";

constexpr std::string_view kDim = "\x1b[2m", kPlain = "\x1b[0m", kBlock = "\"\"\"";

/// What is typed: a message, or a command with its argument.
struct Typed {
  std::string command, text;
};

std::string trimmed(std::string_view text) { return cleaned(text, BlankLines::kKept); }

Typed parse(const std::string& text) {
  if (!text.starts_with('/')) return {"", text};
  if (text.starts_with("//")) return {"", text.substr(1)};
  const std::size_t end = text.find_first_of(" \t\n");
  return {text.substr(0, end), end == std::string::npos ? "" : trimmed(text.substr(end))};
}

class Conversation {
 public:
  Conversation(const ChatOptions& o, Chat chat)
      : o_(o),
        chat_(std::move(chat)),
        say_{.max_tokens = o.max_tokens, .think = think_of(o.think)},
        editor_(o.no_history ? std::string() : history_file("chat")),
        shows_marks_(editor_.is_interactive() && !o.json) {}

  /// To the end of the input.
  void run() {
    if (editor_.is_interactive() && !o_.progress.quiet)
      note("/help lists the commands; Ctrl-D ends. Form of the conversation: " +
           std::string(chat_.form().name));
    while (true) {
      const std::optional<std::string> text = next_message();
      if (!text) break;
      if (trimmed(*text).empty()) continue;
      editor_.remember(*text);
      const Typed typed = parse(*text);
      try {
        if (typed.command.empty())
          answer([&](const auto& show, const auto& reading) {
            return chat_.say(typed.text, say_, show, reading);
          });
        else if (!obey(typed))
          break;
      } catch (const Error& e) {
        // What was said before is still there.
        if (e.code() == Code::kInternal || e.code() == Code::kOutOfMemory) throw;
        if (e.code() == Code::kCancelled)
          note("(not read to the end; the conversation is as it was)");
        else
          note(std::string("prwkv: ") + e.what());
        if (!editor_.is_interactive()) exit_code_ = exit_code_of(e.code());
      }
      if (lost_output_ || told_to_end()) break;
      if (!editor_.is_interactive() && (exit_code_ != kOk || interrupted())) break;
      clear_interrupt();
    }
    if (editor_.is_interactive()) show("\n");
  }

  /// One message, from the command line.
  void say_once(const std::string& text) {
    answer([&](const auto& show, const auto& reading) {
      return chat_.say(text, say_, show, reading);
    });
  }

  [[nodiscard]] Chat& chat() { return chat_; }
  /// Throws what ended the output, unless the terminal is gone because the process has to end, and the exit code of a
  /// mistake.
  void end() const {
    if (lost_output_ && !told_to_end()) std::rethrow_exception(lost_output_);
    if (exit_code_ != kOk) throw Exit{exit_code_};
  }

 private:
  using Reading = std::function<bool(std::size_t)>;

  /// On standard output, as long as there is one: a conversation is settled and saved even if nobody reads on.
  bool show(std::string_view text) {
    if (!lost_output_) {
      try {
        print(text);
      } catch (...) {
        lost_output_ = std::current_exception();
      }
    }
    return !lost_output_;
  }

  void show_json(const OrderedJson& json) {
    try {
      if (!lost_output_) print_json(json);
    } catch (...) {
      lost_output_ = std::current_exception();
    }
  }

  /// Lines up to the end of a message; empty at the end of the input.
  std::optional<std::string> next_message() {
    std::string text;
    bool in_block = false, goes_on = false;
    while (true) {
      const std::optional<LineEditor::Line> line =
          editor_.read(in_block || goes_on ? "... " : "> ");
      if (!line) return text.empty() ? std::nullopt : std::optional(text);
      if (line->cancelled) {
        if (!editor_.is_interactive() || told_to_end()) return std::nullopt;
        show("\n");
        clear_interrupt();
        return std::string();
      }
      std::string part = line->text;
      if (in_block) {
        if (trimmed(part) == kBlock) return text;
        text += text.empty() ? part : "\n" + part;
        continue;
      }
      if (!goes_on && trimmed(part) == kBlock) {
        in_block = true;
        continue;
      }
      goes_on = part.ends_with('\\');
      if (goes_on) part.back() = '\n';
      text += part;
      if (!goes_on) return text;
    }
  }

  /// Shows an answer while it comes.
  template <class F>
  void answer(const F& say) {
    bool in_thoughts = say_.think != Think::kOff, shown = false;
    std::string tail;  // of what was shown, to see </think> in
    const auto stream = [&](std::string_view text) {
      if (interrupted()) return false;
      if (in_thoughts && shows_marks_ && !shown) show(kDim);
      shown = true;
      if (!o_.json) show(text);
      tail += text;
      if (in_thoughts && tail.find("</think>") != std::string::npos) {
        in_thoughts = false;
        if (shows_marks_) show(kPlain);
      }
      if (tail.size() > 64) tail.erase(0, tail.size() - 16);
      return !interrupted() && !lost_output_;
    };
    const Reading reading = [&](std::size_t) { return !interrupted(); };
    Chat::Reply reply;
    try {
      reply = say(stream, reading);
    } catch (...) {
      if (shown && in_thoughts && shows_marks_) show(kPlain);
      throw;
    }
    if (in_thoughts && shows_marks_) show(kPlain);
    if (o_.json) {
      show_json({{"text", reply.text},
                 {"thoughts", reply.thoughts},
                 {"end", name_of(reply.end)},
                 {"prompt_tokens", reply.prompt_tokens},
                 {"tokens", reply.tokens},
                 {"tokens_seen", chat_.session().tokens_seen()}});
    } else {
      show("\n");
    }
    if (editor_.is_interactive() && !o_.progress.quiet) {
      if (reply.end == ReplyEnd::kLength)
        note(fmt::format("(cut after {} tokens; /set max-tokens N)", reply.tokens));
      if (reply.end == ReplyEnd::kCancelled) note("(stopped)");
    }
  }

  /// Does what a command says; false to end.
  bool obey(const Typed& typed) {
    const std::string& name = typed.command;
    if (name == "/quit" || name == "/exit") return false;
    if (name == "/help") {
      show(kCommands);
    } else if (name == "/reset") {
      chat_.reset();
      said("forgotten");
    } else if (name == "/retry") {
      answer(
          [&](const auto& show, const auto& reading) { return chat_.retry(say_, show, reading); });
    } else if (name == "/system") {
      chat_.set_system(typed.text);
      said(typed.text.empty() ? "a new conversation"
                              : "a new conversation with this system message");
    } else if (name == "/think") {
      if (!typed.text.empty()) {
        const Think think = think_of(typed.text);
        question(chat_.form(), "", think);  // refuses what the form has no place for
        say_.think = think;
      }
      said("thinking: " + think_names()[static_cast<std::size_t>(say_.think)]);
    } else if (name == "/set") {
      set(typed.text);
    } else if (name == "/save") {
      chat_.save(file_of(typed));
      said("saved");
    } else if (name == "/load") {
      chat_.load(file_of(typed), o_.any_weights ? Weights::kAny : Weights::kSame);
      said("the conversation goes on from there");
    } else {
      throw Error(Code::kInvalidArgument, fmt::format("there is no command {}", one_line(name)),
                  {.hint = "/help lists them; a message that begins with / is written with //"});
    }
    return true;
  }

  static std::string file_of(const Typed& typed) {
    if (typed.text.empty())
      throw Error(Code::kInvalidArgument, typed.command + ": no file was named",
                  {.expected = typed.command + " FILE"});
    return typed.text;
  }

  void said(std::string_view what) const {
    if (editor_.is_interactive() && !o_.progress.quiet) note(fmt::format("({})", what));
  }

  void set(const std::string& text) {
    const std::size_t space = text.find_first_of(" =\t");
    const std::string name = text.substr(0, space);
    const std::string value = space == std::string::npos ? "" : trimmed(text.substr(space + 1));
    const auto number = [&]<class T>(T least, T most) {
      T n{};
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
      if (error != std::errc() || end != value.data() + value.size() || !(n >= least && n <= most))
        throw Error(Code::kInvalidArgument, fmt::format("/set {}: no value for it", one_line(name)),
                    {.expected = fmt::format("a number from {} to {}", least, most),
                     .found = one_line(value)});
      return n;
    };
    SamplingArguments change;
    constexpr int kMost = std::numeric_limits<int>::max();
    if (name == "temperature") {
      change.temperature = number(0.0, 100.0);
    } else if (name == "top-p") {
      change.top_p = number(0.0, 1.0);
    } else if (name == "top-k") {
      change.top_k = number(0, kMost);
    } else if (name == "seed") {
      change.seed = number(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max());
    } else if (name == "max-tokens") {
      say_.max_tokens = number(1, kMost);
    } else {
      throw Error(Code::kInvalidArgument, fmt::format("/set: there is no {}", one_line(name)),
                  {.expected = "temperature, top-p, top-k, seed or max-tokens, and its value"});
    }
    change_sampling(chat_.session(), change);
    if (change.seed) chat_.session().set_sampler(Sampler(chat_.session().sampler().options()));
    said(name + " is " + value);
  }

  const ChatOptions& o_;
  Chat chat_;
  SayOptions say_;
  LineEditor editor_;
  bool shows_marks_;
  int exit_code_ = kOk;
  std::exception_ptr lost_output_;
};

void run_chat(const ChatOptions& o) {
  o.model.expect_model();
  if (!o.state_in.empty() && !o.model.init_state.empty()) {
    throw Error(Code::kInvalidArgument, "two states to begin with",
                {.expected = "--state-in or --init-state",
                 .hint = "a saved session has gone on from its initial state already"});
  }
  if (!o.state_in.empty() && !o.system.empty()) {
    throw Error(Code::kInvalidArgument, "a system message comes first of all",
                {.expected = "--system or --state-in",
                 .hint = "the conversation that was saved has begun already"});
  }
  const std::optional<std::string> prompt = o.prompt.read();
  if (!o.state_out.empty()) expect_writable(o.state_out);
  catch_interrupts();
  const std::shared_ptr<Engine> engine = o.model.open();
  const ChatTemplate& form =
      chat_template(o.chat_template.empty() ? chat_template_of(*engine) : o.chat_template);
  question(form, "", think_of(o.think));  // refuses what the form has no place for

  Session session = engine->session();
  begin_sampling(session, o.sampling);
  if (!o.state_in.empty()) {
    session.load(o.state_in, o.any_weights ? Weights::kAny : Weights::kSame);
    change_sampling(session, o.sampling);
  }
  Chat chat(std::move(session), form);
  if (!o.system.empty()) chat.set_system(o.system);
  Conversation conversation(o, std::move(chat));
  if (prompt)
    conversation.say_once(*prompt);
  else
    conversation.run();
  if (!o.state_out.empty()) conversation.chat().save(o.state_out);
  conversation.end();
  if (interrupted()) throw Exit{kInterruptedExit};
}

}  // namespace

void add_chat(CLI::App& app) {
  auto o = std::make_shared<ChatOptions>();
  CLI::App* cmd = app.add_subcommand("chat", "Talk with a model");
  cmd->footer(
      "The form of the conversation (--chat-template) is chosen by the model: raven for Raven and "
      "Pile, g1 for\n"
      "G1, world for others. Lines are edited as in a shell, with a history; /help lists the "
      "commands. From a\n"
      "pipe, each line is a message. Ctrl-C stops an answer, and what came of it belongs to the "
      "conversation.\n"
      "A session file is one of 'prwkv generate', too.\n"
      "JSON, of each answer a line: text, thoughts, end (stop, length, cancelled), prompt_tokens, "
      "tokens,\n"
      "tokens_seen.");
  add_model_options(*cmd, o->model);
  add_prompt_options(*cmd, o->prompt, "One message to answer, and no more");
  cmd->add_option("--system", o->system, "What the model is told first")->type_name("TEXT");
  cmd->add_option(
         "--chat-template", o->chat_template,
         "Form of the conversation: " + fmt::format("{}", fmt::join(chat_template_names(), ", ")))
      ->check(CLI::IsMember(chat_template_names()))
      ->type_name("NAME");
  cmd->add_option("--think", o->think, "G1's thoughts: off, fake (an empty one), on, a-bit, a-lot")
      ->check(CLI::IsMember(think_names()))
      ->capture_default_str()
      ->type_name("MODE");
  cmd->add_option("-n,--max-tokens", o->max_tokens, "Most tokens of an answer")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()))
      ->capture_default_str()
      ->type_name("N");
  add_sampling_options(*cmd, o->sampling);
  const std::string state = "State";
  cmd->add_option("--state-in", o->state_in, "Go on with a saved session")
      ->type_name("FILE")
      ->group(state);
  cmd->add_option("--state-out", o->state_out, "Save the session at the end")
      ->type_name("FILE")
      ->group(state);
  cmd->add_flag("--any-weights", o->any_weights,
                "Accept a state made with other weights of the same size")
      ->group(state);
  cmd->add_flag("--no-history", o->no_history, "Keep no history of what is typed");
  cmd->add_flag("--json", o->json, "Print each answer as a JSON object");
  cmd->add_flag("-q,--quiet", o->progress.quiet, "No remarks");
  cmd->callback([o] { run_chat(*o); });
}

}  // namespace prwkv::cli
