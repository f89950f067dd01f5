// What the parser knows of the command line, as plain data: every command with its options. The
// reference in all its forms is written from this, so that an option is described once, where it is
// added.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace lathe::app {

struct OptionReference {
  std::vector<std::string> spellings;  ///< with their dashes; of a positional its name alone
  bool positional = false;
  std::string value;                 ///< what it takes, such as "INT, 1 to 64"; empty: a flag
  std::vector<std::string> choices;  ///< names that it takes, where they are known
  bool number = false;               ///< takes numbers
  bool several = false;              ///< takes more than one value
  bool comma_separated = false;
  bool required = false;
  std::string default_text;  ///< empty: none, or it can't be said in a word
  std::string description;
  std::string rule;  ///< how it goes with other options; empty: as it likes
};

struct CommandReference {
  std::string name;  ///< in full, e.g. "lathe latency fit"
  std::string description;
  std::vector<OptionReference> options;
  std::vector<CommandReference> commands;  ///< one of which is to follow, if there are any
};

/// What `app`, the whole program, and all of its commands take. Not const, as CLI11 gives
/// validators of options that may be changed alone; nothing is.
CommandReference reference_of(CLI::App& app, const std::string& program);

/// `command` and all below it, in the order of the reference.
std::vector<const CommandReference*> all_commands(const CommandReference& command);

/// The reference as one Markdown page.
std::string markdown_reference(const CommandReference& program);

/// The manual page (section 1, roff) of `command` alone. Options that the program has, such as
/// --config, are named in each.
std::string man_page(const CommandReference& command, const CommandReference& program,
                     const std::string& version);

/// What man calls the page of `command`: "lathe-latency-fit".
std::string man_page_name(const CommandReference& command);

/// A script for bash that completes commands, options, known names, and else files.
std::string bash_completion(const CommandReference& program);

/// A completion function for zsh, to be found as _lathe in its $fpath.
std::string zsh_completion(const CommandReference& program);

}  // namespace lathe::app
