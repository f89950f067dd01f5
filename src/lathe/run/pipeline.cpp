#include "lathe/run/pipeline.h"

#include <fmt/format.h>

#include <cmath>

#include "lathe/core/file.h"
#include "lathe/nn/threads.h"
#include "lathe/run/accuracy_stage.h"
#include "lathe/run/hand_over.h"
#include "lathe/run/latency_stage.h"
#include "lathe/run/train_stage.h"
#include "lathe/search/reachable_range.h"

namespace lathe::run {
namespace {

// Targets that are made up are rounded to this, so that they can be read and typed.
constexpr double kTargetStepsPerMs = 1000;

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
  if (!train::trains_supernet(o.training.method.name)) {
    throw std::invalid_argument("[run::run] method " + o.training.method.name +
                                " trains one net, a run needs a supernet");
  }
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
  const TrainJob& job = options.training;
  const int threads = threads_of(job.threads);
  nn::set_num_threads(threads);
  Trained trained = prepare_training(job, folder, progress);
  const std::shared_ptr<const space::Space> space = trained.space;

  const auto runner = make_runner(*space, options.latency, folder);
  const latency::BlockTable table =
      measure_latency(*space, *runner, options.latency, job.seed, folder, progress);
  const search::ReachableRange range = search::reachable_range(*space, table);
  progress({"latency", 0, 0,
            fmt::format("reachable: {:.3f} to {:.3f} ms (predicted)", range.fastest.predicted_ms,
                        range.slowest.predicted_ms)});

  train_stage(trained, job, folder, progress);

  const train::Evaluator evaluator(trained.dataset,
                                   {.augment = job.train.augment, .seed = job.seed});
  AccuracyOptions accuracy_options = options.accuracy;
  accuracy_options.threads = threads;
  const accuracy::PerceptronPredictor predictor =
      predict_accuracy(trained, table, evaluator, accuracy_options, folder, progress);

  Rng rng = Rng::derived(job.seed, {0x736561});
  const search::SearchResult found = search::search_targets(
      *space, table, predictor, targets(options, range), options.search, rng, progress);
  progress({"search", 0, 0,
            fmt::format("{} targets in one run: {} nets evaluated in {:.2f} s",
                        found.targets.size(), found.evaluations, found.seconds)});

  RunResult result{.dataset = trained.dataset.name,
                   .device = table.costs().fingerprint,
                   .latency_error = table.costs().validation.value_or(latency::ModelError{}),
                   .accuracy_rmse = predictor.fit().rmse,
                   .accuracy_kendall = predictor.fit().kendall_tau,
                   .accuracy_samples = predictor.fit().samples,
                   .search_evaluations = found.evaluations,
                   .search_seconds = found.seconds};
  const Workshop shop{*trained.weights, *space,  trained.dataset, evaluator,
                      *runner,          options, folder,          progress};
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
