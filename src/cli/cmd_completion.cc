#include <fmt/ranges.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/help.h"

namespace prwkv::cli {
namespace {

enum class Takes { kNothing, kFile, kChoice, kOther };

/// One option or positional as a shell needs to know it.
struct Argument {
  std::vector<std::string> names;  ///< "-p", "--prompt"; empty for a positional
  std::string help;
  Takes takes = Takes::kNothing;
  std::vector<std::string> choices;
};

struct Command {
  std::vector<std::string> path;  ///< {"prwkv", "state", "make"}
  std::string help;
  std::vector<Argument> options, positionals;
  std::vector<Command> commands;
};

Command describe(const CLI::App& app, std::vector<std::string> path) {
  path.push_back(app.get_name());
  Command c{.path = path,
            .help = app.get_description(),
            .options = {},
            .positionals = {},
            .commands = {}};
  for (const CLI::Option* option : app.get_options()) {
    Argument a{.names = {}, .help = option->get_description(), .choices = {}};
    for (const std::string& name : option->get_snames()) a.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) a.names.push_back("--" + name);
    const std::string type = type_of(*option);
    a.choices = choices_of(*option);
    if (option->get_items_expected_max() > 0) {
      a.takes = !a.choices.empty()                                   ? Takes::kChoice
                : type == "FILE" || type == "OUT" || type == "VOCAB" ? Takes::kFile
                                                                     : Takes::kOther;
    }
    (a.names.empty() ? c.positionals : c.options).push_back(std::move(a));
  }
  for (const CLI::App* sub : app.get_subcommands(nullptr))
    c.commands.push_back(describe(*sub, path));
  return c;
}

template <class F>
void for_each_command(const Command& c, const F& f) {
  f(c);
  for (const Command& sub : c.commands) for_each_command(sub, f);
}

std::string single_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? R"('\'')" : std::string(1, c);
  return out + "'";
}

bool positional_is_file(const Command& c) {
  return std::any_of(c.positionals.begin(), c.positionals.end(),
                     [](const Argument& a) { return a.takes == Takes::kFile; });
}

std::vector<std::string> positional_choices(const Command& c) {
  std::vector<std::string> all;
  for (const Argument& a : c.positionals) all.insert(all.end(), a.choices.begin(), a.choices.end());
  return all;
}

std::string bash_script(const Command& root) {
  std::vector<std::string> paths;
  std::string cases;
  for_each_command(root, [&](const Command& c) {
    const std::string path = fmt::format("{}", fmt::join(c.path, " "));
    if (c.path.size() > 1) paths.push_back(single_quoted(path));
    std::vector<std::string> words = positional_choices(c);
    for (const Command& sub : c.commands) words.push_back(sub.path.back());
    cases += fmt::format("    {})\n      case \"$previous\" in\n", single_quoted(path));
    for (const Argument& a : c.options) {
      words.insert(words.end(), a.names.begin(), a.names.end());
      const std::string names = fmt::format("{}", fmt::join(a.names, "|"));
      if (a.takes == Takes::kFile) cases += fmt::format("        {}) files=1 ;;\n", names);
      if (a.takes == Takes::kChoice)
        cases += fmt::format("        {}) words='{}' ;;\n", names, fmt::join(a.choices, " "));
      if (a.takes == Takes::kOther) cases += fmt::format("        {}) ;;\n", names);
    }
    cases += fmt::format("        *) words='{}'{} ;;\n      esac ;;\n", fmt::join(words, " "),
                         positional_is_file(c) ? " files=1" : "");
  });
  return fmt::format(
      R"(# bash completion for prwkv, made by 'prwkv completion bash'. To use it in this shell:
#   source <(prwkv completion bash)
_prwkv() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} path=prwkv words='' files='' word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$path $word" in
      {}) path="$path $word" ;;
    esac
  done
  case "$path" in
{}  esac
  COMPREPLY=()
  [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ -n $files && $current != -* ]]; then
    local found
    mapfile -t found < <(compgen -f -- "$current")
    COMPREPLY+=("${{found[@]}}")
    compopt -o filenames 2>/dev/null
  fi
}}
complete -F _prwkv prwkv
)",
      fmt::join(paths, "|"), cases);
}

/// Text inside an _arguments specification, which gives meaning to brackets and colons.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const Argument& a) {
  if (a.takes == Takes::kFile) return "_files";
  if (a.takes == Takes::kChoice) return fmt::format("({})", fmt::join(a.choices, " "));
  return " ";
}

std::string zsh_function(const Command& c) { return fmt::format("_{}", fmt::join(c.path, "_")); }

std::string zsh_script(const Command& root) {
  std::string functions;
  for_each_command(root, [&](const Command& c) {
    functions += fmt::format("{}() {{\n", zsh_function(c));
    std::string specs;
    for (const Argument& a : c.options) {
      for (const std::string& name : a.names) {
        const std::string others =
            a.names.size() > 1 ? fmt::format("({})", fmt::join(a.names, " ")) : "";
        const std::string value =
            a.takes == Takes::kNothing ? "" : fmt::format(":value:{}", zsh_action(a));
        specs += " \\\n    " +
                 single_quoted(fmt::format("{}{}[{}]{}", others, name, zsh_text(a.help), value));
      }
    }
    if (c.commands.empty()) {
      const std::vector<std::string> choices = positional_choices(c);
      if (positional_is_file(c))
        specs += " \\\n    '*:file:_files'";
      else if (!choices.empty())
        specs += fmt::format(" \\\n    '*:value:({})'", fmt::join(choices, " "));
      functions += fmt::format("  _arguments{}\n}}\n", specs);
      return;
    }
    functions += fmt::format(
        "  local curcontext=\"$curcontext\" state line\n  _arguments -C{} \\\n    '1: :->command' "
        "'*:: :->arguments'\n"
        "  case $state in\n    command)\n      local -a commands=(\n",
        specs);
    for (const Command& sub : c.commands) {
      functions +=
          fmt::format("        {}\n", single_quoted(sub.path.back() + ":" + zsh_text(sub.help)));
    }
    functions +=
        "      )\n      _describe command commands ;;\n    arguments)\n      case $line[1] in\n";
    for (const Command& sub : c.commands)
      functions += fmt::format("        {}) {} ;;\n", sub.path.back(), zsh_function(sub));
    functions += "      esac ;;\n  esac\n}\n";
  });
  return fmt::format(
      "#compdef prwkv\n# zsh completion for prwkv, made by 'prwkv completion zsh'. To use it in "
      "this shell, after compinit:\n"
      "#   source <(prwkv completion zsh)\n"
      "{}if [[ ${{funcstack[1]}} == _prwkv ]]; then\n  _prwkv \"$@\"\nelse\n  compdef _prwkv "
      "prwkv\nfi\n",
      functions);
}

std::string fish_script(const Command& root) {
  std::string script =
      "# fish completion for prwkv, made by 'prwkv completion fish'. To use it in this shell:\n"
      "#   prwkv completion fish | source\n"
      "complete -c prwkv -f\n";
  for_each_command(root, [&](const Command& c) {
    std::string when;
    for (std::size_t i = 1; i < c.path.size(); ++i) {
      when +=
          fmt::format("{}__fish_seen_subcommand_from {}", when.empty() ? "" : "; and ", c.path[i]);
    }
    if (!c.commands.empty()) {
      std::vector<std::string> names;
      for (const Command& sub : c.commands) names.push_back(sub.path.back());
      when += fmt::format("{}not __fish_seen_subcommand_from {}", when.empty() ? "" : "; and ",
                          fmt::join(names, " "));
    }
    const std::string begin = fmt::format("complete -c prwkv -n {}", single_quoted(when));
    for (const Command& sub : c.commands) {
      script += fmt::format("{} -a {} -d {}\n", begin, sub.path.back(), single_quoted(sub.help));
    }
    for (const Argument& a : c.options) {
      script += begin;
      for (const std::string& name : a.names) {
        script += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (a.takes == Takes::kFile) script += " -r -F";
      if (a.takes == Takes::kChoice)
        script += fmt::format(" -x -a '{}'", fmt::join(a.choices, " "));
      if (a.takes == Takes::kOther) script += " -x";
      script += fmt::format(" -d {}\n", single_quoted(a.help));
    }
    if (positional_is_file(c)) script += begin + " -F\n";
    if (const auto choices = positional_choices(c); !choices.empty()) {
      script += fmt::format("{} -a '{}'\n", begin, fmt::join(choices, " "));
    }
  });
  return script;
}

}  // namespace

void add_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  CLI::App* cmd = app.add_subcommand("completion", "Print a completion script for a shell");
  cmd->footer(
      "  bash  echo 'source <(prwkv completion bash)' >> ~/.bashrc\n"
      "  zsh   echo 'source <(prwkv completion zsh)' >> ~/.zshrc      (after compinit)\n"
      "  fish  prwkv completion fish > ~/.config/fish/completions/prwkv.fish");
  cmd->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
  cmd->callback([shell, &app] {
    const Command root = describe(app, {});
    print(*shell == "bash"  ? bash_script(root)
          : *shell == "zsh" ? zsh_script(root)
                            : fish_script(root));
  });
}

}  // namespace prwkv::cli
