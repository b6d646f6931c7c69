#include "train/records.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/quote.h"

namespace prwkv {
namespace {

struct RoleName {
  std::string_view in_record;
  Role role;
};
constexpr RoleName kRoleNames[] = {
    {"system", Role::kSystem},       {"user", Role::kUser},     {"human", Role::kUser},
    {"assistant", Role::kAssistant}, {"gpt", Role::kAssistant}, {"bot", Role::kAssistant},
    {"model", Role::kAssistant},
};

/// Keys of a question, of what may be added to it, and of its answer.
struct QuestionKeys {
  const char *question, *addition;  ///< no addition: null
  std::array<const char*, 2> answers;
};
constexpr QuestionKeys kQuestionKeys[] = {
    {"instruction", "input", {"output", "response"}},
    {"prompt", nullptr, {"completion", "response"}},
    {"question", nullptr, {"answer", "answer"}},
};
constexpr const char* kKnownKeys =
    R"("text", "messages", "conversations", "instruction" and "output", "prompt" and "completion", )"
    R"(or "question" and "answer")";

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
constexpr std::size_t kPieceBytes = std::size_t{1} << 20, kSearchedBytes = std::size_t{1} << 16;

/// How files begin that would make poor texts.
constexpr std::pair<std::string_view, std::string_view> kPackedFiles[] = {
    {"\x1f\x8b", "gzip"},
    {"\x28\xb5\x2f\xfd", "Zstandard"},
    {"\xfd"
     "7zXZ",
     "xz"},
    {"BZh", "bzip2"},
    {"PK\x03\x04", "zip"},
    {"PAR1", "Parquet"},
};

/// Puts passages together, neighbours of the same kind to one.
class Conversation {
 public:
  explicit Conversation(const ChatTemplate& chat) : chat_(chat) {}

  void add(Role role, std::string_view text) {
    const bool answer = role == Role::kAssistant;
    // The gap belongs to the answer: a prompt ends with "Assistant:", and a model says " word".
    if (answer) append(chat_.assistant, Loss::kLeftOut);
    append(message(chat_, role, text), answer ? Loss::kCounted : Loss::kLeftOut);
  }
  std::vector<Passage> take() { return std::move(passages_); }

 private:
  void append(std::string_view text, Loss loss) {
    if (passages_.empty() || passages_.back().loss != loss) passages_.push_back({"", loss});
    passages_.back().text += text;
  }

  const ChatTemplate& chat_;
  std::vector<Passage> passages_;
};

/// A record with its place, for messages.
struct RecordReader {
  const Json& record;
  std::string_view where;
  const ChatTemplate& chat;

  [[noreturn]] void refuse(std::string_view what, std::string expected, std::string found,
                           std::string hint = {}) const {
    throw Error(
        Code::kFormat, fmt::format("{}: {}", where, what),
        {.expected = std::move(expected), .found = std::move(found), .hint = std::move(hint)});
  }

  [[nodiscard]] const std::string& text_of(const Json& value, std::string_view what) const {
    if (!value.is_string())
      refuse(fmt::format("{} is no text", what), "a string", value.type_name());
    return value.get_ref<const std::string&>();
  }
  [[nodiscard]] const std::string& text_of(const char* key) const {
    return text_of(record.at(key), fmt::format("\"{}\"", key));
  }
  /// Empty also for a key that is missing or null.
  [[nodiscard]] std::string optional_text_of(const char* key) const {
    return !record.contains(key) || record.at(key).is_null() ? std::string() : text_of(key);
  }

  [[nodiscard]] std::vector<Passage> passages() const {
    if (!record.is_object()) {
      refuse("is no JSON object", R"(one object a line, e.g. {"text": "..."})", record.type_name(),
             record.is_array() ? "write one record a line: jq -c '.[]' FILE" : "");
    }
    if (record.contains("text")) return {{text_of("text"), Loss::kCounted}};
    Conversation conversation(chat);
    if (const std::string system = optional_text_of("system"); !system.empty())
      conversation.add(Role::kSystem, system);
    for (const char* key : {"messages", "conversations"}) {
      if (!record.contains(key)) continue;
      add_messages(conversation, key);
      return conversation.take();
    }
    for (const QuestionKeys& keys : kQuestionKeys) {
      if (!record.contains(keys.question)) continue;
      for (const char* answer : keys.answers) {
        if (!record.contains(answer)) continue;
        add_question(conversation, keys, answer);
        return conversation.take();
      }
    }
    std::string found;
    for (const auto& [key, value] : record.items()) {
      if (found.size() > 200) {
        found += ", ...";
        break;
      }
      found += (found.empty() ? "" : ", ") + in_double_quotes(key);
    }
    refuse("has no key that says what it is", kKnownKeys,
           found.empty() ? "an empty object" : std::move(found));
  }

  void add_messages(Conversation& conversation, const char* key) const {
    const Json& messages = record.at(key);
    if (!messages.is_array())
      refuse(fmt::format("\"{}\" is no list", key), "a list of messages", messages.type_name());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Json& message = messages[i];
      const std::string what = fmt::format("message {}", i + 1);
      const auto member = [&](const char* first, const char* second) -> const std::string& {
        if (message.is_object()) {
          for (const char* name : {first, second}) {
            if (message.contains(name))
              return text_of(message.at(name), fmt::format("\"{}\" of {}", name, what));
          }
        }
        refuse(fmt::format("{} has no \"{}\"", what, first),
               R"({"role": ..., "content": ...} or {"from": ..., "value": ...})",
               message.type_name());
      };
      const std::string& name = member("role", "from");
      const auto* const role = std::find_if(std::begin(kRoleNames), std::end(kRoleNames),
                                            [&](const auto& r) { return r.in_record == name; });
      if (role == std::end(kRoleNames)) {
        std::string known;
        for (const RoleName& r : kRoleNames)
          known += fmt::format("{}{}", known.empty() ? "" : ", ", r.in_record);
        refuse(what + " has an unknown role", known, in_quotes(name));
      }
      conversation.add(role->role, member("content", "value"));
    }
  }

  void add_question(Conversation& conversation, const QuestionKeys& keys,
                    const char* answer) const {
    std::string question = text_of(keys.question);
    if (keys.addition != nullptr) {
      if (const std::string more = optional_text_of(keys.addition); !more.empty())
        question += "\n" + more;
    }
    conversation.add(Role::kUser, question);
    conversation.add(Role::kAssistant, text_of(answer));
  }
};

bool holds_records(std::string_view path) {
  return path.ends_with(".jsonl") || path.ends_with(".ndjson") || path.ends_with(".json");
}

bool is_newline(char c) { return c == '\n' || c == '\r'; }

/// Where to cut a text of more than kPieceBytes: behind the newline of a line that is not blank, and
/// before a line that does not begin with white space, so that whatever a tokenizer takes together
/// stays together. Without such a place, anywhere between two characters.
std::size_t cut_of(std::string_view text) {
  const std::size_t last = std::min(text.size(), kPieceBytes + kSearchedBytes);
  for (std::size_t i = kPieceBytes; i < last; ++i) {
    if (text[i - 1] != '\n' || kWhiteSpace.find(text[i]) != std::string_view::npos) continue;
    const std::size_t line_end = i - (text[i - 2] == '\r' ? 2 : 1);
    if (!is_newline(text[line_end - 1])) return i;
  }
  std::size_t cut = kPieceBytes;
  const auto continues = [&](std::size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xc0u) == 0x80u;
  };
  for (int i = 0; i < 3 && continues(cut); ++i) --cut;
  return cut;
}

}  // namespace

std::vector<Passage> read_record(std::string_view line, std::string_view where,
                                 const ChatTemplate& chat) {
  const Json record = parse_json(line, where);
  return RecordReader{record, where, chat}.passages();
}

TextSource::TextSource(MappedFile file)
    : file_(std::move(file)), records_(holds_records(file_.path())) {
  const std::string_view text = file_.text();
  for (const auto& [magic, name] : kPackedFiles) {
    if (!text.starts_with(magic)) continue;
    throw Error(Code::kUnsupported, file_.path() + ": is no text",
                {.expected = "text or JSON Lines",
                 .found = fmt::format("a file that begins as {} does", name),
                 .hint = "unpack or convert it first"});
  }
  if (text.starts_with(kByteOrderMark)) position_ = kByteOrderMark.size();
}

std::optional<TextPiece> TextSource::next() { return records_ ? next_record() : next_text(); }

std::optional<TextPiece> TextSource::next_record() {
  const std::string_view text = file_.text();
  while (position_ < text.size()) {
    const std::size_t end = std::min(text.find('\n', position_), text.size());
    const std::string_view line = text.substr(position_, end - position_);
    ++line_;
    if (line.size() > kMaxRecordBytes) {
      throw Error(Code::kFormat, fmt::format("{}:{}: the line is too long", file_.path(), line_),
                  {.expected = fmt::format("at most {} bytes", kMaxRecordBytes),
                   .found = fmt::format("{} bytes", line.size()),
                   .hint = "does the file hold one record a line?"});
    }
    position_ = std::min(end + 1, text.size());
    if (const std::string_view record = stripped(line); !record.empty())
      return TextPiece{record, line_, true};
  }
  return std::nullopt;
}

std::optional<TextPiece> TextSource::next_text() {
  const std::string_view rest = file_.text().substr(position_);
  if (rest.empty()) return std::nullopt;
  const std::size_t size = rest.size() > kPieceBytes ? cut_of(rest) : rest.size();
  position_ += size;
  return TextPiece{rest.substr(0, size), 0, size == rest.size()};
}

TokenPiece encode(const TextPiece& piece, std::string_view path, const ChatTemplate& chat,
                  const Tokenizer& tokenizer) {
  TokenPiece out{.ids = {}, .counted = {}, .ends_document = piece.ends_document};
  std::uint8_t counts = 1;
  const auto append = [&](std::string_view text, Loss loss) {
    const std::vector<std::int32_t> ids = tokenizer.encode(text, false);
    counts = loss == Loss::kCounted ? 1 : 0;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.counted.insert(out.counted.end(), ids.size(), counts);
  };
  if (piece.line == 0) {
    append(piece.text, Loss::kCounted);
  } else {
    const std::string where = fmt::format("{}:{}", path, piece.line);
    for (const Passage& p : read_record(piece.text, where, chat)) append(p.text, p.loss);
  }
  if (piece.ends_document && !out.ids.empty()) {
    out.ids.push_back(tokenizer.end_of_text());
    out.counted.push_back(counts);  // part of what ends an answer
  }
  return out;
}

}  // namespace prwkv
