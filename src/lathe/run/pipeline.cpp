#include "lathe/run/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "lathe/core/file.h"
#include "lathe/measure/random_net.h"
#include "lathe/nn/threads.h"
#include "lathe/run/accuracy_stage.h"
#include "lathe/run/answers.h"
#include "lathe/run/hand_over.h"
#include "lathe/run/latency_stage.h"
#include "lathe/run/plan_stage.h"
#include "lathe/run/train_stage.h"
#include "lathe/search/reachable_range.h"

namespace lathe::run {
namespace {

using Clock = std::chrono::steady_clock;

// Targets that are made up are rounded to this, so that they can be read and typed.
constexpr double kTargetStepsPerMs = 1000;

/// Ascending, each once.
std::vector<double> targets(const RunOptions& options, const search::ReachableRange& range) {
  std::vector<double> targets = options.targets_ms;
  const double low = range.fastest.predicted_ms;
  const double width = (range.slowest.predicted_ms - low) / options.num_targets;
  for (int i = 1; options.targets_ms.empty() && i <= options.num_targets; ++i) {
    targets.push_back(std::ceil((low + i * width) * kTargetStepsPerMs) / kTargetStepsPerMs);
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
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

/// A run's stages after the device was measured, all of them on the same things.
class Stages {
 public:
  Stages(const RunOptions& options, const RunFolder& folder, const ProgressFn& progress,
         Clock::time_point start)
      : options_(options),
        folder_(folder),
        progress_(progress),
        start_(start),
        trained_(prepare_training(options.training, folder, progress)),
        named_space_(trained_.space),
        runner_(make_runner(*named_space_, options.latency, folder)),
        table_(measure_latency(*named_space_, *runner_, options.latency, options.training.seed,
                               folder, progress)) {}

  RunResult execute();

 private:
  double elapsed_s() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void train(const std::vector<double>& feasible_ms);
  std::vector<Answer> answers(const std::vector<double>& feasible_ms, RunResult& result);
  std::vector<Answer> searched_answers(const std::vector<double>& feasible_ms, RunResult& result);
  FineTuneOptions fine_tuning() const;
  Workshop shop() const {
    return {trained_, job_, *evaluator_, *runner_, options_, folder_, progress_};
  }

  const RunOptions& options_;
  const RunFolder& folder_;
  const ProgressFn& progress_;
  Clock::time_point start_;
  Trained trained_;
  std::shared_ptr<const space::Space> named_space_;  // what archs are called by
  std::unique_ptr<measure::Runner> runner_;
  latency::BlockTable table_;  // of named_space_
  Decided decided_;
  TrainJob job_;
  std::optional<train::Evaluator> evaluator_;
};

/// The part of the space that the targets ask for, and what of it fits into the time.
void Stages::train(const std::vector<double>& feasible_ms) {
  const auto measure = [&](const space::Arch& arch) {
    const graph::Net net = measure::random_net(*named_space_, arch, options_.training.seed);
    return measure::latency_stats(
               runner_->time({&net, 1}, options_.winner_timing).front().times_ms())
        .p50_ms;
  };
  decided_ =
      plan_stage(trained_, options_, table_, feasible_ms, elapsed_s(), measure, folder_, progress_);
  job_ = decided_job(options_.training, decided_,
                     trained_.dataset.train.size() / options_.training.train.batch_size);
  if (decided_.bounds) {
    narrow(trained_, job_, *decided_.bounds);
  }
  if (!trained_.arch && (options_.sample_targets || decided_.plan)) {
    const latency::BlockTable table(*trained_.space, table_.costs());
    job_.method.draw = draw_near_targets(*trained_.space, table, feasible_ms);
  }
  train_stage(trained_, job_, folder_, progress_);
  evaluator_.emplace(trained_.dataset,
                     train::EvaluatorOptions{.augment = job_.train.augment, .seed = job_.seed});
}

FineTuneOptions Stages::fine_tuning() const {
  const int threads = threads_of(job_.threads);
  if (decided_.plan) {
    // One net a core: each of its steps takes as much longer as there are cores.
    const double step_s =
        threads * 0.5 * (decided_.plan->small_step_s + decided_.plan->joint_step_s);
    return {.steps = decided_.plan->fine_tune_steps, .step_s = step_s, .threads = threads};
  }
  const auto per_epoch = static_cast<double>(trained_.dataset.train.size() / job_.train.batch_size);
  return {.steps = std::llround(options_.fine_tune_epochs * per_epoch), .threads = threads};
}

std::vector<Answer> Stages::searched_answers(const std::vector<double>& feasible_ms,
                                             RunResult& result) {
  const latency::BlockTable table(*trained_.space, table_.costs());
  AccuracyOptions accuracy_options = options_.accuracy;
  accuracy_options.threads = threads_of(job_.threads);
  if (decided_.plan) {
    accuracy_options.samples = decided_.plan->accuracy_samples;
  }
  if (const double nets = std::pow(10.0, trained_.space->log10_num_nets());
      nets < accuracy_options.samples) {
    accuracy_options.samples = static_cast<int>(std::lround(nets));
  }
  const accuracy::PerceptronPredictor predictor =
      predict_accuracy(trained_, table, *evaluator_, accuracy_options, folder_, progress_);
  Rng rng = Rng::derived(job_.seed, {0x736561});
  const search::SearchResult found = search::search_targets(
      *trained_.space, table, predictor, feasible_ms, options_.search, rng, progress_);
  progress_({"search", 0, 0,
             fmt::format("{} targets in one run: {} nets evaluated in {:.2f} s",
                         found.targets.size(), found.evaluations, found.seconds)});
  result.accuracy_rmse = predictor.fit().rmse;
  result.accuracy_kendall = predictor.fit().kendall_tau;
  result.accuracy_samples = predictor.fit().samples;
  result.search_evaluations = found.evaluations;
  result.search_seconds = found.seconds;
  return find_answers(shop(), found,
                      {.predictor_rmse = predictor.fit().rmse, .fine_tune = fine_tuning()});
}

std::vector<Answer> Stages::answers(const std::vector<double>& feasible_ms, RunResult& result) {
  if (feasible_ms.empty()) {
    return {};
  }
  train(feasible_ms);
  if (!trained_.arch) {
    return searched_answers(feasible_ms, result);
  }
  return answers_of_one_net(shop(), feasible_ms, table_.predict_ms(*trained_.arch));
}

RunResult Stages::execute() {
  const search::ReachableRange range = search::reachable_range(*named_space_, table_);
  progress_({"latency", 0, 0,
             fmt::format("reachable: {:.3f} to {:.3f} ms (predicted)", range.fastest.predicted_ms,
                         range.slowest.predicted_ms)});
  RunResult result{.dataset = trained_.dataset.name,
                   .input = net_input(trained_.dataset, named_space_->task().input_size),
                   .device = table_.costs().fingerprint,
                   .latency_error = table_.costs().validation.value_or(latency::ModelError{})};
  std::vector<double> feasible_ms;
  for (const double target_ms : targets(options_, range)) {
    if (target_ms >= range.fastest.predicted_ms) {
      feasible_ms.push_back(target_ms);
    } else {
      result.targets.push_back(
          {.target_ms = target_ms, .feasible = false, .minimum_ms = range.fastest.predicted_ms});
    }
  }
  const std::vector<Answer> found = answers(feasible_ms, result);
  for (const Answer& answer : found) {
    result.targets.push_back(hand_over(shop(), answer, result.targets));
    progress_({"verify", static_cast<std::int64_t>(result.targets.size()),
               static_cast<std::int64_t>(found.size()), "target " + target_name(answer.target_ms)});
  }
  result.seconds = elapsed_s();
  write_json(folder_.result(), to_json(result));
  return result;
}

}  // namespace

RunResult run(const RunOptions& options, const RunFolder& folder, const ProgressFn& progress) {
  const Clock::time_point start = Clock::now();
  check(options);
  nn::set_num_threads(threads_of(options.training.threads));
  return Stages(options, folder, progress, start).execute();
}

}  // namespace lathe::run
