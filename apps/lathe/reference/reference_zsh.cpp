// Completion for zsh: a function for each command, on zsh's own _arguments.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "reference/reference.h"

namespace lathe::app {
namespace {

/// `text` within a single-quoted word of _arguments, where brackets and colons have a meaning.
std::string zsh(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\'";
    } else if (c == '[' || c == ']' || c == ':' || c == '\\') {
      result += '\\';
    }
    result += c;
  }
  return result;
}

std::string function_name(const CommandReference& command) {
  std::string name = "_" + command.name;
  std::ranges::replace(name, ' ', '_');
  return name;
}

/// What completes the value of an option.
std::string action(const OptionReference& option) {
  if (!option.choices.empty()) {
    return option.comma_separated
               ? fmt::format("_values -s , name {}", fmt::join(option.choices, " "))
               : fmt::format("({})", fmt::join(option.choices, " "));
  }
  return option.number ? "" : "_files";
}

std::string argument(const OptionReference& option, const std::string& spelling) {
  if (option.positional) {
    return fmt::format("'{}:{}:_files'", option.several ? "*" : "1", zsh(spelling));
  }
  std::string text = fmt::format("'{}{}[{}]", option.several && !option.value.empty() ? "*" : "",
                                 spelling, zsh(option.description));
  if (!option.value.empty()) {
    text += fmt::format(":{}:{}", zsh(option.value), action(option));
  }
  return text + "'";
}

std::string arguments(const CommandReference& command, const CommandReference& program) {
  std::string text = "  _arguments -C";
  std::vector<std::string> seen;
  for (const std::vector<OptionReference>* options : {&command.options, &program.options}) {
    for (const OptionReference& option : *options) {
      for (const std::string& spelling : option.spellings) {
        if (std::ranges::find(seen, spelling) == seen.end()) {
          seen.push_back(spelling);
          text += " \\\n    " + argument(option, spelling);
        }
      }
    }
  }
  return text;
}

std::string function(const CommandReference& command, const CommandReference& program) {
  std::string text = function_name(command) + "() {\n";
  if (command.commands.empty()) {
    return text + arguments(command, program) + "\n}\n\n";
  }
  text += "  local curcontext=$curcontext state line\n  local -a commands=(\n";
  std::string dispatch;
  for (const CommandReference& below : command.commands) {
    const std::string word = below.name.substr(command.name.size() + 1);
    text += fmt::format("    '{}:{}'\n", word, zsh(below.description));
    dispatch += fmt::format("        {}) {} ;;\n", word, function_name(below));
  }
  text += "  )\n" + arguments(command, program) +
          " \\\n    '1:command:->command' '*::argument:->rest'\n"
          "  case $state in\n"
          "    command) _describe command commands ;;\n"
          "    rest)\n      case $line[1] in\n";
  return text + dispatch + "      esac ;;\n  esac\n}\n\n";
}

}  // namespace

std::string zsh_completion(const CommandReference& program) {
  std::string text =
      "#compdef lathe\n# zsh completion for lathe, written by `lathe reference --format zsh`.\n\n";
  for (const CommandReference* command : all_commands(program)) {
    text += function(*command, program);
  }
  return text + "_lathe \"$@\"\n";
}

}  // namespace lathe::app
