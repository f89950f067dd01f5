// Everything that `lathe run` and `lathe specialize` can be told; the defaults are the quick run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/measure/collect.h"
#include "lathe/measure/runners/runner.h"
#include "lathe/run/answers/int8.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/search/search_targets.h"
#include "lathe/train/predictors/fit_accuracy_predictor.h"

namespace lathe::run {

/// Makes what nets are timed by. `probe` is the space's largest net; `known_runtime` that of
/// earlier measurements to go on with, or empty.
using MakeRunnerFn = std::function<std::unique_ptr<measure::Runner>(
    const graph::Net& probe, const std::string& known_runtime)>;

/// The device that nets are for, and what its latency model is made from.
struct LatencyOptions {
  MakeRunnerFn make_runner;     ///< empty: torch, one thread, one image
  std::filesystem::path model;  ///< a model of this device that is there; empty: one is fitted
  bool blocks = false;          ///< from every block timed alone, not from whole nets
  int fewest_nets = 100;        ///< timed whole, ...
  int most_nets = 300;          ///< ... and more until the model errs less than
  double good_mape = 0.02;      ///< this on nets left out of it
  int calibration_nets = 30;    ///< with `blocks`: whole nets that correct their sum
  measure::CollectOptions collect;
};

struct AccuracyOptions {
  int samples = 80;                       ///< subnets evaluated, evenly over the latency range
  std::int64_t validation_images = 5000;  ///< for each
  int threads = 1;                        ///< subnets evaluated side by side
  int folds = 5;                          ///< of the cross-validation that states the error
  train::FitPerceptronOptions fit = train::accuracy_perceptron();
};

/// What trained nets are asked, and how carefully it is answered.
struct SpecializeOptions {
  std::vector<double> targets_ms;  ///< empty: num_targets, evenly over the reachable range
  int num_targets = 5;
  LatencyOptions latency;
  /// Set: nets are compared, judged and handed over in 8 bits; the runner has to time them so.
  /// Trained and predicted they are in float32 all the same.
  std::optional<Int8Options> int8;
  AccuracyOptions accuracy;
  search::SearchOptions search;
  /// What answers may cost besides latency, of the whole space; empty: as `search` says.
  std::function<search::Constraints(const space::Space&)> limits;
  /// What a run may take beside time, of runners that say so; infinity: whatever it takes.
  double max_energy_mj = std::numeric_limits<double>::infinity();
  double max_device_memory_mb = std::numeric_limits<double>::infinity();
  int candidates = 4;              ///< of each target, evaluated on the validation images
  double fine_tune_epochs = 0;     ///< of each answer alone
  double from_scratch_epochs = 0;  ///< of each answer's arch alone, from random weights
  /// Of a session's runs what a target is about: 0.5 is the median, 0.9 a tenth from the slowest.
  double quantile = 0.5;
  /// That every answer said to be within its target is, all of them together.
  double confidence = 0.95;
  /// Of one session; more runs where a quantile needs them (session_timing()).
  measure::TimingOptions winner_timing{
      .warmup_runs = 10, .rounds = 4, .runs_per_round = 25, .round_ms = 100};
  int winner_attempts = 12;  ///< candidates measured per target before giving up
  /// Ends when the device is measured: what is reachable, and what the rest would take, is told.
  bool dry_run = false;
};

struct RunOptions : SpecializeOptions {
  TrainJob training;
  /// Seconds that the whole run may take: what is trained and for how long follows from it, and
  /// `training`'s method and epochs, `accuracy`'s samples and the epochs of answers alone don't
  /// count. 0: as they say.
  double budget_s = 0;
  /// Train only nets that can be answers to the targets (search::target_bounds). Always with a
  /// budget.
  bool sample_targets = false;
};

}  // namespace lathe::run
