#include "options/training_options.h"

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "lathe/run/stages/cell_stage.h"
#include "options/amount.h"
#include "options/data_options.h"
#include "options/name_options.h"
#include "options/range.h"
#include "training/train_device.h"

namespace lathe::app {
namespace {

std::vector<std::string> methods() {
  std::vector<std::string> names = train::method_names();
  const std::vector<std::string> of_cells = run::cell_method_names();
  names.insert(names.end(), of_cells.begin(), of_cells.end());
  return names;
}

void add_method_options(CLI::App& command, train::MethodOptions& o) {
  command
      .add_option(
          "--method", o.name,
          "how nets are trained: deps, ofa, bignas, grow, plain, slimmable or aows; darts and "
          "pc-darts search cells")
      ->check(one_of("method", methods()))
      ->capture_default_str();
  command.add_option("--epochs", o.epochs, "of training; may be fractional")
      ->check(positive)
      ->capture_default_str();
  command.add_option("--lr", o.learning_rate, "peak of the cosine schedule")
      ->check(positive)
      ->capture_default_str();
  command.add_option("--lr-warmup-epochs", o.warmup_epochs, "over which the learning rate grows")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--lr-final-share", o.final_share,
                  "of the peak, where the schedule ends; 1: the rate is constant (not ofa)")
      ->check(fraction)
      ->capture_default_str();
  command
      .add_option_function<double>(
          "--small-images",
          [&o](double share) { o.small_images = train::SmallImages::over(share); },
          "share of the steps, from the first on, whose images are smaller than the nets' "
          "input: by half, then by a quarter")
      ->check(fraction)
      ->default_str("0");
  command
      .add_option("--random-subnets", o.random_subnets,
                  "a step, beside the largest and the smallest net (not ofa)")
      ->check(between(0, 64))
      ->capture_default_str();
  command
      .add_option("--warmup-share", o.warmup_share,
                  "share of the steps that train the full net alone (deps)")
      ->check(fraction)
      ->capture_default_str();
  command
      .add_option("--ramp-share", o.ramp_share,
                  "share of the shrinking steps over which epsilon grows to 1 (deps)")
      ->check(fraction)
      ->capture_default_str();
  command.add_option("--epsilon-start", o.epsilon_start, "1: no epsilon-shrinking (deps)")
      ->check(fraction)
      ->check(between(1e-9, 1.0))
      ->capture_default_str();
  command.add_flag("--in-place-distillation", o.in_place_distillation,
                   "subnets learn from the full net from the first step on (deps)");
  command
      .add_option("--small-share", o.small_share,
                  "share of the steps that train the smallest net alone (grow)")
      ->check(fraction)
      ->capture_default_str();
  command
      .add_option("--drop-path", o.drop_path,
                  "rate at the end at which paths of a cell net are dropped, from 0 (plain)")
      ->check(between(0.0, 0.99))
      ->capture_default_str();
  command
      .add_option("--nets-per-step", o.nets_per_step,
                  "after that: the largest, and smaller ones (grow)")
      ->check(between(1, 64))
      ->capture_default_str();
}

/// Of the methods that search widths.
void add_width_options(CLI::App& command, train::MethodOptions& o) {
  static const std::map<std::string, train::ScoreBaseline> kBaselines{
      {"none", train::ScoreBaseline::kNone},
      {"mean", train::ScoreBaseline::kMean},
      {"residual", train::ScoreBaseline::kResidual}};
  static const std::map<std::string, train::PriceRule> kRules{
      {"expected", train::PriceRule::kExpected},
      {"zero-temperature", train::PriceRule::kZeroTemperature}};
  command
      .add_option("--score-window", o.scores.window_images,
                  "images that a width's score is the mean of, the last (slimmable, aows)")
      ->check(between(std::int64_t{1}, std::int64_t{1} << 40))
      ->capture_default_str();
  command
      .add_option_function<std::string>(
          "--score-baseline",
          [&o](const std::string& name) { o.scores.baseline = kBaselines.at(name); },
          "what is taken off a net's error: none, as published; mean, of the nets drawn lately; "
          "residual, also what its other widths cost (slimmable, aows)")
      ->check(one_of("baseline", {"none", "mean", "residual"}))
      ->default_str("residual");
  command
      .add_option_function<std::string>(
          "--gamma", [&o](const std::string& name) { o.price = kRules.at(name); },
          "the price of latency meets the target by the expected latency of drawn nets (expected), "
          "or by that of the best one, as published (zero-temperature) (aows)")
      ->check(one_of("gamma", {"expected", "zero-temperature"}))
      ->default_str("expected");
}

void add_optimizer_options(CLI::App& command, train::TrainOptions& o) {
  command.add_option("--optimizer", o.optimizer.name, "sgd, rmsprop, adam or adamw")
      ->check(one_of("optimizer", train::optimizer_names()))
      ->capture_default_str();
  command.add_option("--momentum", o.optimizer.momentum, "adam's and adamw's beta 1")
      ->check(fraction)
      ->capture_default_str();
  command
      .add_option("--weight-decay", o.optimizer.weight_decay,
                  "not on batch norm, biases and kernel transforms")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--clip-norm", o.optimizer.clip_norm, "of the whole gradient; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--clip-value", o.optimizer.clip_value, "of each gradient; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--average-decay", o.average_decay,
                  "of the weights' moving average, which is then the result; 0: none")
      ->check(between(0.0, 0.999999))
      ->capture_default_str();
  command.add_option("--label-smoothing", o.label_smoothing, "of the labels' loss")
      ->check(fraction)
      ->check(between(0.0, 0.99))
      ->capture_default_str();
  command
      .add_option("--auxiliary-weight", o.auxiliary_weight,
                  "of the loss of an auxiliary head, of nets that have one, such as darts_aux")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--batch-size", o.batch_size, "images per training step")
      ->check(between(1, 65536))
      ->capture_default_str();
  o.shards = 0;
  command
      .add_option("--shards", o.shards,
                  "parts of a batch that are trained side by side, each with its own batch norm; "
                  "0: 2 on the CPU, 1 a process on GPUs")
      ->check(between(0, 1024))
      ->capture_default_str();
  command
      .add_option("--checkpoint-every", o.checkpoint_s,
                  "time between checkpoints, beside those at every epoch's end, e.g. 90s or 5m")
      ->transform(CLI::Validator(to_seconds, "TIME"))
      ->capture_default_str()
      ->configurable(false);
}

}  // namespace

void add_training_options(CLI::App& command, run::TrainJob& job, bool measures) {
  add_method_options(command, job.method);
  add_width_options(command, job.method);
  add_optimizer_options(command, job.train);
  add_augment_options(command, job.train.augment);
  add_train_device_option(command, job.device);
  add_precision_option(command, job.train.precision, measures);
  command
      .add_option("--train-threads", job.threads, "threads for everything but timing; 0: all cores")
      ->check(between(0, 1024))
      ->capture_default_str();
  command
      .add_option("--loader-threads", job.train.loader_threads,
                  "that read images ahead of training; -1: as many as --train-threads for "
                  "photographs, none for images in memory")
      ->check(between(-1, 1024))
      ->capture_default_str()
      ->configurable(false);
  command.add_option("--seed", job.seed, "of everything random")->capture_default_str();
}

std::string resolved_config(const CLI::App& command) {
  std::istringstream lines(command.config_to_str(/*default_also=*/true));
  std::string config = "[" + command.get_name() + "]\n";
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with("=\"\"")) {
      config += line + "\n";
    }
  }
  return config;
}

}  // namespace lathe::app
