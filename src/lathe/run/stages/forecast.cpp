#include "lathe/run/stages/forecast.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "lathe/graph/counts.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/nn/threads.h"
#include "lathe/train/schedule.h"
#include "lathe/train/strategy.h"

namespace lathe::run {
namespace {

constexpr std::int64_t kTriedSteps = 30, kPlannedSteps = 100;
constexpr double kForwardShare = 1.0 / 3;  // of a pass, which goes back twice as far

/// Multiply-accumulates of a step for one image, in units of one that goes forward and back.
double work_of(const train::StepPlan& plan, const space::Space& space) {
  double work = 0;
  bool teacher = false;
  for (const train::Pass& pass : plan.passes) {
    work += static_cast<double>(graph::macs(space.graph(pass.arch)));
    teacher |= std::ranges::any_of(pass.losses, [](const train::LossTerm& term) {
      return term.target == train::Target::kTeacher;
    });
  }
  if (teacher) {
    work += kForwardShare * static_cast<double>(graph::macs(space.graph(space.largest())));
  }
  return work;
}

/// Mean of `count` steps spread evenly over [0, end).
double mean_work(const train::Strategy& strategy, const space::Space& space, std::int64_t end,
                 std::int64_t count) {
  count = std::min(count, end);
  double work = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    work += work_of(strategy.plan(i * end / count), space);
  }
  return work / static_cast<double>(count);
}

/// How `job` begins: "aows" without a latency model, which it asks nothing yet.
TrainJob beginning_of(TrainJob job) {
  if (job.method.name == "aows") {
    job.method.name = "slimmable";
  }
  return job;
}

}  // namespace

TrainingForecast forecast_training(const Trained& trained, const TrainJob& job,
                                   const train::StepSeconds& first_steps) {
  const double mean_s = job.method.small_images.mean_s(first_steps);  // if all were as the first
  TrainingForecast forecast{.epochs = job.method.epochs, .first_step_s = first_steps.full};
  const std::int64_t images = trained.dataset.train.size(), batch = job.train.batch_size;
  if (job.budget_s > 0) {
    forecast.epochs = job.budget_s / mean_s / static_cast<double>(images / batch);
  }
  forecast.steps = train::steps_of(forecast.epochs, batch, images);
  const auto of_file = job.latency_file.empty()
                           ? nullptr
                           : latency::load_latency_model(*trained.space, job.latency_file);
  const auto strategy = [&](const TrainJob& of) {
    return train::make_strategy(*trained.space, of.method, forecast.steps, images / batch,
                                trained.arch, of.seed, of_file ? of_file.get() : of.latency);
  };
  const space::Space& space = trained.with_heads ? *trained.with_heads : *trained.space;
  const double tried_work = mean_work(*strategy(beginning_of(job)), space,
                                      std::min(kTriedSteps, forecast.steps), kTriedSteps);
  const double work = mean_work(*strategy(job), space, forecast.steps, kPlannedSteps);
  forecast.seconds = mean_s * static_cast<double>(forecast.steps) * work / tried_work;
  return forecast;
}

TrainingForecast forecast_training(const Trained& trained, const TrainJob& job,
                                   const RunFolder& folder) {
  return forecast_training(trained, job, measure_step_s(trained, beginning_of(job), folder));
}

double evaluation_s(const nn::SharedWeights& weights, const train::Evaluator& evaluator,
                    const graph::Graph& net, std::int64_t validation_images, int threads) {
  nn::Workers workers(threads, 1);
  const std::vector<graph::Graph> nets(static_cast<std::size_t>(threads), net);
  const auto start = std::chrono::steady_clock::now();
  evaluator.validation_top1(weights, nets, validation_images, &workers);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return seconds.count() / threads;
}

}  // namespace lathe::run
