#include "runtime/chat.h"

#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "chat/stop_texts.h"

namespace prwkv {
namespace {

constexpr std::string_view kThinkBegin = "<think>", kThinkEnd = "</think>";

std::vector<std::string> stops_of(const ChatTemplate& chat) {
  std::vector<std::string> stops;
  for (const std::string_view stop : chat.stops) stops.emplace_back(stop);
  return stops;
}

}  // namespace

std::string chat_template_of(const Engine& engine) {
  std::error_code ignored;
  const std::filesystem::path path =
      std::filesystem::absolute(engine.info().path, ignored).lexically_normal();
  for (const std::filesystem::path& name : {path.filename(), path.parent_path().filename()}) {
    const std::string_view form = chat_template_named_in(name.string());
    if (!form.empty()) return std::string(form);
  }
  return engine.tokenizer().name() == "neox" ? "raven" : "world";
}

std::string_view name_of(ReplyEnd end) {
  switch (end) {
    case ReplyEnd::kStop: return "stop";
    case ReplyEnd::kLength: return "length";
    case ReplyEnd::kCancelled: break;
  }
  return "cancelled";
}

Thought split_thoughts(std::string_view begun, std::string_view answer) {
  const std::string whole = std::string(begun) + std::string(answer);
  const std::string_view text = whole;
  const std::size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos || !text.substr(first).starts_with(kThinkBegin))
    return {"", cleaned(text, BlankLines::kKept)};
  const std::string_view rest = text.substr(first + kThinkBegin.size());
  const std::size_t end = rest.find(kThinkEnd);
  if (end == std::string_view::npos) return {cleaned(rest, BlankLines::kKept), ""};
  return {cleaned(rest.substr(0, end), BlankLines::kKept),
          cleaned(rest.substr(end + kThinkEnd.size()), BlankLines::kKept)};
}

void Chat::begin() {
  before_.reset();
  last_.clear();
  pending_.clear();
  if (session_.tokens_seen() > 0) {
    if (chat_->end_belongs_to_next) pending_ = chat_->end;
    return;
  }
  const std::string_view first = system_.empty() ? chat_->opening : std::string_view(system_);
  if (!first.empty()) pending_ = message(*chat_, Role::kSystem, first);
}

void Chat::reset() {
  session_.reset();
  begin();
}

void Chat::set_system(std::string_view text) {
  system_ = text;
  reset();
}

void Chat::load(const std::string& path, Weights weights) {
  session_.load(path, weights);
  begin();
}

Session Chat::back_at(const Session& point) {
  Session again = point.fork();
  Sampler sampler(session_.sampler().options());
  sampler.continue_random(session_.sampler());
  again.set_sampler(std::move(sampler));
  return again;
}

Chat::Reply Chat::retry(const SayOptions& options, const TextCallback& callback,
                        const std::function<bool(std::size_t)>& keep_reading) {
  if (!before_) {
    throw Error(Code::kInvalidArgument, "nothing was said yet that could be answered again",
                {.hint = "a conversation that was loaded begins with its next message"});
  }
  // If it is not read to the end, the answer that there was stays.
  Session answered = std::exchange(session_, back_at(*before_));
  const std::string behind = std::exchange(pending_, before_pending_);
  try {
    return say(std::string(last_), options, callback, keep_reading);
  } catch (...) {
    session_ = std::move(answered);
    pending_ = behind;
    throw;
  }
}

Chat::Reply Chat::say(std::string_view text, const SayOptions& options,
                      const TextCallback& callback,
                      const std::function<bool(std::size_t)>& keep_reading) {
  const Tokenizer& tokenizer = session_.engine().tokenizer();
  const std::string asked = question(*chat_, text, options.think);
  const std::vector<std::int32_t> prompt = tokenizer.encode(pending_ + asked);
  Session before = session_.fork();
  Reply reply;
  const Stopwatch reading;
  try {
    session_.feed(prompt, keep_reading);
  } catch (...) {
    session_ = std::move(before);
    throw;
  }
  reply.prompt_seconds = reading.seconds();
  reply.prompt_tokens = prompt.size();
  before_ = std::move(before);
  before_pending_ = std::exchange(pending_, {});
  last_ = text;

  // Bytes, since tokens and stop texts may cut characters.
  const Session start = session_.fork();
  StopTexts stops(stops_of(*chat_));
  StreamDecoder characters;
  std::string written;
  bool has_shown = false;
  std::vector<std::int32_t> ids;
  bool cancelled = false;
  const auto show = [&](const std::string& bytes) {
    std::string ready = characters.push(bytes);
    if (!has_shown && options.think == Think::kOff && !ready.empty()) {
      // The space behind "Assistant:".
      ready.erase(0, ready.find_first_not_of(' '));
    }
    if (ready.empty()) return true;
    has_shown = true;
    return !callback || callback(ready);
  };
  const Stopwatch writing;
  if (callback && options.think != Think::kOff && !callback(beginning_of_answer(options.think)))
    cancelled = true;
  if (!cancelled) {
    const Generated out =
        session_.generate({.max_tokens = options.max_tokens}, [&](const Piece& piece) {
          const std::string_view bytes = tokenizer.token_bytes(piece.id);
          ids.push_back(piece.id);
          written += bytes;
          cancelled = !show(stops.push(bytes));
          return !cancelled && stops.found().empty();
        });
    if (out.stop == StopReason::kLength) reply.end = ReplyEnd::kLength;
  }
  if (cancelled) reply.end = ReplyEnd::kCancelled;
  reply.seconds = writing.seconds();
  reply.tokens = ids.size();
  if (const std::string rest = stops.finish(); !cancelled) {
    show(rest);
    if (const std::string cut = characters.flush(); !cut.empty() && callback) callback(cut);
  }
  const std::size_t answer = stops.found().empty() ? written.size() : stops.released();
  settle(start, written, ids, answer);

  StreamDecoder whole;
  std::string decoded = whole.push(std::string_view(written).substr(0, answer));
  decoded += whole.flush();
  const Thought thought = split_thoughts(beginning_of_answer(options.think), decoded);
  reply.text = thought.text;
  reply.thoughts = thought.thoughts;
  return reply;
}

void Chat::settle(const Session& start, const std::string& written,
                  const std::vector<std::int32_t>& ids, std::size_t answer) {
  const Tokenizer& tokenizer = session_.engine().tokenizer();
  // An answer that was cut may end with line breaks: these go.
  if (answer == written.size()) {
    while (answer > 0 && written[answer - 1] == '\n') --answer;
  }
  std::string wanted = written.substr(0, answer);
  if (chat_->end_belongs_to_next)
    pending_ = chat_->end;
  else
    wanted += chat_->end;
  if (wanted == written) return;
  // As many of the tokens as end where the wanted text does or before.
  std::size_t kept = 0, length = 0;
  while (kept < ids.size()) {
    const std::string_view bytes = tokenizer.token_bytes(ids[kept]);
    if (wanted.compare(length, bytes.size(), bytes) != 0 || length + bytes.size() > wanted.size())
      break;
    length += bytes.size();
    ++kept;
  }
  if (kept < ids.size()) {
    session_ = back_at(start);
    if (kept > 0) session_.feed(std::span(ids).first(kept));
  }
  session_.drop_pending_text();
  if (length < wanted.size()) session_.feed(tokenizer.encode(wanted.substr(length)));
}

}  // namespace prwkv
