#include "reference/reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <regex>
#include <utility>

#include "options/name_options.h"

namespace lathe::app {
namespace {

std::vector<CLI::Option*> options_of(CLI::App& app) {
  return app.get_options([](CLI::Option*) { return true; });
}

std::vector<CLI::App*> parts_of(CLI::App& app) {
  return app.get_subcommands([](CLI::App*) { return true; });
}

/// CLI11's name of a value's type and bounds, "INT:INT in [1 - 64]", for people: "INT, 1 to 64".
std::string value_text(const CLI::Option& option) {
  if (option.get_expected_max() == 0) {
    return {};
  }
  std::string text = option.get_type_name();
  if (text.empty()) {
    return "FILE";  // of --config, whose type CLI11 leaves out
  }
  text = std::regex_replace(text, std::regex(":\\{.*\\}"), "");
  text = std::regex_replace(text, std::regex("^[A-Z]+:(TIME|DIR|FILE|PATH)"), "$1");
  text = std::regex_replace(text, std::regex(":[A-Z]+ in \\[(\\S+) - (\\S+)\\]"), ", $1 to $2");
  text = std::regex_replace(text, std::regex(":NONNEGATIVE"), ", at least 0");
  text = std::regex_replace(text, std::regex(":POSITIVE"), ", more than 0");
  return text;
}

std::vector<std::string> spellings_of(const CLI::Option& option) {
  if (option.get_positional()) {
    return {option.get_single_name()};
  }
  std::vector<std::string> result;
  for (const std::string& name : option.get_snames()) {
    result.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    result.push_back("--" + name);
  }
  return result;
}

std::vector<std::string> names_of(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) {
    names.push_back(option->get_name());
  }
  std::sort(names.begin(), names.end());  // CLI11 has them by address
  return names;
}

std::string rule_of(const CLI::Option& option) {
  std::vector<std::string> rules;
  if (!option.get_needs().empty()) {
    rules.push_back(fmt::format("needs {}", fmt::join(names_of(option.get_needs()), ", ")));
  }
  if (!option.get_excludes().empty()) {
    rules.push_back(fmt::format("not with {}", fmt::join(names_of(option.get_excludes()), ", ")));
  }
  if (!option.get_configurable() && option.get_expected_max() > 0) {
    rules.emplace_back("on the command line only");
  }
  return fmt::format("{}", fmt::join(rules, "; "));
}

OptionReference option_reference(CLI::Option& option) {
  OptionReference result{.spellings = spellings_of(option),
                         .positional = option.get_positional(),
                         .value = value_text(option),
                         .choices = choices(option),
                         .several = option.get_expected_max() > 1 || option.get_delimiter() != 0,
                         .comma_separated = option.get_delimiter() == ',',
                         .required = option.get_required(),
                         .default_text = option.get_default_str(),
                         .description = option.get_description(),
                         .rule = rule_of(option)};
  const std::string type = option.get_type_name();
  result.number = type.starts_with("INT") || type.starts_with("UINT") || type.starts_with("FLOAT");
  if (result.value.empty()) {  // a flag is off unless it says otherwise
    result.default_text = result.default_text == "true" ? "on" : "";
  }
  return result;
}

/// What `group` asks of `names`, the options in it.
std::string group_rule(const CLI::App& group, const std::vector<std::string>& names) {
  const std::size_t least = group.get_require_option_min();
  const std::size_t most = group.get_require_option_max();
  if (least == 0 && most == 0) {
    return {};
  }
  const char* const how = least == 0 ? "at most one" : most == 1 ? "exactly one" : "at least one";
  return fmt::format("{} of {}", how, fmt::join(names, ", "));
}

bool has(const std::vector<OptionReference>& options, const OptionReference& wanted) {
  return std::ranges::any_of(
      options, [&](const OptionReference& o) { return o.spellings == wanted.spellings; });
}

/// CLI11 keeps a group as an application without a name, which has a --help of its own.
void add_options(CLI::App& app, std::vector<OptionReference>& result) {
  for (CLI::Option* option : options_of(app)) {
    if (OptionReference reference = option_reference(*option); !has(result, reference)) {
      result.push_back(std::move(reference));
    }
  }
  for (CLI::App* group : parts_of(app)) {
    if (!group->get_name().empty()) {
      continue;
    }
    const std::size_t first = result.size();
    add_options(*group, result);
    std::vector<std::string> names;
    for (std::size_t i = first; i < result.size(); ++i) {
      names.push_back(result[i].spellings.back());
    }
    const std::string rule = group_rule(*group, names);
    for (std::size_t i = first; i < result.size() && !rule.empty(); ++i) {
      result[i].rule += (result[i].rule.empty() ? "" : "; ") + rule;
    }
  }
}

}  // namespace

CommandReference reference_of(CLI::App& app, const std::string& program) {
  CommandReference result{.name = program, .description = app.get_description()};
  if (result.description.starts_with(program + ": ")) {
    result.description.erase(0, program.size() + 2);
  }
  add_options(app, result.options);
  for (CLI::App* command : parts_of(app)) {
    if (!command->get_name().empty()) {
      result.commands.push_back(reference_of(*command, program + " " + command->get_name()));
    }
  }
  return result;
}

std::vector<const CommandReference*> all_commands(const CommandReference& command) {
  std::vector<const CommandReference*> result{&command};
  for (const CommandReference& below : command.commands) {
    const std::vector<const CommandReference*> more = all_commands(below);
    result.insert(result.end(), more.begin(), more.end());
  }
  return result;
}

}  // namespace lathe::app
