// lathe run: everything, in one.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "amount.h"
#include "commands.h"
#include "data_options.h"
#include "lathe/run/pipeline.h"
#include "name_options.h"
#include "terminal.h"
#include "training_options.h"

namespace lathe::app {
namespace {

struct RunCommand {
  run::RunOptions run;
  std::string sample = "uniform";
  std::string out;
  bool resume = false;
  bool json = false;
};

void add_device_options(CLI::App& command, run::RunOptions& o) {
  command.add_option("--targets", o.targets_ms, "latency targets in ms, separated by commas")
      ->delimiter(',')
      ->check(positive);
  command
      .add_option("--num-targets", o.num_targets,
                  "targets evenly over the reachable range, without --targets")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--threads", o.latency.threads, "threads that a net runs on when timed")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--batch", o.latency.batch, "images that a net runs on when timed")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
}

void add_time_options(CLI::App& command, run::RunOptions& o, std::string& sample) {
  command
      .add_option("--budget", o.budget_s,
                  "time for the whole run, e.g. 10m or 2h: decides what is trained and for how "
                  "long, in place of --method and --epochs")
      ->transform(CLI::Validator(to_seconds, "TIME"));
  command
      .add_option("--sample", sample,
                  "nets that are trained: uniform, of the whole space; targets, those that can be "
                  "answers to the targets (always with --budget)")
      ->check(one_of("sampling", {"uniform", "targets"}))
      ->capture_default_str();
  command
      .add_option("--fine-tune", o.fine_tune_epochs,
                  "epochs that each answer is trained alone in the end; with --budget the time "
                  "decides")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_search_options(CLI::App& command, run::RunOptions& o) {
  command
      .add_option("--accuracy-samples", o.accuracy.samples,
                  "subnets evaluated for the accuracy predictor")
      ->check(CLI::Range(10, 100000))
      ->capture_default_str();
  add_effort_option(command, o.search.effort);
  command
      .add_option("--evaluations", o.search.max_evaluations,
                  "accuracy predictions of the search; 0: as the effort says")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
}

void execute(const RunCommand& command, const std::string& config) {
  const run::RunFolder folder = run::RunFolder::open(command.out, config, command.resume);
  ProgressReporter reporter;
  const run::RunResult result =
      run::run(command.run, folder, [&](const Progress& progress) { reporter(progress); });
  if (command.json) {
    fmt::print("{}\n", run::to_json(result).dump(2));
  } else {
    fmt::print("{}nets, weights and result.json are in {}\n", run::result_table(result),
               command.out);
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
  add_device_options(*command, options->run);
  add_time_options(*command, options->run, options->sample);
  add_training_options(*command, options->run.training);
  add_search_options(*command, options->run);
  // Where the answer goes is not part of the question: these stay out of config.toml.
  command->add_option("--out", options->out, "folder for everything the run makes")
      ->required()
      ->configurable(false);
  command->add_flag("--resume", options->resume, "go on with the run in --out, if there is one")
      ->configurable(false);
  command->add_flag("--json", options->json, "print result.json instead of the table")
      ->configurable(false);
  command->callback([options, command] {
    if (!train::trains_supernet(options->run.training.method.name)) {
      throw CLI::ValidationError(
          "--method plain trains one net and searches none: use lathe train");
    }
    if (options->run.training.method.name == "aows") {
      throw CLI::ValidationError(
          "--method aows is for widths alone: use scripts/width_search.sh, or lathe train and "
          "lathe search");
    }
    options->run.sample_targets = options->sample == "targets";
    execute(*options, resolved_config(*command));
  });
}

}  // namespace lathe::app
