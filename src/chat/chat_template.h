/// How conversations become texts, for training and for talking: the forms that RWKV's models were trained on.
///
///     world            User: Hi\n\nAssistant: Hello.\n\n               RWKV-4 World to 7, and the default model
///     g1               the same; answers have paragraphs, and may begin with thoughts
///     raven            Bob: Hi\n\nAlice: Hello.\n\n                    RWKV-4 Raven and Pile, behind an opening paragraph
///     raven-instruct   # Instruction:\nHi\n\n# Response:\nHello.\n\n   RWKV-4 Raven
///     qa               \nQ: Hi\nA: Hello.                              plain models
///     world-qa         Question: Hi\n\nAnswer: Hello.\n\n              World models
///     world-instruct   Instruction: Hi\n\nResponse: Hello.\n\n         World models
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace prwkv {

/// What happens to blank lines inside an answer. Inside other messages they are always removed, since
/// a blank line ends a message.
enum class BlankLines { kRemoved, kKept };

enum class Role { kSystem, kUser, kAssistant };

/// Each message is its role's name, `gap`, its text without white space at both ends, and `end`.
struct ChatTemplate {
  std::string_view name;
  std::string_view system, user, assistant;  ///< names of roles; an empty one is followed by no gap
  std::string_view gap, end;
  BlankLines in_answers = BlankLines::kRemoved;
  /// What ends an answer besides end-of-text, the first that comes; each begins with `end`, if that is not empty. Empty
  /// views are none.
  std::array<std::string_view, 2> stops;
  /// A system message for conversations that have none; empty: none is needed.
  std::string_view opening;
  /// `end` is encoded with what follows it and not with the answer: byte-pair encodings look ahead.
  bool end_belongs_to_next = false;
  bool thinks = false;  ///< Think has a meaning for these models
};

/// What a G1 model does before it answers. The forms are those of its training data: the last `>` is for the model
/// to write.
enum class Think {
  kOff,  ///< answers at once
  kFake,  ///< the same behind an empty thought, `<think>\n</think>`, which keeps longer answers to the form
  kOn,    ///< thinks: `<think`
  kABit,  ///< the same, asked for by " (think a bit)" behind the question
  kALot,  ///< " (think a lot)"
};
/// "off", "fake", "on", "a-bit", "a-lot", in the order of Think.
const std::vector<std::string>& think_names();
/// Throws Error{kInvalidArgument} for another name.
Think think_of(std::string_view name);

/// One of chat_template_names(). Throws Error{kInvalidArgument} for another name.
const ChatTemplate& chat_template(std::string_view name);
const std::vector<std::string>& chat_template_names();
/// Those whose messages can be encoded one by one, as training does: without `end_belongs_to_next`.
std::vector<std::string> chat_templates_for_training();

/// The template that a file's or folder's name speaks of, in any case: raven for "Raven" and "Pile", world for "World", g1 for
/// "G0…" and "G1…", as words; empty for none.
std::string_view chat_template_named_in(std::string_view name);

/// A text without white space at both ends.
std::string_view stripped(std::string_view text);
/// A message's text as the template wants it: without white space at both ends, carriage returns, and maybe blank lines.
std::string cleaned(std::string_view text, BlankLines blank_lines);
/// A whole message, but for the name of an assistant, which belongs to the question before it.
std::string message(const ChatTemplate& chat, Role role, std::string_view text);
/// A user's message and the beginning of its answer. Throws Error{kInvalidArgument} for thoughts that the template
/// does not have.
std::string question(const ChatTemplate& chat, std::string_view text, Think think = Think::kOff);
/// What `question` has begun the answer with: thoughts.
std::string_view beginning_of_answer(Think think);

}  // namespace prwkv
