// One train::Step and SGD on data that are made up beforehand.
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "lathe/space/builtin_spaces.h"
#include "lathe/train/step/step_benchmark.h"
#include "train_step.h"

namespace lathe::bench {
namespace {

constexpr int kShards = 2;
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

train::StepBenchmark make(const Work& work, const Whose& whose, int threads) {
  return {space::make_space(work.space, {.input_size = work.input_size}),
          {.batch_size = work.batch,
           .subnets = work.shrinking ? 4 : 1,
           .shards = whose.shards,
           .threads = threads,
           .kernels = whose.kernels,
           .channels_last = whose.channels_last}};
}

/// The loss before and, so that gradients count, after the first step.
std::pair<double, double> first_losses(const Work& work, const Whose& whose, int threads) {
  train::StepBenchmark step = make(work, whose, threads);
  const double before = step.train();
  return {before, step.train()};
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
  train::StepBenchmark step = make(work, whose, threads);
  step.train();
  for (auto _ : state) {
    benchmark::DoNotOptimize(step.train());
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
