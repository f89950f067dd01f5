// The reference as a page: docs/cli.md.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "reference/reference.h"

namespace lathe::app {
namespace {

/// Longer lists of names than this are left to the option's description.
constexpr std::size_t kMostChoices = 13;

/// `text` as it reads in a table's cell.
std::string cell(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*') {
      result += '\\';
    }
    result += c;
  }
  return result;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

/// The section's name in a link.
std::string anchor(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string value_cell(const OptionReference& option) {
  if (!option.choices.empty() && option.choices.size() <= kMostChoices) {
    return fmt::format("`{}`", fmt::join(option.choices, "`, `"));
  }
  return cell(option.value) + (option.several ? " ..." : "");
}

std::string meaning_cell(const OptionReference& option) {
  return cell(option.description) + (option.rule.empty() ? "" : " (" + cell(option.rule) + ")");
}

std::string options_table(const CommandReference& command) {
  std::string text = "| Option | Value | Default | Meaning |\n|---|---|---|---|\n";
  for (const OptionReference& option : command.options) {
    text += fmt::format(
        "| `{}` | {} | {} | {} |\n", fmt::join(option.spellings, "`, `"), value_cell(option),
        option.required ? "required" : code(option.default_text), meaning_cell(option));
  }
  return text;
}

std::string section(const CommandReference& command) {
  std::string text = fmt::format("## {}\n\n{}.\n\n", command.name, cell(command.description));
  if (!command.commands.empty()) {
    text += "One of these is to follow:\n\n";
    for (const CommandReference& below : command.commands) {
      text +=
          fmt::format("- [{}](#{}): {}\n", below.name, anchor(below.name), cell(below.description));
    }
    text += "\n";
  }
  return text + options_table(command) + "\n";
}

}  // namespace

std::string markdown_reference(const CommandReference& program) {
  std::string text =
      "# The command line\n\n"
      "Every command with every option, as the program has them; `lathe reference` writes this\n"
      "page. `--config` may follow any command; the file it names has options under their command\n"
      "in brackets, without dashes, and what the command line says comes first. Exit codes: 0 "
      "done,\n"
      "1 failed, 2 the command line was wrong.\n\n";
  for (const CommandReference* command : all_commands(program)) {
    text += section(*command);
  }
  text.pop_back();  // one line's end is enough
  return text;
}

}  // namespace lathe::app
