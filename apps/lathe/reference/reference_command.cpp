// lathe reference: the command line as a page, manual pages, and completion for shells, all written
// from what the parser knows.
#include "reference/reference.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "options/name_options.h"

namespace lathe::app {
namespace {

struct ReferenceOptions {
  std::string format = "markdown";
  std::string command = "lathe";
  std::filesystem::path out;
};

const CommandReference& command_named(const CommandReference& program, const std::string& name) {
  std::vector<std::string> names;
  for (const CommandReference* command : all_commands(program)) {
    names.push_back(command == &program ? program.name
                                        : command->name.substr(program.name.size() + 1));
    if (names.back() == name) {
      return *command;
    }
  }
  throw CLI::ValidationError("--command",
                             "unknown command \"" + name + "\": " + nearest_names(name, names));
}

void write_man_pages(const CommandReference& program, const std::filesystem::path& folder) {
  for (const CommandReference* command : all_commands(program)) {
    write_file_atomic(folder / (man_page_name(*command) + ".1"),
                      man_page(*command, program, LATHE_VERSION));
  }
}

void execute(const ReferenceOptions& options, CLI::App& app) {
  const CommandReference program = reference_of(app, "lathe");
  if (options.format == "man") {
    if (!options.out.empty()) {
      write_man_pages(program, options.out);
      return;
    }
    fmt::print("{}", man_page(command_named(program, options.command), program, LATHE_VERSION));
    return;
  }
  const std::string text = options.format == "markdown" ? markdown_reference(program)
                           : options.format == "bash"   ? bash_completion(program)
                                                        : zsh_completion(program);
  if (options.out.empty()) {
    fmt::print("{}", text);
  } else {
    write_file_atomic(options.out, text);
  }
}

}  // namespace

void add_reference_command(CLI::App& app) {
  auto options = std::make_shared<ReferenceOptions>();
  CLI::App* command = app.add_subcommand(
      "reference", "all commands and options: as a page, manual pages, or completion for a shell");
  command
      ->add_option("--format", options->format,
                   "markdown, the page docs/cli.md; man; or completion for bash or zsh")
      ->check(one_of("format", {"markdown", "man", "bash", "zsh"}))
      ->capture_default_str();
  command
      ->add_option("--command", options->command,
                   "whose manual page is printed, such as \"latency fit\"")
      ->capture_default_str();
  command->add_option("--out", options->out,
                      "file to write to; of man the folder, which gets a page for each command");
  command->callback([options, &app] { execute(*options, app); });
}

}  // namespace lathe::app
