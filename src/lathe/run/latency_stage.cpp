#include "lathe/run/latency_stage.h"

#include <fmt/format.h>

#include "lathe/core/error.h"
#include "lathe/measure/block_benchmark.h"
#include "lathe/measure/random_net.h"
#include "lathe/measure/torch_runner.h"

namespace lathe::run {
namespace {

constexpr std::uint64_t kCalibrationStream = 0x6c6174;

std::vector<latency::LatencySample> calibration_samples(const space::Space& space,
                                                        measure::Runner& runner,
                                                        const LatencyOptions& options,
                                                        std::uint64_t seed,
                                                        const ProgressFn& progress) {
  Rng rng = Rng::derived(seed, {kCalibrationStream});
  std::vector<space::Arch> archs;
  for (int i = 0; i < options.calibration_nets; ++i) {
    archs.push_back(space.sample(rng));
  }
  return measure::benchmark_nets(runner, space, archs, options.net_timing, progress);
}

}  // namespace

std::unique_ptr<measure::Runner> make_runner(const space::Space& space,
                                             const LatencyOptions& options,
                                             const RunFolder& folder) {
  measure::TorchRunnerOptions runner{.threads = options.threads, .batch = options.batch};
  if (std::filesystem::exists(folder.latency_table())) {
    const latency::BlockTable table = latency::BlockTable::load(space, folder.latency_table());
    runner.channels_last = measure::is_channels_last(table.costs().fingerprint.runtime);
  }
  const graph::Net probe = measure::random_net(space, space.largest(), 1);
  return measure::make_torch_runner(probe, runner);
}

latency::BlockTable measure_latency(const space::Space& space, measure::Runner& runner,
                                    const LatencyOptions& options, std::uint64_t seed,
                                    const RunFolder& folder, const ProgressFn& progress) {
  const latency::Fingerprint here = measure::fingerprint(runner, space);
  if (std::filesystem::exists(folder.latency_table())) {
    latency::BlockTable table = latency::BlockTable::load(space, folder.latency_table());
    if (const auto different = latency::difference(table.costs().fingerprint, here)) {
      throw Error(folder.latency_table().string() + ": measured under other conditions (" +
                  *different + "); use another --out");
    }
    return table;
  }
  const latency::BlockTable alone(
      space, measure::benchmark_blocks(runner, space, options.block_timing, progress));
  const std::vector<latency::LatencySample> samples =
      calibration_samples(space, runner, options, seed, progress);
  std::filesystem::remove(folder.latency_samples());
  latency::SampleLog log(folder.latency_samples(), space, here);
  for (const latency::LatencySample& sample : samples) {
    log.append(sample);
  }
  const latency::ModelError before = latency::model_error(alone, samples);
  latency::BlockTable table = latency::calibrated(alone, samples);
  const latency::ModelError& after = *table.costs().validation;
  progress({"latency", 0, 0,
            fmt::format("{} blocks timed on {} ({}); on {} whole nets: MAPE {:.1f}% as summed, "
                        "{:.1f}% corrected (left-out nets), Spearman {:.3f}",
                        table.costs().coefficients_ms.size(), here.device, here.runtime,
                        samples.size(), 100 * before.mape, 100 * after.mape, after.spearman)});
  table.save(folder.latency_table());
  return table;
}

}  // namespace lathe::run
