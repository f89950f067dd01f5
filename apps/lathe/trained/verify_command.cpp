// lathe verify: do the answers of a run still keep their targets?
#include <fmt/format.h>

#include <memory>
#include <string>

#include "commands.h"
#include "lathe/run/answers/verify.h"
#include "options/range.h"
#include "options/runner_options.h"
#include "terminal.h"

namespace lathe::app {
namespace {

struct VerifyCommand {
  std::string folder;
  RunnerOptions runner;
  run::VerifyOptions options;
  bool json = false;
};

void execute(VerifyCommand& command) {
  command.options.make_runner = [&](const graph::Net& probe, const std::string& known_runtime) {
    return make_runner(command.runner, probe, known_runtime);
  };
  ProgressReporter reporter;
  const run::Verification verification = run::verify(
      command.folder, command.options, [&](const Progress& progress) { reporter(progress); });
  if (command.json) {
    fmt::print("{}\n", run::to_json(verification).dump(2));
  } else {
    fmt::print("{}", run::verification_table(verification));
  }
}

}  // namespace

void add_verify_command(CLI::App& app) {
  auto options = std::make_shared<VerifyCommand>();
  CLI::App* command = app.add_subcommand(
      "verify", "time the answers of a run again: whether they still keep their targets");
  command->add_option("folder", options->folder, "of lathe run or lathe specialize")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--space", options->options.space_file,
                      "the file of the space, where it is not built in or in the folder");
  add_runner_options(*command, options->runner);
  command->add_option("--sessions", options->options.sessions, "of each net, in turns")
      ->check(between(2, 100000))
      ->capture_default_str();
  command
      ->add_option("--confidence", options->options.confidence,
                   "of all verdicts together, as in lathe run")
      ->check(between(0.5, 0.9999))
      ->capture_default_str();
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] { execute(*options); });
}

}  // namespace lathe::app
