// lathe specialize: another device or other targets, and no training.
#include <memory>
#include <string>

#include "commands.h"
#include "lathe/run/specialize.h"
#include "options/answer_options.h"
#include "options/range.h"
#include "options/training_options.h"
#include "terminal.h"
#include "training/train_device.h"

namespace lathe::app {
namespace {

struct SpecializeCommand {
  std::string from;
  std::string data_dir;
  std::string device = "cpu";
  int threads = 0;
  run::SpecializeOptions options;
  AnswerOptions answer;
};

void execute(SpecializeCommand& command, const std::string& config) {
  resolve(command.answer, command.options);
  const auto folder = run::RunFolder::open(command.answer.out, config, command.answer.resume);
  ProgressReporter reporter;
  print(command.answer,
        run::specialize(command.from, command.data_dir, command.threads, command.device,
                        command.options, folder,
                        [&](const Progress& progress) { reporter(progress); }),
        command.options.dry_run);
}

}  // namespace

void add_specialize_command(CLI::App& app) {
  auto options = std::make_shared<SpecializeCommand>();
  CLI::App* command = app.add_subcommand(
      "specialize",
      "the best of the nets that a run has trained, for any device and targets; trains nothing");
  command->add_option("--from", options->from, "folder of lathe run or of lathe train")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--data-dir", options->data_dir,
                      "where the data are, if not where they were trained from");
  add_train_device_option(*command, options->device);
  command
      ->add_option("--eval-threads", options->threads,
                   "threads for everything but timing; 0: all cores")
      ->check(between(0, 1024))
      ->capture_default_str();
  add_answer_options(*command, options->options, options->answer);
  command->callback([options, command] { execute(*options, resolved_config(*command)); });
}

}  // namespace lathe::app
