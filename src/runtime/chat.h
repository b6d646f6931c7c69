/// A conversation with a model: what was said is in the state, and nowhere else.
///
///     Chat chat(engine->session(), chat_template("world"));
///     const Chat::Reply reply = chat.say("Hello", {}, [](std::string_view text) { std::cout << text; return true; });
///
/// After every reply the session stands exactly behind the text of the answer as the template wants it: what a model wrote
/// beyond it, e.g. half of the next question, is taken back, also inside a token.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "chat/chat_template.h"
#include "runtime/engine.h"

namespace prwkv {

enum class ReplyEnd {
  kStop,      ///< a stop text, or end-of-text
  kLength,    ///< as many tokens as were asked for
  kCancelled  ///< a callback said so; what had come belongs to the conversation
};
std::string_view name_of(ReplyEnd end);  ///< "stop", "length", "cancelled"

struct SayOptions {
  int max_tokens = 1024;
  Think think = Think::kOff;
};

class Chat {
 public:
  /// The session may have gone on from somewhere: then the conversation goes on, and there is no opening.
  Chat(Session session, const ChatTemplate& chat) : session_(std::move(session)), chat_(&chat) {
    begin();
  }

  struct Reply {
    std::string text;      ///< without the thoughts, and without white space at both ends
    std::string thoughts;  ///< between <think> and </think>
    ReplyEnd end = ReplyEnd::kStop;
    std::size_t prompt_tokens = 0, tokens = 0;
    double prompt_seconds = 0, seconds = 0;
  };
  /// Text that comes, complete characters only; thoughts with their marks, too. Return false to stop.
  using TextCallback = std::function<bool(std::string_view text)>;

  /// Reads a message and answers it. `keep_reading` as for Session::feed: if it stops, the conversation is as it was before,
  /// and Error{kCancelled} is thrown.
  Reply say(std::string_view text, const SayOptions& options, const TextCallback& callback = {},
            const std::function<bool(std::size_t)>& keep_reading = {});
  /// Another answer to the last message, with the random numbers that come next. Throws Error{kInvalidArgument}
  /// if nothing was said yet.
  Reply retry(const SayOptions& options, const TextCallback& callback = {},
              const std::function<bool(std::size_t)>& keep_reading = {});

  /// Forgets everything but sampler and system message.
  void reset();
  /// Forgets everything, and sets what is said first; empty: the template's opening.
  void set_system(std::string_view text);
  [[nodiscard]] const std::string& system() const { return system_; }

  /// Session::save and load: a file of one is a file of the other. Nothing can be retried behind `load`.
  void save(const std::string& path) const { session_.save(path); }
  void load(const std::string& path, Weights weights = Weights::kSame);

  [[nodiscard]] const ChatTemplate& form() const { return *chat_; }
  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] Session& session() { return session_; }
  [[nodiscard]] bool can_retry() const { return before_.has_value(); }

 private:
  /// What stands between the state and the next message.
  void begin();
  /// An earlier point of this session, whose sampling goes on as it is now.
  [[nodiscard]] Session back_at(const Session& point);
  /// Puts the session behind `answer` of the bytes that were generated, and the message's end.
  void settle(const Session& start, const std::string& written,
              const std::vector<std::int32_t>& ids, std::size_t answer);

  Session session_;
  const ChatTemplate* chat_;
  std::string system_;
  std::string pending_;            // to be read before the next message
  std::optional<Session> before_;  // where the last message was said
  std::string before_pending_, last_;
};

/// The template of an engine's model: what the name of its file says, or of its folder; else raven with the vocabulary of
/// GPT-NeoX, and world with others.
std::string chat_template_of(const Engine& engine);

/// A whole answer taken apart at the first </think>. `begun`: what the prompt began it with (beginning_of_answer).
struct Thought {
  std::string thoughts, text;
};
Thought split_thoughts(std::string_view begun, std::string_view answer);

}  // namespace prwkv
