// One step is what train::train_supernet does for one batch: forward, loss and backward of each of
// its nets, then SGD. Data are made up beforehand.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "lathe/graph/counts.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/supernet.h"
#include "lathe/nn/threads.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/train/loss.h"
#include "lathe/train/sgd.h"
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
      : whose_(whose),
        supernet_(space::make_space(work.space, {.input_size = work.input_size}), 1, whose.shards),
        optimizer_(supernet_.parameters(), {}),
        workers_(std::min(whose.shards, threads), std::max(1, threads / whose.shards)) {
    const space::Space& space = supernet_.space();
    archs_ = {space.largest()};
    if (work.shrinking) {
      Rng rng(1);
      archs_.push_back(space.smallest());
      archs_.push_back(space.sample(rng));
      archs_.push_back(space.sample(rng));
    }
    const auto generator = at::detail::createCPUGenerator(1);
    const auto layout =
        whose.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    const std::int64_t size = work.input_size;
    const at::Tensor images =
        at::randn({work.batch, space.task().in_channels, size, size}, generator);
    const at::Tensor labels =
        at::randint(space.task().num_classes, {work.batch}, generator, at::kLong);
    for (int shard = 0; shard < whose.shards; ++shard) {
      const std::int64_t part = work.batch / whose.shards;
      images_.push_back(images.narrow(0, shard * part, part).contiguous(layout));
      labels_.push_back(labels.narrow(0, shard * part, part));
    }
  }

  /// Gives the mean loss of the first net.
  double run() {
    std::vector<double> losses(images_.size());
    if (whose_.shards == 1) {
      losses[0] = run_shard(0);
    } else {
      workers_.run([&](int worker) {
        for (int shard = worker; shard < whose_.shards; shard += workers_.count()) {
          losses[static_cast<std::size_t>(shard)] = run_shard(shard);
        }
      });
      const c10::NoGradGuard no_grad;
      for (int shard = 1; shard < whose_.shards; ++shard) {
        supernet_.parameters().grads().add_(supernet_.parameters().grads(shard));
        supernet_.parameters().grads(shard).zero_();
      }
    }
    optimizer_.step(kLearningRate);
    double sum = 0;
    for (const double loss : losses) {
      sum += loss;
    }
    return sum / static_cast<double>(losses.size());
  }

  std::int64_t macs() const {
    std::int64_t macs = 0;
    for (const space::Arch& arch : archs_) {
      macs += graph::macs(supernet_.space().graph(arch));
    }
    return macs;
  }

 private:
  double run_shard(int shard) {
    const auto index = static_cast<std::size_t>(shard);
    at::Tensor first_logits;
    double first_loss = 0;
    for (const space::Arch& arch : archs_) {
      const nn::Executor net(supernet_.space().graph(arch));
      const at::Tensor logits =
          net.forward(supernet_.bind(net.graph(), shard), images_[index],
                      {.training = true, .dropout = false, .kernels = whose_.kernels});
      const at::Tensor loss = first_logits.defined()
                                  ? train::soft_label_loss(logits, first_logits)
                                  : train::label_loss(logits, labels_[index], 0.1);
      (loss / whose_.shards).backward();
      if (!first_logits.defined()) {
        first_logits = logits.detach();
        first_loss = loss.item<double>();
      }
    }
    return first_loss;
  }

  Whose whose_;
  nn::Supernet supernet_;
  train::Sgd optimizer_;
  nn::Workers workers_;
  std::vector<space::Arch> archs_;
  std::vector<at::Tensor> images_;  // by shard
  std::vector<at::Tensor> labels_;
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
