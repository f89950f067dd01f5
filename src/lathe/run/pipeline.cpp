#include "lathe/run/pipeline.h"

#include <fmt/format.h>

#include <cmath>
#include <thread>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/nn/threads.h"
#include "lathe/run/accuracy_stage.h"
#include "lathe/run/hand_over.h"
#include "lathe/run/latency_stage.h"
#include "lathe/search/reachable_range.h"
#include "lathe/space/space_file.h"
#include "lathe/train/checkpoint.h"

namespace lathe::run {
namespace {

// Targets that are made up are rounded to this, so that they can be read and typed.
constexpr double kTargetStepsPerMs = 1000;

/// What to open as this run's space: a built-in name, or the folder's own copy of the file.
std::string kept_space(const RunOptions& options, const RunFolder& folder) {
  if (!space::is_space_file(options.space)) {
    return options.space;
  }
  const std::filesystem::path kept = folder.space_file();
  if (!folder.begun() || !std::filesystem::exists(kept)) {
    write_json(kept, space::to_json(space::load_space_spec(options.space)));
  } else if (std::filesystem::exists(options.space)) {
    const std::string now = space::fingerprinted_name(space::load_space_spec(options.space));
    const std::string before = space::fingerprinted_name(space::load_space_spec(kept));
    if (now != before) {
      throw Error(options.space + ": has changed: expected " + before +
                  ", the space that the run in " + folder.root().string() + " began with, got " +
                  now + "; restore it or use another --out");
    }
  }
  return kept.string();
}

std::shared_ptr<const space::Space> open_space(const RunOptions& options, const RunFolder& folder,
                                               const data::Dataset& dataset) {
  std::shared_ptr<const space::Space> space =
      space::open_space(kept_space(options, folder), {.in_channels = dataset.train.channels,
                                                      .num_classes = dataset.train.num_classes,
                                                      .input_size = dataset.train.height});
  if (!space->weights_nest()) {
    throw Error("space " + options.space + " has no supernet: its nets don't share weights by " +
                "slicing; choose another --space");
  }
  return space;
}

int train_threads(const RunOptions& options) {
  return options.train_threads > 0
             ? options.train_threads
             : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

void train(nn::Supernet& supernet, const data::Dataset& dataset, const RunOptions& options,
           const RunFolder& folder, const ProgressFn& progress) {
  train::TrainOptions train_options = options.train;
  train_options.folder = folder.root();
  train_options.seed = options.seed;
  train_options.threads = train_threads(options);
  train::DepsOptions deps = options.deps;
  deps.seed = options.seed;
  deps.total_steps = train::total_steps(train_options, dataset.train.size());
  const auto strategy = train::make_deps(supernet.space(), deps);
  train::train_supernet(supernet, *strategy, dataset, train_options, progress);
}

std::vector<double> targets(const RunOptions& options, const search::ReachableRange& range) {
  if (!options.targets_ms.empty()) {
    return options.targets_ms;
  }
  const double low = range.fastest.predicted_ms;
  const double width = (range.slowest.predicted_ms - low) / options.num_targets;
  std::vector<double> targets;
  for (int i = 1; i <= options.num_targets; ++i) {
    targets.push_back(std::ceil((low + i * width) * kTargetStepsPerMs) / kTargetStepsPerMs);
  }
  return targets;
}

void check(const RunOptions& o) {
  if (o.targets_ms.empty() && o.num_targets < 1) {
    throw std::invalid_argument("[run::run] num_targets must be >= 1, got " +
                                std::to_string(o.num_targets));
  }
  for (double target : o.targets_ms) {
    if (!std::isfinite(target) || target <= 0) {
      throw std::invalid_argument("[run::run] targets must be > 0 ms, got " +
                                  std::to_string(target));
    }
  }
}

}  // namespace

RunResult run(const RunOptions& options, const RunFolder& folder, const ProgressFn& progress) {
  check(options);
  nn::set_num_threads(train_threads(options));
  const data::Dataset dataset = data::load_dataset(
      options.dataset,
      {.data_dir = options.data_dir, .validation_size = options.validation_size, .seed = 0});
  // Whether there are images enough is better known now than after minutes of measuring.
  train::total_steps(options.train, dataset.train.size());
  const std::shared_ptr<const space::Space> space = open_space(options, folder, dataset);
  progress({"data", 0, 0,
            fmt::format("{}: {} training, {} validation and {} test images; space {} of 10^{:.1f} "
                        "nets",
                        dataset.name, dataset.train.size(), dataset.validation.size(),
                        dataset.test.size(), space->name(), space->log10_num_nets())});

  const auto runner = make_runner(*space, options.latency, folder);
  const latency::BlockTable table =
      measure_latency(*space, *runner, options.latency, options.seed, folder, progress);
  const search::ReachableRange range = search::reachable_range(*space, table);
  progress({"latency", 0, 0,
            fmt::format("reachable: {:.3f} to {:.3f} ms (predicted)", range.fastest.predicted_ms,
                        range.slowest.predicted_ms)});

  nn::Supernet supernet(space, options.seed, options.train.shards);
  train(supernet, dataset, options, folder, progress);

  const train::Evaluator evaluator(dataset,
                                   {.augment = options.train.augment, .seed = options.seed});
  AccuracyOptions accuracy_options = options.accuracy;
  accuracy_options.threads = train_threads(options);
  const accuracy::PerceptronPredictor predictor = predict_accuracy(
      supernet, dataset, table, evaluator, accuracy_options, options.seed, folder, progress);

  Rng rng = Rng::derived(options.seed, {0x736561});
  const search::SearchResult found = search::search_targets(
      *space, table, predictor, targets(options, range), options.search, rng, progress);
  progress({"search", 0, 0,
            fmt::format("{} targets in one run: {} nets evaluated in {:.2f} s",
                        found.targets.size(), found.evaluations, found.seconds)});

  RunResult result{.dataset = dataset.name,
                   .device = table.costs().fingerprint,
                   .latency_error = table.costs().validation.value_or(latency::ModelError{}),
                   .accuracy_rmse = predictor.fit().rmse,
                   .accuracy_kendall = predictor.fit().kendall_tau,
                   .accuracy_samples = predictor.fit().samples,
                   .search_evaluations = found.evaluations,
                   .search_seconds = found.seconds};
  const Workshop shop{supernet, dataset, evaluator, *runner, options, folder, progress};
  for (const search::TargetResult& target : found.targets) {
    result.targets.push_back(hand_over(shop, target, found.front));
    progress({"verify", static_cast<std::int64_t>(result.targets.size()),
              static_cast<std::int64_t>(found.targets.size()),
              "target " + target_name(target.target_ms)});
  }
  write_json(folder.result(), to_json(result));
  return result;
}

}  // namespace lathe::run
