// The reference as manual pages.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "reference/reference.h"

namespace lathe::app {
namespace {

/// `text` without anything that roff would take for its own.
std::string roff(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '\\':
        result += "\\e";
        break;
      case '-':
        result += "\\-";
        break;
      case '\'':
        result += "\\(aq";
        break;
      case '`':
        result += "\\(ga";
        break;
      case '^':
        result += "\\(ha";
        break;
      case '~':
        result += "\\(ti";
        break;
      default:
        result += c;
    }
  }
  return result.starts_with(".") ? "\\&" + result : result;
}

std::string option_entry(const OptionReference& option) {
  std::string names;
  for (const std::string& spelling : option.spellings) {
    names += (names.empty() ? "" : ", ") + fmt::format("\\fB{}\\fR", roff(spelling));
  }
  std::string text = ".TP\n" + names;
  if (!option.value.empty()) {
    text += fmt::format(" \\fI{}\\fR{}", roff(option.value), option.several ? " ..." : "");
  }
  text += "\n" + roff(option.description) + ".\n";
  if (!option.choices.empty()) {
    text += roff(fmt::format("One of: {}.", fmt::join(option.choices, ", "))) + "\n";
  }
  if (option.required) {
    text += "Required.\n";
  } else if (!option.default_text.empty()) {
    text += roff("Default: " + option.default_text + ".") + "\n";
  }
  return option.rule.empty() ? text : text + roff("(" + option.rule + ")") + "\n";
}

std::string synopsis(const CommandReference& command) {
  std::string text = fmt::format(".B {}\n[\\fIOPTIONS\\fR]", roff(command.name));
  for (const OptionReference& option : command.options) {
    if (option.positional) {
      text += fmt::format(" \\fI{}\\fR{}", roff(option.spellings.front()),
                          option.several ? " ..." : "");
    }
  }
  return text + (command.commands.empty() ? "\n" : " \\fICOMMAND\\fR\n");
}

std::string upper_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string commands_section(const CommandReference& command) {
  std::string text = ".SH COMMANDS\n";
  for (const CommandReference& below : command.commands) {
    text += fmt::format(".TP\n\\fB{}\\fR(1)\n{}.\n", roff(man_page_name(below)),
                        roff(below.description));
  }
  return text;
}

}  // namespace

std::string man_page_name(const CommandReference& command) {
  std::string name = command.name;
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string man_page(const CommandReference& command, const CommandReference& program,
                     const std::string& version) {
  const std::string name = man_page_name(command);
  std::string text = fmt::format(".TH \"{}\" 1 \"\" \"{} {}\" \"{}\"\n", roff(upper_case(name)),
                                 program.name, version, "Neural architecture search");
  text += fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}", roff(name),
                      roff(command.description), synopsis(command));
  if (!command.commands.empty()) {
    text += commands_section(command);
  }
  text += ".SH OPTIONS\n";
  for (const OptionReference& option : command.options) {
    text += option_entry(option);
  }
  if (&command != &program) {
    text += fmt::format(".SH SEE ALSO\n\\fB{}\\fR(1), whose \\-\\-config goes with this too\n",
                        program.name);
  }
  return text + ".SH EXIT STATUS\n0 done, 1 failed, 2 the command line was wrong.\n";
}

}  // namespace lathe::app
