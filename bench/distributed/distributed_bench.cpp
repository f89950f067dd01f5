// train::Step by one process with two threads, or by the processes of a launcher with one thread
// each, on data that are made up beforehand: lathe_distributed_bench [STEPS [BUCKET_BYTES]], and
// the same after `mpirun -n 2 --bind-to none`. Gradients are added while backward goes on, and
// after it, in turns. Prints a hash of the weights: the same for any number of processes.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/hash.h"
#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/dist/process_group.h"
#include "lathe/dist/shard_tree.h"
#include "lathe/nn/executor.h"
#include "lathe/nn/supernet.h"
#include "lathe/nn/threads.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/train/optimizer.h"
#include "lathe/train/step.h"

namespace lathe::bench {
namespace {

constexpr int kShards = 2;
constexpr int kInputSize = 64;
constexpr std::int64_t kBatch = 64;
constexpr double kLearningRate = 0.01;
constexpr std::int64_t kOnePiece = std::numeric_limits<std::int64_t>::max();

/// Weights, and two ways to train them.
struct Training {
  Training(const std::shared_ptr<const space::Space>& space, dist::ProcessGroup& group,
           const std::array<std::int64_t, 2>& bucket_bytes)
      : own(dist::shards_of(group.rank(), group.world_size(), kShards).count),
        weights(space, {.seed = 1, .replicas = own}),
        optimizer(train::make_optimizer(weights.parameters(), {})),
        steps{train::Step(weights, options(group, bucket_bytes[0])),
              train::Step(weights, options(group, bucket_bytes[1]))} {}

  train::StepOptions options(dist::ProcessGroup& group, std::int64_t bytes) const {
    return {.shards = kShards, .threads = own, .group = &group, .reducer = {.bucket_bytes = bytes}};
  }

  std::uint64_t hash() const {
    const at::Tensor& values = weights.parameters().values();
    const auto* bytes = static_cast<const std::uint8_t*>(values.data_ptr());
    return fnv1a(std::span(bytes, values.nbytes()));
  }

  int own;  // shards of this process
  nn::Supernet weights;
  std::unique_ptr<train::Optimizer> optimizer;
  std::array<train::Step, 2> steps;
};

/// What steps are made of: the largest net, and if `shrinking` the smallest and two random ones.
class Work {
 public:
  Work(const space::Space& space, bool shrinking) {
    Rng rng(1);
    nets_.emplace_back(space.graph(space.largest()));
    if (shrinking) {
      nets_.emplace_back(space.graph(space.smallest()));
      nets_.emplace_back(space.graph(space.sample(rng)));
      nets_.emplace_back(space.graph(space.sample(rng)));
    }
    for (const nn::Executor& net : nets_) {
      passes_.push_back({.net = &net, .losses = {&labels_alone_, 1}});
    }
    const auto generator = at::detail::createCPUGenerator(1);
    const at::Tensor images =
        at::randn({kBatch, space.task().in_channels, kInputSize, kInputSize}, generator);
    const at::Tensor labels = at::randint(space.task().num_classes, {kBatch}, generator, at::kLong);
    const std::int64_t part = kBatch / kShards;
    for (int shard = 0; shard < kShards; ++shard) {
      batches_.push_back(
          {images.narrow(0, shard * part, part).contiguous(at::MemoryFormat::ChannelsLast),
           labels.narrow(0, shard * part, part)});
    }
  }

  /// Gives the seconds of one step.
  double run(Training& training, train::Step& step, std::int64_t number) const {
    const auto before = std::chrono::steady_clock::now();
    step.run(number, passes_, [&](int shard) { return batches_[static_cast<std::size_t>(shard)]; });
    training.optimizer->step(kLearningRate);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  }

 private:
  train::LossTerm labels_alone_{train::Target::kLabels, 1.0};
  std::deque<nn::Executor> nets_;  // that stay where they are
  std::vector<train::StepPass> passes_;
  std::vector<train::Batch> batches_;  // by shard
};

/// Seconds in which the gradient is added while nothing else is done.
double seconds_alone(dist::ProcessGroup& group, const Training& training) {
  std::vector<double> seconds;
  for (int i = 0; i < 9; ++i) {
    group.barrier();
    const auto before = std::chrono::steady_clock::now();
    group.all_reduce_sum(training.weights.parameters().grads()).wait();
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count());
  }
  return median(seconds);
}

/// Median seconds of both kinds of steps.
std::array<double, 2> in_turns(const Work& work, Training& training, int steps) {
  std::array<std::vector<double>, 2> seconds;
  for (int i = -2; i < steps; ++i) {  // the first two of each warm up
    for (int j = 0; j < 2; ++j) {
      const auto kind = static_cast<std::size_t>((i + j) & 1);  // neither is always first
      const double s = work.run(training, training.steps[kind], i + 2);
      if (i >= 0) seconds[kind].push_back(s);
    }
  }
  return {median(seconds[0]), median(seconds[1])};
}

void run(int steps, std::int64_t bucket_bytes) {
  std::map<std::string, std::string> variables;
  for (const char* name : dist::launch_variables()) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  dist::ProcessGroup group(dist::launch_from(variables), {});
  nn::set_num_threads(1);
  const std::shared_ptr<const space::Space> space =
      space::make_space("ofa_mbv3_w1.0", {.input_size = kInputSize});
  for (const bool shrinking : {false, true}) {
    const Work work(*space, shrinking);
    // Of two steps that are alike the second is some percent faster, by where its threads' memory
    // lies: each kind is the first once.
    double during_s = 0, after_s = 0, alone_s = 0;
    std::uint64_t hash = 0;
    for (const bool during_first : {true, false}) {
      std::array<std::int64_t, 2> bytes{bucket_bytes, kOnePiece};
      if (!during_first) std::swap(bytes[0], bytes[1]);
      Training training(space, group, bytes);
      const std::array<double, 2> seconds = in_turns(work, training, steps);
      during_s += seconds[during_first ? 0 : 1] / 2;
      after_s += seconds[during_first ? 1 : 0] / 2;
      alone_s = seconds_alone(group, training);
      hash = training.hash();
      group.require_same({{"weights", hash}});
    }
    if (group.rank() == 0) {
      std::cout << group.world_size() << " process(es), " << (shrinking ? 4 : 1)
                << " net(s) a step: gradients added during backward " << kBatch / during_s
                << " images/s, after it " << kBatch / after_s << ", alone " << 1e3 * alone_s
                << " ms; weights " << std::hex << hash << std::dec << std::endl;
    }
  }
}

}  // namespace
}  // namespace lathe::bench

int main(int argc, char** argv) {
  try {
    lathe::bench::run(
        argc > 1 ? std::stoi(argv[1]) : 20,
        argc > 2 ? std::stoll(argv[2]) : lathe::train::GradientReducerOptions().bucket_bytes);
  } catch (const std::exception& error) {
    std::cerr << "lathe_distributed_bench: " << error.what() << "\n";
    return 1;
  }
}
