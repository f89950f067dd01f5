#include "lathe/run/specialize.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "lathe/core/file.h"
#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/part_model.h"
#include "lathe/nn/threads.h"
#include "lathe/run/answers/beyond_training.h"
#include "lathe/run/answers/hand_over.h"
#include "lathe/search/reachable_range.h"
#include "lathe/space/subspace.h"

namespace lathe::run {
namespace {

constexpr std::uint64_t kSearchStream = 0x736561;

// Targets that are made up are rounded to this, so that they can be read and typed.
constexpr double kTargetStepsPerMs = 1000;
constexpr double kRoomOfOneNet = 1.04;

void check(const SpecializeOptions& options) {
  if (options.targets_ms.empty() && options.num_targets < 1) {
    throw std::invalid_argument("[run::ask] num_targets must be >= 1, got " +
                                std::to_string(options.num_targets));
  }
  for (const double target : options.targets_ms) {
    if (!std::isfinite(target) || target <= 0) {
      throw std::invalid_argument("[run::ask] targets must be > 0 ms, got " +
                                  std::to_string(target));
    }
  }
}

/// Of the folder's result, if it has one.
std::vector<double> answered_before(const RunFolder& folder) {
  std::vector<double> targets_ms;
  if (std::filesystem::exists(folder.result())) {
    const std::string where = folder.result().string();
    const nlohmann::json result = read_json(folder.result());
    for (const auto& target : json_member<std::vector<nlohmann::json>>(result, "targets", where)) {
      targets_ms.push_back(json_member<double>(target, "target_ms", where));
    }
  }
  return targets_ms;
}

std::vector<double> targets_of(const SpecializeOptions& options,
                               const search::ReachableRange& range, const RunFolder& folder) {
  std::vector<double> targets = options.targets_ms;
  double low = range.fastest.predicted_ms;
  if (low == range.slowest.predicted_ms) {  // one net, whose sessions differ: with room for that
    low *= kRoomOfOneNet;
  }
  const double width = std::max(0.0, range.slowest.predicted_ms - low) / options.num_targets;
  for (int i = 1; options.targets_ms.empty() && i <= options.num_targets; ++i) {
    targets.push_back(std::ceil((low + i * width) * kTargetStepsPerMs) / kTargetStepsPerMs);
  }
  const std::vector<double> before = answered_before(folder);
  targets.insert(targets.end(), before.begin(), before.end());
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

/// The steps of a training of its own, at the rates that nets alone begin with.
FineTuneOptions way(double epochs, bool from_scratch, const Trained& trained, const TrainJob& job) {
  const auto per_epoch = static_cast<double>(trained.dataset.train.size() / job.train.batch_size);
  FineTuneOptions options{.steps = std::llround(epochs * per_epoch),
                          .from_scratch = from_scratch,
                          .threads = threads_of(job.threads)};
  if (from_scratch) {
    options.learning_rate = job.method.learning_rate;
    options.warmup_steps = std::llround(job.method.warmup_epochs * per_epoch);
    options.teacher_share = 0;
  }
  return options;
}

/// What was trained is a part of its space: what that leaves out is said.
void tell_part(const space::Space& nets, const latency::LatencyModel& whole, const Device& device,
               const ProgressFn& progress) {
  if (dynamic_cast<const space::Subspace*>(&nets) == nullptr) {
    return;
  }
  const search::ReachableRange of_whole = search::reachable_range(*device.space, whole);
  progress(
      {"train", 0, 0,
       fmt::format("trained for other targets: of the space's nets, which take {:.3f} to "
                   "{:.3f} ms here, {}",
                   of_whole.fastest.predicted_ms, of_whole.slowest.predicted_ms,
                   nets.decisions().empty() ? "one alone"
                                            : "those between its smallest and largest alone")});
}

std::vector<double> all_of(const Asked& asked) {
  std::vector<double> targets_ms;
  for (const TargetResult& target : asked.infeasible) targets_ms.push_back(target.target_ms);
  targets_ms.insert(targets_ms.end(), asked.feasible_ms.begin(), asked.feasible_ms.end());
  return targets_ms;
}

/// What is predicted of medians, at the quantile that is asked for.
void to_quantile(search::SearchResult& found, const std::vector<double>& targets_ms,
                 const DeviceNoise& noise) {
  const auto scale = [&](std::vector<search::Candidate>& candidates) {
    for (search::Candidate& candidate : candidates) {
      candidate.predicted_ms *= noise.tail;
    }
  };
  scale(found.front);
  for (std::size_t i = 0; i < found.targets.size(); ++i) {
    found.targets[i].target_ms = targets_ms[i];
    found.targets[i].minimum_ms *= noise.tail;
    scale(found.targets[i].candidates);
  }
}

}  // namespace

std::vector<double> medians_of(const std::vector<double>& targets_ms, const DeviceNoise& noise) {
  std::vector<double> medians_ms = targets_ms;
  for (double& ms : medians_ms) {
    ms /= noise.tail;
  }
  return medians_ms;
}

namespace {

/// What a net costs of all that is limited, beside the limits: `1.94 MMACs (--max-macs is 1), ...`.
std::string cost_beside(const graph::Graph& net, const search::Constraints& constraints) {
  std::string text;
  const auto add = [&](double cost, double unit, const char* name, const char* option,
                       const std::optional<double>& limit) {
    if (limit) {
      text += fmt::format("{}{:.3g} {} ({} is {:.3g})", text.empty() ? "" : ", ", cost / unit, name,
                          option, *limit / unit);
    }
  };
  const auto peak_bytes = static_cast<double>(graph::peak_memory_bytes(net));
  add(static_cast<double>(graph::macs(net)), 1e6, "MMACs", "--max-macs", constraints.max_macs);
  add(static_cast<double>(graph::params(net)), 1e6, "M parameters", "--max-params",
      constraints.max_params);
  add(peak_bytes / 1e6, 1, "MB", "--max-memory-mb", constraints.max_memory_mb);
  return text;
}

/// What no net is said to be faster than: a model of few nets, timed while the device had other
/// work, may say anything of the fastest, less than nothing even. Of cells the net of the first
/// choices is not the fastest, but not that far from it.
double least_ms(const DeviceNoise& noise) {
  constexpr double kShareOfTheSmallest = 0.25;
  return kShareOfTheSmallest * median(noise.sentinels.front().session_ms);
}

}  // namespace

search::Constraints constraints_of(const SpecializeOptions& options, const space::Space& space) {
  return options.limits ? options.limits(space::whole_of(space)) : options.search.constraints;
}

Asked ask(const SpecializeOptions& options, const space::Space& space,
          const latency::LatencyModel& latency, const DeviceNoise& noise, const RunFolder& folder,
          const ProgressFn& progress) {
  check(options);
  const search::Constraints constraints = constraints_of(options, space);
  const bool limited = constraints != search::Constraints{};
  const std::optional<search::ReachableRange> within =
      limited ? search::range_within(space, latency, search::CostLimits(space, constraints))
              : search::reachable_range(space, latency);
  search::ReachableRange range = within ? *within : search::reachable_range(space, latency);
  range.fastest.predicted_ms = std::max(noise.tail * range.fastest.predicted_ms, least_ms(noise));
  range.slowest.predicted_ms *= noise.tail;
  const double fastest_ms =
      within ? range.fastest.predicted_ms : std::numeric_limits<double>::infinity();
  progress({"latency", 0, 0,
            within ? fmt::format("reachable{}: {:.3f} to {:.3f} ms (predicted)",
                                 limited ? " within the limits" : "", fastest_ms,
                                 range.slowest.predicted_ms)
                   : "no net is within the limits: the smallest has " +
                         cost_beside(space.graph(space.smallest()), constraints)});
  Asked asked;
  for (const double target_ms : targets_of(options, range, folder)) {
    if (target_ms >= fastest_ms) {
      asked.feasible_ms.push_back(target_ms);
    } else {
      asked.infeasible.push_back(
          {.target_ms = target_ms, .feasible = false, .minimum_ms = fastest_ms});
    }
  }
  progress({"latency", 0, 0,
            fmt::format("{} of {} targets can be met", asked.feasible_ms.size(),
                        asked.feasible_ms.size() + asked.infeasible.size())});
  return asked;
}

RunResult begun_result(const Trained& trained, const Device& device,
                       const SpecializeOptions& options) {
  if (options.int8 && device.runner->precision() == measure::kFloat32) {
    throw std::invalid_argument("[run::begun_result] int8 needs a runner of nets in 8 bits, got " +
                                device.runner->precision());
  }
  return {.dataset = trained.dataset.name,
          .input = net_input(trained.dataset, device.space->task().input_size),
          .device = device.latency->fingerprint(),
          .quantile = options.quantile,
          .confidence = options.confidence,
          .latency_error = device.latency->validation().value_or(latency::ModelError{})};
}

std::vector<Answer> searched_answers(const Workshop& shop, const latency::LatencyModel& latency,
                                     const Predictor& predictor,
                                     const std::vector<double>& feasible_ms,
                                     const std::vector<TrainedAlone>& alone, RunResult& result) {
  search::SearchOptions options = shop.options.search;
  if (latency.slot_costs() != nullptr && predictor.model->error_costs() != nullptr) {
    options.strategy = search::Strategy::kPareto;
  }
  options.candidates_per_target = std::max(options.candidates_per_target, shop.options.candidates);
  options.constraints = constraints_of(shop.options, *shop.trained.space);
  Rng rng = Rng::derived(shop.trained.seed, {kSearchStream});
  search::SearchResult found =
      search::search_targets(*shop.trained.space, latency, *predictor.model,
                             medians_of(feasible_ms, shop.noise), options, rng, shop.progress);
  to_quantile(found, feasible_ms, shop.noise);
  shop.progress({"search", 0, 0,
                 fmt::format("{} targets in one run: {} nets evaluated in {:.2f} s",
                             found.targets.size(), found.evaluations, found.seconds)});
  for (const search::TargetResult& target : found.targets) {
    if (!target.feasible) {
      result.targets.push_back(
          {.target_ms = target.target_ms, .feasible = false, .minimum_ms = target.minimum_ms});
    }
  }
  result.accuracy_rmse = predictor.rmse;
  result.accuracy_kendall = predictor.kendall_tau;
  result.accuracy_samples = predictor.samples;
  result.search_evaluations = found.evaluations;
  result.search_seconds = found.seconds;
  return find_answers(shop, found, {.predictor_rmse = predictor.rmse, .alone = alone});
}

std::vector<TrainedAlone> ways_alone(const SpecializeOptions& options, const Trained& trained,
                                     const TrainJob& job) {
  std::vector<TrainedAlone> ways;
  if (options.fine_tune_epochs > 0) {
    ways.push_back({.how = way(options.fine_tune_epochs, false, trained, job)});
  }
  if (options.from_scratch_epochs > 0) {
    ways.push_back({.how = way(options.from_scratch_epochs, true, trained, job)});
  }
  return ways;
}

void hand_over_all(const Workshop& shop, const std::vector<Answer>& answers, RunResult& result) {
  std::int64_t done = 0;
  for (const Answer& answer : answers) {
    result.targets.push_back(hand_over(shop, answer, result.targets));
    shop.progress({"verify", ++done, static_cast<std::int64_t>(answers.size()),
                   "target " + target_name(answer.target_ms)});
  }
}

RunResult specialize(const std::filesystem::path& from, const std::filesystem::path& data_dir,
                     int threads, const std::string& train_device, const SpecializeOptions& options,
                     const RunFolder& folder, const ProgressFn& progress) {
  const auto start = std::chrono::steady_clock::now();
  check(options);
  nn::set_num_threads(threads_of(threads));
  const Trained trained = open_trained(from, data_dir, train_device);
  const auto* const part = dynamic_cast<const space::Subspace*>(trained.space.get());
  const std::shared_ptr<const space::Space> whole =
      part == nullptr ? trained.space
                      : std::shared_ptr<const space::Space>(trained.space, &part->whole());
  const Device device = measure_device(whole, options.latency, trained.seed, folder, progress);
  const std::shared_ptr<const space::Space> nets = trained_nets(trained);
  const auto latency = latency::model_of_part(*device.latency, *nets);
  tell_part(*nets, *device.latency, device, progress);
  const DeviceNoise noise = measure_noise(device, options, folder, progress);
  RunResult result = begun_result(trained, device, options);
  Asked asked = ask(options, *nets, *latency, noise, folder, progress);
  tell_beyond(from, trained, device, *latency,
              beyond_training(trained, device, *latency, constraints_of(options, *trained.space),
                              medians_of(all_of(asked), noise)),
              noise.tail, folder, progress);
  result.targets = std::move(asked.infeasible);
  if (options.dry_run) {
    return result;
  }
  if (!asked.feasible_ms.empty()) {
    TrainJob job;
    job.threads = threads;
    job.device = train_device;
    job.seed = trained.seed;
    job.train.augment = trained.augment;
    const train::Evaluator evaluator(trained.dataset,
                                     {.augment = trained.augment, .seed = trained.seed});
    const Workshop shop{trained, job, evaluator, *device.runner, noise, options, folder, progress};
    if (trained.arch) {
      hand_over_all(shop,
                    answers_of_one_net(shop, asked.feasible_ms,
                                       noise.tail * device.latency->predict_ms(*trained.arch)),
                    result);
    } else {
      AccuracyOptions accuracy = options.accuracy;
      accuracy.threads = threads_of(threads);
      const Predictor predictor =
          predict_accuracy(trained, *latency, evaluator, accuracy, from, folder, progress);
      hand_over_all(shop,
                    searched_answers(shop, *latency, predictor, asked.feasible_ms,
                                     ways_alone(options, trained, job), result),
                    result);
    }
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_json(folder.result(), to_json(result));
  return result;
}

}  // namespace lathe::run
