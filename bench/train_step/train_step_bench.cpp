// One train::Step and SGD on data that are made up beforehand.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <cmath>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lathe/graph/counts.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/supernet.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/train/optimizer.h"
#include "lathe/train/step.h"
#include "train_step.h"

namespace lathe::bench {
namespace {

constexpr int kShards = 2;
constexpr double kLearningRate = 0.01;
constexpr double kTolerance = 1e-4;  // of the loss, relative

/// How a step is executed.
struct Whose {
  std::string name;
  nn::Kernels kernels;
  bool channels_last;
  int shards;  ///< 1: torch's threads share each operator; else each shard has its own
};

/// What is trained.
struct Work {
  std::string name;
  std::string space;
  int input_size;
  std::int64_t batch;
  bool shrinking;  ///< the largest, the smallest and two random nets; else the largest alone
};

class TrainStep {
 public:
  TrainStep(const Work& work, const Whose& whose, int threads)
      : space_(space::make_space(work.space, {.input_size = work.input_size})),
        weights_(space_, {.seed = 1, .replicas = whose.shards}),
        optimizer_(train::make_optimizer(weights_.parameters(), {})),
        step_(weights_, {.shards = whose.shards, .threads = threads, .kernels = whose.kernels}) {
    const auto add = [&](const space::Arch& arch, train::Target target) {
      nets_.emplace_back(space_->graph(arch));
      losses_.push_back({target, 1.0});
    };
    add(space_->largest(), train::Target::kLabels);
    if (work.shrinking) {
      Rng rng(1);
      add(space_->smallest(), train::Target::kFirstPass);
      add(space_->sample(rng), train::Target::kFirstPass);
      add(space_->sample(rng), train::Target::kFirstPass);
    }
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      passes_.push_back({.net = &nets_[i], .losses = {&losses_[i], 1}});
    }
    const auto generator = at::detail::createCPUGenerator(1);
    const auto layout =
        whose.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    const std::int64_t size = work.input_size;
    const at::Tensor images =
        at::randn({work.batch, space_->task().in_channels, size, size}, generator);
    const at::Tensor labels =
        at::randint(space_->task().num_classes, {work.batch}, generator, at::kLong);
    for (int shard = 0; shard < whose.shards; ++shard) {
      const std::int64_t part = work.batch / whose.shards;
      batches_.push_back({images.narrow(0, shard * part, part).contiguous(layout),
                          labels.narrow(0, shard * part, part)});
    }
  }

  /// Gives the mean loss of the first net.
  double run() {
    const auto batch_of = [&](int shard) { return batches_[static_cast<std::size_t>(shard)]; };
    const double loss = step_.run(0, passes_, batch_of).loss;
    optimizer_->step(kLearningRate);
    return loss;
  }

  std::int64_t macs() const {
    std::int64_t macs = 0;
    for (const nn::Executor& net : nets_) {
      macs += graph::macs(net.graph());
    }
    return macs;
  }

 private:
  std::shared_ptr<const space::Space> space_;
  nn::Supernet weights_;
  std::unique_ptr<train::Optimizer> optimizer_;
  train::Step step_;
  std::deque<nn::Executor> nets_;  // that stay where they are
  std::deque<train::LossTerm> losses_;
  std::vector<train::StepPass> passes_;
  std::vector<train::Batch> batches_;  // by shard
};

/// The loss before and, so that gradients count, after the first step.
std::pair<double, double> first_losses(const Work& work, const Whose& whose, int threads) {
  TrainStep step(work, whose, threads);
  const double before = step.run();
  return {before, step.run()};
}

bool agree(double a, double b) { return std::abs(a - b) <= kTolerance * std::abs(b); }

void time_steps(benchmark::State& state, const Work& work, const Whose& whose, int threads) {
  // Shards have batch-norm statistics of their own: the reference is split alike.
  const Whose plain{"plain", nn::Kernels::kLibrary, false, whose.shards};
  const auto got = first_losses(work, whose, threads);
  const auto want = first_losses(work, plain, threads);
  if (!agree(got.first, want.first) || !agree(got.second, want.second)) {
    state.SkipWithError("does not agree with the library's loss");
    return;
  }
  TrainStep step(work, whose, threads);
  step.run();
  for (auto _ : state) {
    benchmark::DoNotOptimize(step.run());
  }
  using benchmark::Counter;
  const auto images = static_cast<double>(work.batch);
  state.counters["images/s"] = Counter(images, Counter::kIsIterationInvariantRate);
  // Forward once and backward twice, a multiplication and an addition each.
  const double gflop = 6.0 * images * static_cast<double>(step.macs()) / 1e9;
  state.counters["GFLOP/s"] = Counter(gflop, Counter::kIsIterationInvariantRate);
}

}  // namespace

void register_train_steps(int threads) {
  const std::vector<Work> works{{"largest", "mbv3_28", 28, 64, false},
                                {"largest", "mbv3_28", 28, 128, false},
                                {"largest", "ofa_mbv3_w1.0", 64, 64, false},
                                {"shrinking", "mbv3_28", 28, 128, true}};
  const std::vector<Whose> all{{"lathe_shards", nn::Kernels::kLathe, true, kShards},
                               {"lathe", nn::Kernels::kLathe, true, 1},
                               {"library_channels_last", nn::Kernels::kLibrary, true, 1},
                               {"library_nchw", nn::Kernels::kLibrary, false, 1}};
  for (const Work& work : works) {
    for (const Whose& whose : all) {
      const std::string name =
          work.name + "/" + whose.name + "/" + work.space + "/" + std::to_string(work.batch);
      benchmark::RegisterBenchmark(
          name.c_str(), [=](benchmark::State& state) { time_steps(state, work, whose, threads); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
}

}  // namespace lathe::bench
