#include "cli/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace prwkv::cli {
namespace {

constexpr std::size_t kLeft = 28, kRight = 70;  // columns

}  // namespace

std::string wrapped(const std::string& text, std::size_t columns) {
  std::string out;
  std::size_t used = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (used > 0 && used + 1 + end - at > columns) {
      out += '\n';  // the formatter indents what follows
      used = 0;
    }
    if (used > 0) out += ' ';
    out.append(text, at, end - at);
    used += (used > 0 ? 1 : 0) + end - at;
    at = end + 1;
  }
  return out;
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t begin = type.find('{'), end = type.find('}');
  if (begin == type.npos || end == type.npos) return {};
  return CLI::detail::split(type.substr(begin + 1, end - begin - 1), ',');
}

std::string type_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

HelpFormatter::HelpFormatter() { column_width(kLeft); }

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
  for (std::size_t at = 0; (at = help.find("\n\n\n", at)) != help.npos;) help.erase(at, 1);
  return help;
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (!option->nonpositional() || option->get_items_expected_max() == 0) return "";
  return " " + type_of(*option);
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  std::string text = option->get_description();
  const std::vector<std::string> choices = choices_of(*option);
  if (option->nonpositional() && !choices.empty())
    text += fmt::format(" ({})", fmt::join(choices, "|"));
  if (!option->get_default_str().empty()) text += fmt::format(" [{}]", option->get_default_str());
  return wrapped(text, kRight);
}

}  // namespace prwkv::cli
