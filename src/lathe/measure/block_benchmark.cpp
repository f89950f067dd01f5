#include "lathe/measure/block_benchmark.h"

#include "lathe/core/statistics.h"
#include "lathe/measure/random_net.h"

namespace lathe::measure {
namespace {

TurnFn forward(const ProgressFn& progress, const std::string& what) {
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
          .precision = runner.precision(),
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
  std::vector<graph::Net> nets;
  for (const space::Block& block : blocks) {
    nets.push_back(random_net(space::lower({&block, 1}), 1));
  }
  const std::vector<Timing> timings =
      runner.time(nets, options, forward(progress, "blocks timed alone"));
  latency::BlockCosts costs{.fingerprint = fingerprint(runner, space)};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    costs.coefficients_ms[blocks[i].key()] = median(timings[i].times_ms());
  }
  return costs;
}

std::vector<latency::LatencySample> benchmark_nets(Runner& runner, const space::Space& space,
                                                   const std::vector<space::Arch>& archs,
                                                   const TimingOptions& options,
                                                   const ProgressFn& progress) {
  std::vector<graph::Net> nets;
  for (const space::Arch& arch : archs) {
    nets.push_back(random_net(space, arch, 1));
  }
  const std::vector<Timing> timings = runner.time(nets, options, forward(progress, "whole nets"));
  std::vector<latency::LatencySample> samples;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const LatencyStats stats = latency_stats(timings[i].times_ms());
    samples.push_back({archs[i], stats.p50_ms, stats.p90_ms, stats.count});
  }
  return samples;
}

}  // namespace lathe::measure
