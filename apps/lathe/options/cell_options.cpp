#include "options/cell_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "lathe/run/cell_run.h"
#include "lathe/search/cells/expected_latency.h"
#include "options/amount.h"
#include "options/name_options.h"
#include "options/range.h"

namespace lathe::app {
namespace {

constexpr std::array kCellOnly{"--second-order",   "--first-logits-epoch",
                               "--logits-lr",      "--latency-weight",
                               "--latency-target", "--latency-ascent",
                               "--macs-weight",    "--estimator",
                               "--edges",          "--draws",
                               "--channel-parts",  "--prediction-noise",
                               "--entropy-weight", "--perturbation",
                               "--auxiliary-skip", "--eigenvalue-growth",
                               "--max-skips"};
constexpr std::array kSearchOnly{"--search-space", "--search-lr", "--search-batch-size"};

/// Whether an option was given something else than it has anyway: a config file names all of them.
bool is_set(const CLI::App& command, const char* name) {
  const CLI::Option* option = command.get_option(name);
  if (option->count() == 0) {
    return false;
  }
  const std::string value = option->as<std::string>();
  return value != option->get_default_str() && value != "false";
}

void add_latency_options(CLI::App& command, CellOptions& options) {
  train::LatencyGoal& goal = options.job.search.goal;
  CLI::Option* weight =
      command
          .add_option("--latency-weight", goal.weight,
                      "of the expected latency in the loss of cells, over that of cells drawn "
                      "evenly: a pure number; its worth in 1/ms is printed (darts, pc-darts)")
          ->check(CLI::NonNegativeNumber)
          ->capture_default_str();
  command
      .add_option("--latency-target", options.latency_target,
                  "latency that the derived cells shall take, e.g. 0.4ms: the weight follows, and "
                  "genotype.json is the best within it (darts, pc-darts)")
      ->check(target)
      ->excludes(weight);
  command
      .add_option("--latency-ascent", goal.ascent,
                  "how fast the weight follows a target: its growth a step at twice the target")
      ->check(positive)
      ->capture_default_str();
  command
      .add_option_function<double>(
          "--macs-weight",
          [&options, &goal](double value) {
            options.job.macs = true;
            goal.weight = value;
          },
          "as --latency-weight, of MACs in place of a latency model: a control (darts, pc-darts)")
      ->check(CLI::NonNegativeNumber)
      ->excludes(weight);
  command
      .add_option("--estimator", options.estimator,
                  "of the expected latency's derivative: local-expectation, straight-through (as "
                  "published), gumbel or reinforce")
      ->check(one_of("estimator", {"local-expectation", "straight-through", "gumbel", "reinforce"}))
      ->capture_default_str();
  command
      .add_option("--edges", options.edges,
                  "of the cells drawn for it: two-per-node, eight-of-14 (the paper's words), or "
                  "by-weight (pc-darts)")
      ->check(one_of("edges", {"two-per-node", "eight-of-14", "by-weight"}))
      ->capture_default_str();
  command.add_option("--draws", goal.estimate.draws, "cells drawn for it at each step")
      ->check(between(1, 100000))
      ->capture_default_str();
  command
      .add_option("--prediction-noise", goal.estimate.prediction_noise,
                  "relative noise on each prediction of latency: a test of how much that matters")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_stability_options(CLI::App& command, train::SearchCellsOptions& o) {
  command
      .add_option("--max-skips", o.max_skips,
                  "skip connections that a derived normal cell may have; -1: any number (P-DARTS)")
      ->check(between(-1, 8))
      ->capture_default_str();
  command
      .add_option("--auxiliary-skip", o.auxiliary_skip,
                  "weight at the beginning of a further skip on every edge that fades (DARTS-)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--perturbation", o.perturbation,
                  "of the operations' shares while weights are trained, uniform (SmoothDARTS)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--entropy-weight", o.entropy_weight,
                  "of the shares' entropy in the loss of cells: makes them decide")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--eigenvalue-growth", o.eigenvalue_growth,
                  "stop where the Hessian's dominant eigenvalue has grown so much within five "
                  "epochs, e.g. 1.3 (RobustDARTS); 0: never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

}  // namespace

void add_cell_options(CLI::App& command, CellOptions& options) {
  train::SearchCellsOptions& o = options.job.search;
  command.add_flag("--second-order", o.second_order,
                   "cells look one step of the weights ahead: twice the time (darts, pc-darts)");
  command
      .add_option("--first-logits-epoch", o.first_logits_epoch,
                  "epochs that train the weights alone at first (darts 0, pc-darts three tenths)")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--logits-lr", o.logits_learning_rate,
                  "learning rate of the operations' weights (darts 0.0003, pc-darts 0.0006)")
      ->check(positive);
  command
      .add_option("--channel-parts", options.job.channel_parts,
                  "operations see the first of so many parts of the channels (darts 1, pc-darts 4)")
      ->check(between(1, 64));
  add_latency_options(command, options);
  add_stability_options(command, o);
}

run::CellJob resolve_cells(CLI::App& command, const CellOptions& options,
                           const run::TrainJob& training, bool measures) {
  run::CellJob job = options.job;
  train::SearchCellsOptions& o = job.search;
  const train::SearchCellsOptions given = o;
  job.dataset = training.dataset;
  job.data = training.data;
  job.method = training.method.name;
  job.space = training.space;
  job.threads = training.threads;
  job.seed = training.seed;
  // What was given counts; what was not is as published, and config.toml shall say so. Where nets
  // are trained too, it says what these have.
  const auto keep = [&](const char* option, auto& member, const auto& value) {
    if (command.count(option) > 0) {
      member = value;
    } else if (!measures) {
      command.get_option(option)->default_str(fmt::format("{}", member));
    }
  };
  keep("--epochs", o.epochs, training.method.epochs);
  run::use_published_settings(job);
  const double published_rate = o.learning_rate;
  keep("--first-logits-epoch", o.first_logits_epoch, given.first_logits_epoch);
  keep("--logits-lr", o.logits_learning_rate, given.logits_learning_rate);
  if (measures) {
    o.batch_size = options.search_batch_size.value_or(o.batch_size);
    o.learning_rate = options.search_lr.value_or(o.learning_rate);
  } else {
    keep("--batch-size", o.batch_size, training.train.batch_size);
    keep("--lr", o.learning_rate, training.method.learning_rate);
    keep("--momentum", o.optimizer.momentum, training.train.optimizer.momentum);
    keep("--weight-decay", o.optimizer.weight_decay, training.train.optimizer.weight_decay);
    keep("--clip-norm", o.optimizer.clip_norm, training.train.optimizer.clip_norm);
  }
  o.final_learning_rate *= o.learning_rate / published_rate;
  o.shards = training.train.shards;
  o.loader_threads = training.train.loader_threads;
  job.device = training.device;
  o.augment = training.train.augment;
  o.checkpoint_s = training.train.checkpoint_s;
  o.goal.estimate.estimator = search::latency_estimator_from_string(options.estimator);
  o.goal.estimate.edges = search::edge_draw_from_string(options.edges);
  job.latency_file = training.latency_file;
  if (!options.latency_target.empty()) {
    o.goal.target = parse_target_ms(options.latency_target, 1).value();
  }
  if (measures && command.count("--latency-weight") == 0 && o.goal.target == 0 && !job.macs) {
    o.goal.weight = run::kRunLatencyWeight;
    command.get_option("--latency-weight")->default_str(fmt::format("{}", o.goal.weight));
  }
  const bool minds_latency = o.goal.weight > 0 || o.goal.target > 0;
  if (!measures && !job.macs && job.latency_file.empty() && minds_latency) {
    throw CLI::ValidationError(
        "--latency-weight and --latency-target need --latency MODEL, as lathe latency fit writes "
        "it for a space of cells");
  }
  if (o.goal.estimate.edges == search::EdgeDraw::kByWeight && job.method != "pc-darts") {
    throw CLI::ValidationError(
        "--edges by-weight needs --method pc-darts, whose edges have weights");
  }
  return job;
}

void add_search_options(CLI::App& command, CellOptions& options, std::string& search_space) {
  command.add_option("--search-space", search_space,
                     "cells of the size that the search net has, e.g. darts_c8_l5; --space is of "
                     "the nets (darts, pc-darts)");
  command
      .add_option(
          "--search-lr", options.search_lr,
          "peak of the search's learning rate (darts 0.025, pc-darts 0.1); --lr is the nets'")
      ->check(positive);
  command
      .add_option("--search-batch-size", options.search_batch_size,
                  "images a step of the search (darts 64, pc-darts 256); --batch-size is the nets'")
      ->check(between(1, 65536));
}

void refuse_cell_options(const CLI::App& command, const std::string& method) {
  const auto refuse = [&](const char* option) {
    if (is_set(command, option)) {
      throw CLI::ValidationError(std::string(option) + " is for --method darts and pc-darts, not " +
                                 method);
    }
  };
  std::ranges::for_each(kCellOnly, refuse);
  if (command.get_option_no_throw(kSearchOnly.front()) != nullptr) {
    std::ranges::for_each(kSearchOnly, refuse);
  }
}

}  // namespace lathe::app
