// lathe run: everything, in one.
#include <memory>
#include <string>
#include <utility>

#include "commands.h"
#include "lathe/run/cell_run.h"
#include "lathe/run/pipeline.h"
#include "options/amount.h"
#include "options/answer_options.h"
#include "options/cell_options.h"
#include "options/data_options.h"
#include "options/name_options.h"
#include "options/training_options.h"
#include "terminal.h"

namespace lathe::app {
namespace {

/// Of each net that is handed over, unless --from-scratch says otherwise.
constexpr double kCellNetEpochs = 10;

struct RunCommand {
  run::RunOptions run;
  CellOptions cells;
  std::string search_space;
  std::string sample = "uniform";
  AnswerOptions answer;
};

void add_time_options(CLI::App& command, run::RunOptions& o, std::string& sample) {
  command
      .add_option("--budget", o.budget_s,
                  "time for the whole run, e.g. 10m or 2h: decides what is trained and for how "
                  "long, in place of --method, --epochs, --fine-tune and --from-scratch")
      ->transform(CLI::Validator(to_seconds, "TIME"));
  command
      .add_option("--sample", sample,
                  "nets that are trained: uniform, of the whole space; targets, those that can be "
                  "answers to the targets (always with --budget)")
      ->check(one_of("sampling", {"uniform", "targets"}))
      ->capture_default_str();
}

void execute(RunCommand& command, const std::string& config) {
  resolve(command.answer, command.run);
  const auto folder = run::RunFolder::open(command.answer.out, config, command.answer.resume);
  ProgressReporter reporter;
  print(command.answer,
        run::run(command.run, folder, [&](const Progress& progress) { reporter(progress); }),
        command.run.dry_run);
}

/// Of a search of cells.
void execute(RunCommand& command, run::CellJob job, const std::string& config) {
  run::CellRunOptions options;
  static_cast<run::SpecializeOptions&>(options) = command.run;
  options.training = command.run.training;
  options.search = std::move(job);
  options.search.space = command.search_space;
  if (options.from_scratch_epochs == 0) {
    options.from_scratch_epochs = kCellNetEpochs;
  }
  resolve(command.answer, options);
  const auto folder = run::RunFolder::open(command.answer.out, config, command.answer.resume);
  ProgressReporter reporter;
  print(command.answer,
        run::run_cells(options, folder, [&](const Progress& progress) { reporter(progress); }),
        options.dry_run);
}

/// @throws CLI::ValidationError where options don't go together.
void check_cells(const RunCommand& command) {
  if (command.run.budget_s > 0 || command.run.fine_tune_epochs > 0 || command.sample == "targets" ||
      limits_anything(command.answer.limits)) {
    throw CLI::ValidationError(
        "--budget, --fine-tune, --sample targets and limits beside latency "
        "are for supernets, not for --method " +
        command.run.training.method.name);
  }
}

/// @throws CLI::ValidationError where options don't go together.
void check(const RunCommand& command) {
  const std::string& method = command.run.training.method.name;
  if (!train::trains_supernet(method)) {
    throw CLI::ValidationError("--method plain trains one net and searches none: use lathe train");
  }
  if (command.run.budget_s > 0 && (method == "aows" || method == "slimmable")) {
    throw CLI::ValidationError("--budget decides how nets are trained: with --method " + method +
                               " use --epochs and --from-scratch");
  }
}

}  // namespace

void add_run_command(CLI::App& app) {
  auto options = std::make_shared<RunCommand>();
  CLI::App* command = app.add_subcommand(
      "run", "measure, train, search and verify: the best net for every latency target");
  add_dataset_options(*command, options->run.training.dataset, options->run.training.data);
  // Left empty, it depends on the images.
  add_space_option(*command, options->run.training.space);
  add_time_options(*command, options->run, options->sample);
  add_training_options(*command, options->run.training, /*measures=*/true);
  add_cell_options(*command, options->cells);
  add_search_options(*command, options->cells, options->search_space);
  add_answer_options(*command, options->run, options->answer);
  command->callback([options, command] {
    if (run::searches_cells(options->run.training.method.name)) {
      check_cells(*options);
      run::CellJob job =
          resolve_cells(*command, options->cells, options->run.training, /*measures=*/true);
      execute(*options, std::move(job), resolved_config(*command));
      return;
    }
    refuse_cell_options(*command, options->run.training.method.name);
    check(*options);
    options->run.sample_targets = options->sample == "targets";
    execute(*options, resolved_config(*command));
  });
}

}  // namespace lathe::app
