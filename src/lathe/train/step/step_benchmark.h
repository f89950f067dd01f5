// How fast nets train and answer: steps on made-up images, repeated and timed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "lathe/nn/supernet.h"
#include "lathe/train/step/optimizer.h"
#include "lathe/train/step/step.h"

namespace lathe::train {

struct StepWork {
  std::int64_t batch_size = 64;
  /// 1: the largest net. More: the smallest and random ones beside it, which learn from it.
  int subnets = 1;
  int shards = 2;  ///< see StepOptions
  int threads = 2;
  nn::Kernels kernels = nn::Kernels::kLathe;
  nn::Precision precision = nn::Precision::kFloat32;
  bool channels_last = true;            ///< memory layout of the images; else NCHW
  c10::Device device = c10::kCPU;       ///< of weights and images, which lie there from the start
  std::uint64_t seed = 1;               ///< of weights, images and random nets
  dist::ProcessGroup* group = nullptr;  ///< of the processes that share the shards, see StepOptions
  GradientReducerOptions reducer;
};

/// One step is exactly what training does for a batch, augmentation apart: train::Step and SGD.
class StepBenchmark {
 public:
  /// @throws std::invalid_argument if the batch isn't a multiple of the shards, or as Step and
  /// nn::Supernet.
  StepBenchmark(std::shared_ptr<const space::Space> space, const StepWork& work);

  /// A training step; gives the largest net's mean loss.
  double train();
  /// The largest net's answers to a batch, shard by shard side by side (those of this process);
  /// with its running statistics, nothing is recorded.
  void infer();

  /// Of all nets of a step, for one image.
  std::int64_t macs() const;
  const nn::SharedWeights& weights() const { return weights_; }

 private:
  StepWork work_;
  std::shared_ptr<const space::Space> space_;
  nn::Supernet weights_;
  std::unique_ptr<Optimizer> optimizer_;
  Step step_;
  std::deque<nn::Executor> nets_;  // that stay where they are
  std::deque<LossTerm> losses_;
  std::vector<StepPass> passes_;
  std::vector<Batch> batches_;  // by shard
};

/// Times of repeated runs of one thing.
struct Pace {
  std::vector<double> seconds;  ///< each run's
  double images_per_s = 0;      ///< by the median
  double images_per_s_p10 = 0;  ///< a tenth of the runs were slower
  double images_per_s_p90 = 0;
};

struct PaceOptions {
  double warmup_s = 2;
  double seconds = 10;
  std::int64_t runs = 0;  ///< so many are timed, whatever they take; 0: as `seconds` says
};

/// Runs `once` until `warmup_s` have passed, and then until `seconds` have, at least three times.
/// `images`: of one run. `after_run` is told how many runs were timed, outside of their time.
Pace measure_pace(const std::function<void()>& once, std::int64_t images,
                  const PaceOptions& options,
                  const std::function<void(std::int64_t run)>& after_run = {});

}  // namespace lathe::train
