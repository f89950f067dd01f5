#include "lathe/measure/block_benchmark.h"

namespace lathe::measure {
namespace {

std::function<void(int, int)> forward(const ProgressFn& progress, const std::string& what) {
  return [&progress, what](int done, int total) {
    if (progress) {
      progress({"latency", done, total, what});
    }
  };
}

}  // namespace

latency::Fingerprint fingerprint(const Runner& runner, const space::Space& space) {
  return {.device = runner.device(),
          .runtime = runner.runtime(),
          .precision = "float32",
          .batch = runner.batch(),
          .threads = runner.threads(),
          .space = space.name(),
          .in_channels = space.task().in_channels,
          .num_classes = space.task().num_classes,
          .input_size = space.task().input_size};
}

latency::BlockCosts benchmark_blocks(Runner& runner, const space::Space& space,
                                     const TimingOptions& options, const ProgressFn& progress) {
  const std::vector<space::Block> blocks = space.distinct_blocks();
  std::vector<Runnable> runnables;
  for (const space::Block& block : blocks) {
    runnables.push_back(runner.prepare(random_net(space::lower({&block, 1}), 1)));
  }
  const std::vector<LatencyStats> stats =
      runner.time(runnables, options, forward(progress, "blocks timed alone"));
  latency::BlockCosts costs{.fingerprint = fingerprint(runner, space)};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    costs.coefficients_ms[blocks[i].key()] = stats[i].p50_ms;
  }
  return costs;
}

std::vector<latency::LatencySample> benchmark_nets(Runner& runner, const space::Space& space,
                                                   const std::vector<space::Arch>& archs,
                                                   const TimingOptions& options,
                                                   const ProgressFn& progress) {
  std::vector<Runnable> runnables;
  for (const space::Arch& arch : archs) {
    runnables.push_back(runner.prepare(random_net(space.graph(arch), 1)));
  }
  const std::vector<LatencyStats> stats =
      runner.time(runnables, options, forward(progress, "whole nets"));
  std::vector<latency::LatencySample> samples;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    samples.push_back({archs[i], stats[i].p50_ms, stats[i].p90_ms, stats[i].count});
  }
  return samples;
}

}  // namespace lathe::measure
