// Everything that `lathe run` can be told; the defaults are the quick run.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/measure/timing.h"
#include "lathe/run/train_stage.h"
#include "lathe/search/search_targets.h"
#include "lathe/train/fit_perceptron.h"

namespace lathe::run {

/// The device that nets are for, and how carefully it is measured.
struct LatencyOptions {
  int threads = 1;
  int batch = 1;
  measure::TimingOptions block_timing{.warmup_runs = 10, .rounds = 30, .runs_per_round = 10};
  measure::TimingOptions net_timing{.warmup_runs = 10, .rounds = 15, .runs_per_round = 20};
  int calibration_nets = 30;  ///< random whole nets that state and correct the table's error
};

struct AccuracyOptions {
  int samples = 80;                       ///< subnets evaluated, evenly over the latency range
  std::int64_t validation_images = 5000;  ///< for each
  int threads = 1;                        ///< subnets evaluated side by side
  int folds = 5;                          ///< of the cross-validation that states the error
  train::FitPerceptronOptions fit;
};

struct RunOptions {
  TrainJob training;
  /// Seconds that the whole run may take: what is trained and for how long follows from it, and
  /// `training`'s method and epochs and `accuracy`'s samples don't count. 0: as they say.
  double budget_s = 0;
  /// Train only nets that can be answers to the targets (search::target_bounds). Always with a
  /// budget.
  bool sample_targets = false;
  double fine_tune_epochs = 0;     ///< of each answer alone, without a budget
  std::vector<double> targets_ms;  ///< empty: num_targets, evenly over the reachable range
  int num_targets = 5;
  LatencyOptions latency;
  AccuracyOptions accuracy;
  search::SearchOptions search;
  measure::TimingOptions winner_timing{.warmup_runs = 20, .rounds = 30, .runs_per_round = 20};
  int winner_attempts = 12;  ///< candidates measured per target before giving up
};

}  // namespace lathe::run
