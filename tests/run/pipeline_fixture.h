// A run from images to nets, as small as it gets.
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/run/pipeline.h"
#include "run/synthetic_images.h"

namespace lathe::run {

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() : threads_before_(at::get_num_threads()) {
    testing::write_synthetic_dataset(temporary_ / "data", 600, 200);
    options_.training.data.data_dir = temporary_ / "data";
    options_.training.data.validation_size = 100;
    options_.targets_ms = {1e-6, 1000};
    options_.latency.collect.timing = {.warmup_runs = 1, .rounds = 3, .runs_per_round = 2};
    options_.latency.fewest_nets = options_.latency.most_nets = 20;
    options_.candidates = 4;
    options_.training.method.epochs = 2;
    options_.training.train.batch_size = 50;
    options_.training.threads = 1;
    options_.accuracy = {.samples = 10, .validation_images = 100, .folds = 2};
    options_.accuracy.fit.hidden = {16};
    options_.accuracy.fit.epochs = 20;
    options_.search.max_evaluations = 160;
    options_.winner_timing = options_.latency.collect.timing;
  }
  ~PipelineTest() override { at::set_num_threads(threads_before_); }

  RunFolder open() { return RunFolder::open(temporary_ / "out", "[run]\n", /*resume=*/true); }

  RunResult run_once() {
    stages_.clear();
    return run(options_, open(), [&](const Progress& p) {
      if (p.total > 0) {
        stages_.insert(p.stage);
      }
    });
  }

  /// The device's latency model is left for the next run, which takes it as it is.
  void measure_only() {
    options_.dry_run = true;
    options_.targets_ms = {1e-6};  // nothing is planned for it
    run_once();
    options_.dry_run = false;
  }

  std::filesystem::path out(const std::string& name) const { return temporary_ / ("out/" + name); }

  testing::TemporaryFolder temporary_;
  RunOptions options_;
  std::set<std::string> stages_;  ///< that reported steps of their work in the last run

 private:
  int threads_before_;
};

}  // namespace lathe::run
