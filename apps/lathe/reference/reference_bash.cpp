// Completion for bash: tables of what the parser knows, and one function that looks things up.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "reference/reference.h"

namespace lathe::app {
namespace {

/// How bash is to complete the value of an option; options that take files have no entry.
std::string value_kind(const OptionReference& option) {
  if (option.value.empty()) {
    return "flag";
  }
  if (!option.choices.empty()) {
    return fmt::format("{}{}", option.comma_separated ? "list " : "names ",
                       fmt::join(option.choices, " "));
  }
  return option.number ? "number" : "";
}

/// Commands and options that may follow `command`; those of the whole program may always.
std::vector<std::string> words_of(const CommandReference& command,
                                  const CommandReference& program) {
  std::vector<std::string> words;
  for (const CommandReference& below : command.commands) {
    words.push_back(below.name.substr(command.name.size() + 1));
  }
  for (const std::vector<OptionReference>* options : {&command.options, &program.options}) {
    for (const OptionReference& option : *options) {
      for (const std::string& spelling : option.spellings) {
        if (!option.positional && std::ranges::find(words, spelling) == words.end()) {
          words.push_back(spelling);
        }
      }
    }
  }
  return words;
}

std::string words_table(const std::vector<const CommandReference*>& commands) {
  std::string text = "_lathe_words() {  # COMMAND: what may follow it\n  case $1 in\n";
  for (const CommandReference* command : commands) {
    text += fmt::format("    \"{}\") echo \"{}\" ;;\n", command->name,
                        fmt::join(words_of(*command, *commands.front()), " "));
  }
  return text + "    *) return 1 ;;\n  esac\n}\n\n";
}

std::string values_table(const std::vector<const CommandReference*>& commands) {
  std::map<std::string, std::vector<std::string>> options_by_kind;
  for (const CommandReference* command : commands) {
    bool positional = false;
    for (const OptionReference& option : command->options) {
      positional |= option.positional;
      const std::string kind = value_kind(option);
      for (const std::string& spelling : option.spellings) {
        if (!kind.empty() && !option.positional) {
          options_by_kind[kind].push_back(fmt::format("\"{} {}\"", command->name, spelling));
        }
      }
    }
    options_by_kind[positional ? "files" : "words"].push_back(
        fmt::format("\"{} \"", command->name));
  }
  std::string text =
      "_lathe_value() {  # COMMAND OPTION: what the option takes; without one, what follows\n"
      "  case \"$1 $2\" in\n";
  for (const auto& [kind, options] : options_by_kind) {
    text += fmt::format("    {}) echo \"{}\" ;;\n", fmt::join(options, " | \\\n      "), kind);
  }
  return text + "    *) echo file ;;\n  esac\n}\n\n";
}

constexpr const char* kCompletion = R"bash(_lathe() {
  local command=lathe option='' cur=${COMP_WORDS[COMP_CWORD]} before='' kind names word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == "=" ]]; then  # a word of its own, to bash
      continue
    elif [[ $word == -* ]]; then
      option=$word
      [[ $(_lathe_value "$command" "$option") != flag ]] || option=
    elif [[ -n $option ]]; then
      option=  # this was its value
    elif _lathe_words "$command $word" >/dev/null; then
      command+=" $word"
    fi
  done
  [[ $cur != "=" ]] || cur=
  read -r kind names <<<"$(_lathe_value "$command" "$option")"
  case $kind in
    names)
      COMPREPLY=($(compgen -W "$names" -- "$cur"))
      ;;
    list)
      [[ $cur != *,* ]] || before=${cur%,*},
      COMPREPLY=($(compgen -P "$before" -W "$names" -- "${cur##*,}"))
      ;;
    number)
      compopt +o default 2>/dev/null
      ;;
    words | files)
      [[ $kind == files && $cur != -* ]] ||
        COMPREPLY=($(compgen -W "$(_lathe_words "$command")" -- "$cur"))
      ;;
  esac
}

# Where nothing is found, the names of files are offered.
complete -o default -F _lathe lathe
)bash";

}  // namespace

std::string bash_completion(const CommandReference& program) {
  const std::vector<const CommandReference*> commands = all_commands(program);
  return "# bash completion for lathe, written by `lathe reference --format bash`.\n"
         "# shellcheck disable=SC2207\n\n" +
         words_table(commands) + values_table(commands) + kCompletion;
}

}  // namespace lathe::app
