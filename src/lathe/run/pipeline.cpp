#include "lathe/run/pipeline.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>

#include "lathe/core/file.h"
#include "lathe/latency/models/part_model.h"
#include "lathe/measure/random_net.h"
#include "lathe/nn/threads.h"
#include "lathe/run/specialize.h"
#include "lathe/run/stages/forecast.h"
#include "lathe/run/stages/plan_stage.h"
#include "lathe/run/stages/train_stage.h"

namespace lathe::run {
namespace {

using Clock = std::chrono::steady_clock;

// Of the learning rate's peak, where answers are trained on alone: that they leave what they were
// as a part of the largest net. A fifth of the peak is as good (docs/what_pays.md).
constexpr double kAloneShare = 0.5;

// Of a budget, for the latency model: on a device with other work its nets would be timed again and
// again. Answers are measured anew in any case.
constexpr double kLatencyShare = 0.05;

LatencyOptions within_budget(const RunOptions& options, Clock::time_point start) {
  LatencyOptions latency = options.latency;
  if (options.budget_s > 0) {
    latency.collect.in_time = [start, share_s = kLatencyShare * options.budget_s] {
      return std::chrono::duration<double>(Clock::now() - start).count() < share_s;
    };
  }
  return latency;
}

void check(const RunOptions& o) {
  if (!train::trains_supernet(o.training.method.name)) {
    throw std::invalid_argument("[run::run] method " + o.training.method.name +
                                " trains one net, a run needs a supernet");
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
        device_(measure_device(trained_.space, within_budget(options, start), options.training.seed,
                               folder, progress)),
        noise_(measure_noise(device_, options, folder, progress)) {}

  RunResult execute();

 private:
  double elapsed_s() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void train();
  void plan(const std::vector<double>& feasible_ms);
  void prepare_job();
  void foretell();
  std::vector<Answer> answers(const std::vector<double>& feasible_ms, RunResult& result);
  AccuracyOptions accuracy_options() const;
  std::vector<TrainedAlone> ways_alone() const;
  Workshop shop() const {
    return {trained_, job_, *evaluator_, *device_.runner, noise_, options_, folder_, progress_};
  }

  RunOptions options_;
  const RunFolder& folder_;
  const ProgressFn& progress_;
  Clock::time_point start_;
  Trained trained_;
  Device device_;
  DeviceNoise noise_;
  Decided decided_;
  TrainJob job_;
  std::unique_ptr<latency::LatencyModel> latency_;  // of what is trained
  std::optional<train::Evaluator> evaluator_;
};

/// The part of the space that the targets ask for, and what of it fits into the time.
void Stages::plan(const std::vector<double>& feasible_ms) {
  const auto measure = [&](const space::Arch& arch) {
    const graph::Net net = measure::random_net(*device_.space, arch, options_.training.seed);
    return session_ms(*device_.runner, net, options_) / noise_.tail;
  };
  decided_ = plan_stage(trained_, options_, {*device_.latency, measure, noise_.deviation},
                        medians_of(feasible_ms, noise_), elapsed_s(), folder_, progress_);
  job_ = decided_job(options_.training, decided_,
                     trained_.dataset.train.size() / options_.training.train.batch_size);
  if (decided_.bounds) {
    trained_ = narrowed(trained_, job_, *decided_.bounds);
  }
}

/// How long training takes, by the pace of a few steps and the work of all.
void Stages::foretell() {
  if (decided_.plan) {
    return;  // which has said it
  }
  prepare_job();
  const double seconds = forecast_training(trained_, job_, folder_).seconds;
  progress_({"train", 0, 0,
             fmt::format("{:.4g} epochs take about {:.0f} s by the pace of the first steps",
                         job_.method.epochs, seconds)});
}

/// What drawing nets needs of the device.
void Stages::prepare_job() {
  latency_ = latency::model_of_part(*device_.latency, *trained_.space);
  if (!trained_.arch && options_.sample_targets && !decided_.plan) {
    job_.method.draw = draw_near_targets(*trained_.space, *latency_, decided_.targets_ms);
  }
  job_.latency = latency_.get();
  job_.method.targets_ms = decided_.targets_ms;
}

void Stages::train() {
  prepare_job();
  train_stage(trained_, job_, folder_, progress_);
  evaluator_.emplace(trained_.dataset,
                     train::EvaluatorOptions{.augment = job_.train.augment, .seed = job_.seed});
}

std::vector<TrainedAlone> Stages::ways_alone() const {
  if (!decided_.plan) {
    return run::ways_alone(options_, trained_, job_);
  }
  const Plan& plan = *decided_.plan;
  if (plan.fine_tune_nets == 0) {
    return {};
  }
  // On one thread each of a net's steps takes as much longer as there are threads.
  const int threads = threads_of(job_.threads);
  return {{.how = {.steps = plan.fine_tune_steps,
                   .learning_rate = kAloneShare * job_.method.learning_rate,
                   .teacher_share = 0,
                   .step_s = threads * fine_tune_step_s(plan),
                   .threads = threads},
           .at_most = plan.fine_tune_nets}};
}

AccuracyOptions Stages::accuracy_options() const {
  AccuracyOptions options = options_.accuracy;
  options.threads = threads_of(job_.threads);
  if (decided_.plan) {
    options.samples = decided_.plan->accuracy_samples;
  }
  if (const double nets = std::pow(10.0, trained_.space->log10_num_nets());
      nets < options.samples) {
    options.samples = static_cast<int>(std::lround(nets));
  }
  return options;
}

std::vector<Answer> Stages::answers(const std::vector<double>& feasible_ms, RunResult& result) {
  if (feasible_ms.empty()) {
    return {};
  }
  plan(feasible_ms);
  train();
  if (trained_.arch) {
    return answers_of_one_net(shop(), feasible_ms,
                              noise_.tail * latency_->predict_ms(*trained_.arch));
  }
  const Predictor predictor = predict_accuracy(trained_, *latency_, *evaluator_, accuracy_options(),
                                               folder_.root(), folder_, progress_);
  return searched_answers(shop(), *latency_, predictor, feasible_ms, ways_alone(), result);
}

RunResult Stages::execute() {
  Asked asked = ask(options_, *device_.space, *device_.latency, noise_, folder_, progress_);
  RunResult result = begun_result(trained_, device_, options_);
  result.targets = std::move(asked.infeasible);
  if (options_.dry_run) {
    if (!asked.feasible_ms.empty()) {
      plan(asked.feasible_ms);
      foretell();
    }
    return result;
  }
  if (const std::vector<Answer> found = answers(asked.feasible_ms, result); !found.empty()) {
    hand_over_all(shop(), found, result);
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
