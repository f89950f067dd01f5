// lathe run: everything, in one.
#include <fmt/format.h>

#include <memory>
#include <sstream>

#include "amount.h"
#include "commands.h"
#include "lathe/run/pipeline.h"
#include "name_options.h"
#include "terminal.h"

namespace lathe::app {
namespace {

struct RunCommand {
  run::RunOptions run;
  std::string out;
  bool resume = false;
  bool json = false;
};

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const data::DatasetSource& source : data::dataset_sources()) {
    names.push_back(source.name);
  }
  return names;
}

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

void add_train_options(CLI::App& command, run::RunOptions& o) {
  command.add_option("--epochs", o.train.epochs, "of supernet training; may be fractional")
      ->check(positive)
      ->capture_default_str();
  command.add_option("--batch-size", o.train.batch_size, "images per training step")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command
      .add_option("--shards", o.train.shards,
                  "parts of a batch that are trained side by side, each with its own batch norm")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--lr", o.train.learning_rate, "peak of the cosine schedule")
      ->check(positive)
      ->capture_default_str();
  command.add_option("--weight-decay", o.train.sgd.weight_decay, "not on batch norm and biases")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--label-smoothing", o.train.label_smoothing, "of the labels' loss")
      ->check(fraction)
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command.add_option("--crop-padding", o.train.augment.crop_padding, "pixels, for random crops")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  command.add_option("--cutout", o.train.augment.cutout, "side of the hole in pixels, 0: none")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command
      .add_option("--warmup-share", o.deps.warmup_share,
                  "share of the steps that train the full net alone (DepS)")
      ->check(fraction)
      ->capture_default_str();
  command
      .add_option("--ramp-share", o.deps.ramp_share,
                  "share of the shrinking steps over which epsilon grows to 1 (DepS)")
      ->check(fraction)
      ->capture_default_str();
  command
      .add_option("--train-threads", o.train_threads,
                  "threads for everything but timing; 0: all cores")
      ->check(CLI::Range(0, 1024))
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
  command.add_option("--seed", o.seed, "of everything random")->capture_default_str();
}

/// All options with their values, as a file that --config reads back: what was left empty is left
/// out, since an empty list is no value of --targets.
std::string resolved(const CLI::App& command) {
  std::istringstream lines(command.config_to_str(/*default_also=*/true));
  std::string config = "[run]\n";
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with("=\"\"")) {
      config += line + "\n";
    }
  }
  return config;
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
  command->add_option("--dataset", options->run.dataset, "data set to train on")
      ->check(one_of("data set", dataset_names()))
      ->capture_default_str();
  command->add_option("--data-dir", options->run.data_dir,
                      "its folder, if not where the system's package puts it");
  command
      ->add_option("--validation-size", options->run.validation_size,
                   "training images held out to compare nets by")
      ->check(CLI::Range(1, 100000000))
      ->capture_default_str();
  add_space_option(*command, options->run.space)->capture_default_str();
  add_device_options(*command, options->run);
  add_train_options(*command, options->run);
  add_search_options(*command, options->run);
  // Where the answer goes is not part of the question: these stay out of config.toml.
  command->add_option("--out", options->out, "folder for everything the run makes")
      ->required()
      ->configurable(false);
  command->add_flag("--resume", options->resume, "go on with the run in --out, if there is one")
      ->configurable(false);
  command->add_flag("--json", options->json, "print result.json instead of the table")
      ->configurable(false);
  command->callback([options, command] { execute(*options, resolved(*command)); });
}

}  // namespace lathe::app
