/// How `--help` looks: names and types on the left, wrapped descriptions with choices and defaults on
/// the right.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace prwkv::cli {

class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

/// Broken between words into lines of at most so many columns.
std::string wrapped(const std::string& text, std::size_t columns);

/// The values an option can have, from its validator: "NAME:{cpu,ref}" -> cpu, ref.
std::vector<std::string> choices_of(const CLI::Option& option);
/// "NAME" of the same.
std::string type_of(const CLI::Option& option);

}  // namespace prwkv::cli
