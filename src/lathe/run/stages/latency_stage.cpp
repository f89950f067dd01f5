#include "lathe/run/stages/latency_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/samples/block_log.h"
#include "lathe/latency/samples/sample_plan.h"
#include "lathe/measure/random_net.h"
#include "lathe/measure/runners/torch_runner.h"
#include "lathe/train/predictors/fit_latency_model.h"

namespace lathe::run {
namespace {

constexpr std::uint64_t kNetsStream = 0x6c6174;
constexpr int kFolds = 5;
constexpr double kWorthMore = 0.9;  // of its error is what half as many nets more should leave
constexpr auto kKind = train::LatencyModelKind::kRidge;

/// The runtime of what the folder has, or of the model that is given; empty if there is neither.
std::string known_runtime(const LatencyOptions& options, const RunFolder& folder) {
  for (const std::filesystem::path& model : {folder.latency_model(), options.model}) {
    if (!model.empty() && std::filesystem::exists(model)) {
      return latency::fingerprint_of_model(model).runtime;
    }
  }
  for (const std::filesystem::path& log : {folder.latency_samples(), folder.latency_blocks()}) {
    if (std::filesystem::exists(log) && !JsonLines(log).read().empty()) {
      return latency::read_measurements(log).fingerprint.runtime;
    }
  }
  return {};
}

std::unique_ptr<measure::Runner> make_runner(const space::Space& space,
                                             const LatencyOptions& options,
                                             const RunFolder& folder) {
  const graph::Net probe = measure::random_net(space, space.largest(), 1);
  const std::string runtime = known_runtime(options, folder);
  if (options.make_runner) {
    return options.make_runner(probe, runtime);
  }
  measure::TorchRunnerOptions torch;
  if (!runtime.empty()) {
    torch.channels_last = measure::is_channels_last(runtime);
  }
  return measure::make_torch_runner(probe, torch);
}

/// @throws Error if the model in `path` was not measured as nets are here.
std::unique_ptr<latency::StoredLatencyModel> model_from_file(const Device& device,
                                                             const std::filesystem::path& path,
                                                             const std::string& next_step) {
  auto model = latency::load_latency_model(*device.space, path);
  require_measured_so(model->fingerprint(), *device.runner, *device.space, path, next_step);
  return model;
}

double num_nets(const space::Space& space) { return std::pow(10.0, space.log10_num_nets()); }

/// The nets at both ends of the range, which are what targets are asked near, and then those that
/// hold what was seen least.
std::vector<space::Arch> nets_to_time(const space::Space& space, int count, std::uint64_t seed) {
  std::vector<space::Arch> nets{space.smallest(), space.largest()};
  const latency::PlanOptions plan{
      .samples = count - 2, .biased = space.weights_nest(), .seed = seed};
  for (space::Arch& net : latency::sample_plan(space, plan)) {
    nets.push_back(std::move(net));
  }
  return nets;
}

/// All that the folder's log has once it holds `nets`, drift undone: those that it lacks are timed.
std::vector<latency::LatencySample> timed(const Device& device, std::span<const space::Arch> nets,
                                          latency::SampleLog& log, const LatencyOptions& options,
                                          const RunFolder& folder, const ProgressFn& progress) {
  const std::filesystem::path path = folder.latency_samples();
  measure::collect_samples(*device.runner, *device.space,
                           latency::remaining(nets, log.samples(), path.string()), log,
                           options.collect, progress);
  return latency::read_samples(path, *device.space).samples;
}

std::unique_ptr<latency::StoredLatencyModel> model_of_nets(const Device& device,
                                                           const LatencyOptions& options,
                                                           std::uint64_t seed,
                                                           const RunFolder& folder,
                                                           const ProgressFn& progress) {
  const space::Space& space = *device.space;
  const latency::Fingerprint here = measure::fingerprint(*device.runner, space);
  const std::vector<space::Arch> plan = nets_to_time(space, options.most_nets, seed);
  latency::SampleLog log(folder.latency_samples(), space, here);
  std::optional<latency::ModelError> error;
  auto count = static_cast<std::size_t>(options.fewest_nets);
  for (;; count += std::max<std::size_t>(1, count / 2)) {
    count = std::min(count, plan.size());
    std::vector<latency::LatencySample> samples =
        timed(device, std::span(plan).first(std::max(count, log.samples().size())), log, options,
              folder, progress);
    // Of a log that goes further, as much as had been there: resumed or not, the same model.
    samples.erase(samples.begin() + static_cast<std::ptrdiff_t>(count), samples.end());
    const std::optional<latency::ModelError> before = error;
    error = train::cross_validated_error(kKind, space, samples, kFolds, {.seed = seed});
    const bool good = error && error->mape <= options.good_mape;
    const bool no_better = before && error && error->mape > kWorthMore * before->mape;
    const bool late = options.collect.in_time && !options.collect.in_time();
    if (count == plan.size() || good || no_better || late) {
      auto model = train::fit_latency_model(kKind, space, here, samples, {.seed = seed});
      model->set_validation(error);
      progress({"latency", 0, 0,
                fmt::format("ridge of {} whole nets{} on {} ({}); nets left out of it: {}{}",
                            samples.size(),
                            here.precision == measure::kFloat32 ? "" : " in " + here.precision,
                            here.device, here.runtime,
                            error ? fmt::format("MAPE {:.1f}%, Spearman {:.3f}", 100 * error->mape,
                                                error->spearman)
                                  : "too few to say",
                            late && !good ? "; its share of the budget is spent" : "")});
      return model;
    }
  }
}

std::unique_ptr<latency::StoredLatencyModel> model_of_blocks(const Device& device,
                                                             const LatencyOptions& options,
                                                             std::uint64_t seed,
                                                             const RunFolder& folder,
                                                             const ProgressFn& progress) {
  const space::Space& space = *device.space;
  const latency::Fingerprint here = measure::fingerprint(*device.runner, space);
  latency::BlockLog blocks(folder.latency_blocks(), space, here);
  measure::collect_blocks(*device.runner, space, blocks, options.collect, progress);
  const latency::BlockTable alone(space, latency::block_costs(here, blocks.measurements()));

  latency::SampleLog log(folder.latency_samples(), space, here);
  const std::vector<space::Arch> plan =
      latency::sample_plan(space, {.samples = options.calibration_nets, .seed = seed});
  const auto samples = timed(device, plan, log, options, folder, progress);
  const latency::ModelError before = latency::model_error(alone, samples);
  auto table = std::make_unique<latency::BlockTable>(latency::calibrated(alone, samples));
  const latency::ModelError& after = *table->validation();
  progress({"latency", 0, 0,
            fmt::format("{} blocks timed on {} ({}); on {} whole nets: MAPE {:.1f}% as summed, "
                        "{:.1f}% corrected (left-out nets), Spearman {:.3f}",
                        table->costs().coefficients_ms.size(), here.device, here.runtime,
                        samples.size(), 100 * before.mape, 100 * after.mape, after.spearman)});
  return table;
}

}  // namespace

void require_measured_so(const latency::Fingerprint& fingerprint, const measure::Runner& runner,
                         const space::Space& space, const std::filesystem::path& file,
                         const std::string& next_step) {
  if (const auto different =
          latency::difference(fingerprint, measure::fingerprint(runner, space))) {
    throw Error(file.string() + ": measured under other conditions (" + *different + "); " +
                next_step);
  }
}

Device measure_device(std::shared_ptr<const space::Space> space, const LatencyOptions& options,
                      std::uint64_t seed, const RunFolder& folder, const ProgressFn& progress) {
  Device device{.space = std::move(space), .runner = nullptr, .latency = nullptr};
  device.runner = make_runner(*device.space, options, folder);
  if (std::filesystem::exists(folder.latency_model())) {
    device.latency = model_from_file(device, folder.latency_model(), "use another --out");
    return device;
  }
  if (!options.model.empty()) {
    device.latency = model_from_file(
        device, options.model, "choose that --runner, or leave out --latency to measure here");
  } else {
    const std::uint64_t nets_seed = Rng::derived(seed, {kNetsStream}).next();
    const bool few = num_nets(*device.space) < static_cast<double>(train::kMinLatencySamples);
    device.latency = (options.blocks || few ? model_of_blocks : model_of_nets)(
        device, options, nets_seed, folder, progress);
  }
  device.latency->save(folder.latency_model());
  return device;
}

}  // namespace lathe::run
