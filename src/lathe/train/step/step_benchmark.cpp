#include "lathe/train/step/step_benchmark.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/nn/device.h"

namespace lathe::train {
namespace {

constexpr double kLearningRate = 0.01;
constexpr std::int64_t kFewestRuns = 3;

}  // namespace

StepBenchmark::StepBenchmark(std::shared_ptr<const space::Space> space, const StepWork& work)
    : work_(work),
      space_(std::move(space)),
      weights_(space_, {.seed = work.seed,
                        .replicas = shards_here(work.group, work.shards),
                        .device = work.device}),
      optimizer_(make_optimizer(weights_.parameters(), {})),
      step_(weights_, {.shards = work.shards,
                       .threads = work.threads,
                       .kernels = work.kernels,
                       .precision = work.precision,
                       .group = work.group,
                       .reducer = work.reducer}) {
  if (work.batch_size < 1 || work.batch_size % work.shards != 0 || work.subnets < 1) {
    throw std::invalid_argument(
        "[train::StepBenchmark] batch_size must be a multiple of shards and subnets >= 1, got " +
        std::to_string(work.batch_size) + ", " + std::to_string(work.shards) + " and " +
        std::to_string(work.subnets));
  }
  Rng rng(work.seed);
  for (int i = 0; i < work.subnets; ++i) {
    const space::Arch arch = i == 0   ? space_->largest()
                             : i == 1 ? space_->smallest()
                                      : space_->sample(rng);
    nets_.emplace_back(space_->graph(arch));
    losses_.push_back({i == 0 ? Target::kLabels : Target::kFirstPass, 1.0});
    passes_.push_back({.net = &nets_.back(), .losses = {&losses_.back(), 1}});
  }
  const auto generator = at::detail::createCPUGenerator(work.seed);
  const auto layout =
      work.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  const graph::Shape input = nets_.front().graph().input_shape();
  const at::Tensor images =
      at::randn({work.batch_size, input.channels, input.height, input.width}, generator);
  const at::Tensor labels =
      at::randint(space_->task().num_classes, {work.batch_size}, generator, at::kLong);
  const std::int64_t part = work.batch_size / work.shards;
  for (int shard = 0; shard < work.shards; ++shard) {
    batches_.push_back(
        on_device({images.narrow(0, shard * part, part), labels.narrow(0, shard * part, part), {}},
                  work.device, layout));
  }
}

double StepBenchmark::train() {
  const auto batch_of = [&](int shard) { return batches_[static_cast<std::size_t>(shard)]; };
  const double loss = step_.run(0, passes_, batch_of).loss;
  optimizer_->step(kLearningRate, &step_.workers());
  return loss;
}

void StepBenchmark::infer() {
  nn::allow_tf32(work_.precision == nn::Precision::kTf32);
  nn::Workers& workers = step_.workers();
  workers.run([&](int worker) {
    const c10::NoGradGuard no_grad;
    for (int shard = worker; shard < weights_.parameters().replicas(); shard += workers.count()) {
      nets_.front().forward(weights_.bind(nets_.front().graph(), shard),
                            batches_[static_cast<std::size_t>(shard)].images,
                            {.kernels = work_.kernels, .precision = work_.precision});
    }
  });
  nn::synchronize(work_.device);
}

std::int64_t StepBenchmark::macs() const {
  std::int64_t macs = 0;
  for (const nn::Executor& net : nets_) {
    macs += graph::macs(net.graph());
  }
  return macs;
}

Pace measure_pace(const std::function<void()>& once, std::int64_t images,
                  const PaceOptions& options,
                  const std::function<void(std::int64_t run)>& after_run) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const Clock::time_point begin = Clock::now();
  do {
    once();
  } while (since(begin) < options.warmup_s);
  Pace pace;
  const Clock::time_point timed = Clock::now();
  const auto goes_on = [&](std::int64_t runs) {
    return options.runs > 0 ? runs < options.runs
                            : runs < kFewestRuns || since(timed) < options.seconds;
  };
  for (std::int64_t runs = 0; goes_on(runs); ++runs) {
    const Clock::time_point start = Clock::now();
    once();
    pace.seconds.push_back(since(start));
    if (after_run) after_run(runs + 1);
  }
  const auto rate = [&](double q) {
    return static_cast<double>(images) / quantile(pace.seconds, q);
  };
  pace.images_per_s = rate(0.5);
  pace.images_per_s_p10 = rate(0.9);
  pace.images_per_s_p90 = rate(0.1);
  return pace;
}

}  // namespace lathe::train
