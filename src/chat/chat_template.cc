#include "chat/chat_template.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/quote.h"

namespace prwkv {
namespace {

constexpr ChatTemplate kChatTemplates[] = {
    {.name = "world",
     .system = "System:",
     .user = "User:",
     .assistant = "Assistant:",
     .gap = " ",
     .end = "\n\n",
     .stops = {"\n\n", ""},
     .opening = ""},
    {.name = "g1",
     .system = "System:",
     .user = "User:",
     .assistant = "Assistant:",
     .gap = " ",
     .end = "\n\n",
     .in_answers = BlankLines::kKept,
     .stops = {"\n\nUser:", "\n\nSystem:"},
     .opening = "",
     .thinks = true},
    {.name = "raven",
     .system = "",
     .user = "Bob:",
     .assistant = "Alice:",
     .gap = " ",
     .end = "\n\n",
     .stops = {"\n\n", ""},
     .opening = "Alice is a friendly assistant who knows a great deal. She answers Bob's questions "
                "in detail, and "
                "says so when she does not know.",
     .end_belongs_to_next = true},
    {.name = "raven-instruct",
     .system = "",
     .user = "# Instruction:\n",
     .assistant = "# Response:\n",
     .gap = "",
     .end = "\n\n",
     .in_answers = BlankLines::kKept,
     .stops = {"\n\n#", ""},
     .opening = "",
     .end_belongs_to_next = true},
    {.name = "qa",
     .system = "",
     .user = "\nQ:",
     .assistant = "\nA:",
     .gap = " ",
     .end = "",
     .stops = {"\nQ:", "\n\n"},
     .opening = "",
     .end_belongs_to_next = true},
    {.name = "world-qa",
     .system = "",
     .user = "Question:",
     .assistant = "Answer:",
     .gap = " ",
     .end = "\n\n",
     .stops = {"\n\n", ""},
     .opening = ""},
    {.name = "world-instruct",
     .system = "",
     .user = "Instruction:",
     .assistant = "Response:",
     .gap = " ",
     .end = "\n\n",
     .stops = {"\n\n", ""},
     .opening = ""},
};

struct ThinkForm {
  std::string_view asked, begun;
};
// In the order of Think.
constexpr ThinkForm kThinkForms[] = {{"", ""},
                                     {"", "<think>\n</think"},
                                     {"", "<think"},
                                     {" (think a bit)", "<think"},
                                     {" (think a lot)", "<think"}};

const ThinkForm& form_of(Think think) { return kThinkForms[static_cast<std::size_t>(think)]; }

}  // namespace

const std::vector<std::string>& think_names() {
  static const std::vector<std::string> names = {"off", "fake", "on", "a-bit", "a-lot"};
  return names;
}

Think think_of(std::string_view name) {
  const std::vector<std::string>& names = think_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw Error(Code::kInvalidArgument, "there is no such way to think",
                {.expected = fmt::format("{}", fmt::join(names, ", ")),
                 .found = in_quotes(name),
                 .hint = {}});
  }
  return static_cast<Think>(found - names.begin());
}

const ChatTemplate& chat_template(std::string_view name) {
  for (const ChatTemplate& chat : kChatTemplates) {
    if (chat.name == name) return chat;
  }
  throw Error(Code::kInvalidArgument, "there is no such chat template",
              {.expected = fmt::format("{}", fmt::join(chat_template_names(), ", ")),
               .found = in_quotes(name),
               .hint = {}});
}

const std::vector<std::string>& chat_template_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const ChatTemplate& chat : kChatTemplates) all.emplace_back(chat.name);
    return all;
  }();
  return names;
}

std::vector<std::string> chat_templates_for_training() {
  std::vector<std::string> names;
  for (const ChatTemplate& chat : kChatTemplates) {
    if (!chat.end_belongs_to_next) names.emplace_back(chat.name);
  }
  return names;
}

std::string_view chat_template_named_in(std::string_view name) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const auto is_letter = [&](char c) { return lower(c) >= 'a' && lower(c) <= 'z'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  struct Word {
    std::string_view text, form;
    bool is_series;  // "g1", "g1a": one letter may follow
  };
  constexpr Word kWords[] = {{"raven", "raven", false},
                             {"pile", "raven", false},
                             {"world", "world", false},
                             {"g0", "g1", true},
                             {"g1", "g1", true}};
  std::string text(name);
  std::transform(text.begin(), text.end(), text.begin(), lower);
  text = " " + text + " ";
  for (const Word& word : kWords) {
    for (std::size_t at = text.find(word.text); at != std::string::npos;
         at = text.find(word.text, at + 1)) {
      std::size_t end = at + word.text.size();
      if (word.is_series && is_letter(text[end])) ++end;
      const char before = text[at - 1], after = text[end];
      if (is_letter(before) || is_letter(after)) continue;
      if (word.is_series && (is_digit(before) || is_digit(after))) continue;
      return word.form;
    }
  }
  return {};
}

std::string_view stripped(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
  const std::size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

std::string cleaned(std::string_view text, BlankLines blank_lines) {
  std::string clean;
  text = stripped(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\r\n") continue;
    if (text[i] == '\n' && blank_lines == BlankLines::kRemoved && clean.ends_with('\n')) continue;
    clean += text[i];
  }
  return clean;
}

std::string message(const ChatTemplate& chat, Role role, std::string_view text) {
  const bool is_answer = role == Role::kAssistant;
  const std::string clean = cleaned(text, is_answer ? chat.in_answers : BlankLines::kRemoved);
  const std::string_view name = role == Role::kSystem ? chat.system : chat.user;
  std::string whole(is_answer ? "" : name);
  if (!clean.empty() && (is_answer || !name.empty())) whole += chat.gap;
  return whole + clean + std::string(chat.end);
}

std::string question(const ChatTemplate& chat, std::string_view text, Think think) {
  if (think != Think::kOff && !chat.thinks) {
    throw Error(Code::kInvalidArgument,
                fmt::format("the chat template {} has no thoughts", chat.name),
                {.expected = "g1, or no thinking",
                 .found = think_names()[static_cast<std::size_t>(think)],
                 .hint = {}});
  }
  std::string asked(text);
  if (const std::string_view how = form_of(think).asked; !how.empty())
    asked = cleaned(text, BlankLines::kRemoved) + std::string(how);
  std::string whole = message(chat, Role::kUser, asked) + std::string(chat.assistant);
  if (const std::string_view begun = form_of(think).begun; !begun.empty())
    whole += std::string(chat.gap) + std::string(begun);
  return whole;
}

std::string_view beginning_of_answer(Think think) { return form_of(think).begun; }

}  // namespace prwkv
