#include "lathe/run/stages/plan_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/graph/counts.h"
#include "lathe/run/answers/device_noise.h"
#include "lathe/run/specialize.h"
#include "lathe/run/stages/fine_tune_stage.h"
#include "lathe/run/stages/forecast.h"
#include "lathe/search/chain/path_sampler.h"
#include "lathe/search/target_bounds.h"
#include "lathe/space/slot_chain.h"
#include "lathe/space/subspace.h"
#include "lathe/train/evaluator.h"
#include "lathe/train/predictors/fit_accuracy_predictor.h"

namespace lathe::run {
namespace {

constexpr const char* kGrow = "grow";
constexpr const char* kPlain = "plain";
constexpr std::int64_t kValidationImagesOfReports = 1000;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The training of a growing supernet, of which `small_share` is of the smallest net alone.
TrainJob growing(TrainJob job, double small_share, const train::SmallImages& small_images) {
  job.method.name = kGrow;
  job.method.small_share = small_share;
  job.method.nets_per_step = 1;
  job.method.small_images = small_images;
  job.train.validation_images = kValidationImagesOfReports;
  return job;
}

bool too_few_nets(const space::Space& space, const AccuracyOptions& accuracy) {
  const auto fewest = static_cast<double>(train::min_accuracy_nets({.folds = accuracy.folds}));
  return std::pow(10.0, space.log10_num_nets()) < fewest - 0.5;
}

/// Evaluations on validation and test images, files, and so many sessions of measuring.
double hand_over_s(const RunOptions& options, int sessions, double latency_ms,
                   double evaluation_s) {
  constexpr double kExport_s = 1;
  const measure::TimingOptions timing = session_timing(options.winner_timing, options.quantile);
  const double session_s =
      (timing.warmup_runs + timing.rounds * timing.runs_per_round) * latency_ms / 1000;
  return sessions * session_s + 2 * evaluation_s + kExport_s;
}

/// Nets that may be the largest that is trained, ascending, the first the smallest: that of the
/// bounds, and those with the most multiply-accumulates that contain the smallest within some
/// latencies up to its own. Where training in between would give too few nets to choose from, the
/// smallest alone.
std::vector<space::Arch> largest_nets(const Trained& trained, const RunOptions& options,
                                      const Bounds& bounds, const latency::LatencyModel& latency) {
  constexpr int kBetween = 16;
  constexpr double kLarger = 1.15;  // at least, in multiply-accumulates
  const search::Constraints constraints = constraints_of(options, *trained.space);
  const double low_ms = latency.predict_ms(bounds.lowest);
  const double high_ms = latency.predict_ms(bounds.highest);
  const auto macs_of = [&](const space::Arch& arch) {
    return static_cast<double>(graph::macs(trained.space->graph(arch)));
  };
  std::vector<space::Arch> nets{bounds.lowest};
  for (int i = 1; i <= kBetween; ++i) {
    const double limit_ms = low_ms + i * (high_ms - low_ms) / kBetween;
    const auto found =
        i < kBetween ? search::target_bounds(trained.space, latency, low_ms, limit_ms, constraints)
                     : search::TargetBounds{bounds.lowest, bounds.highest};
    if (found && found->lowest == bounds.lowest &&
        macs_of(found->highest) > kLarger * macs_of(nets.back()) &&
        !too_few_nets(*space::make_subspace(trained.space, bounds.lowest, found->highest),
                      options.accuracy)) {
      nets.push_back(found->highest);
    }
  }
  return nets;
}

/// Seconds that a training step of each of the nets takes, the first and the last of which are
/// bounds that were tried: in between, by their multiply-accumulates.
std::vector<SizedNet> sized(const space::Space& space, const std::vector<space::Arch>& nets,
                            const train::StepSeconds& first, const train::StepSeconds& last) {
  std::vector<double> macs;
  for (const space::Arch& net : nets) {
    macs.push_back(static_cast<double>(graph::macs(space.graph(net))));
  }
  std::vector<SizedNet> sized;
  for (std::size_t i = 0; i < nets.size(); ++i) {
    const double share = i == 0 ? 0 : (macs[i] - macs.front()) / (macs.back() - macs.front());
    sized.push_back({static_cast<double>(graph::params(space.graph(nets[i]))),
                     {.full = std::lerp(first.full, last.full, share),
                      .half = std::lerp(first.half, last.half, share)}});
  }
  return sized;
}

PlanInputs try_out(const Trained& trained, const RunOptions& options, const Bounds& bounds,
                   const std::vector<space::Arch>& nets, const std::vector<double>& targets_ms,
                   double elapsed_s, const RunFolder& folder) {
  const TrainJob& job = options.training;
  PlanInputs inputs{.answers = static_cast<int>(targets_ms.size()),
                    .threads = threads_of(job.threads),
                    .shards = fine_tune_shards(trained, job),
                    .small_images = train::sees_small_images(trained_space(trained)),
                    .steps_per_epoch = trained.dataset.train.size() / job.train.batch_size,
                    .batch_size = job.train.batch_size};
  double int8_s = 0;  // of an answer: its candidates, itself on validation and test images
  const double trying_s = seconds_of([&] {
    const auto tried = train::SmallImages::over(inputs.small_images ? 1.0 : 0.0);
    TrainJob small = growing(job, 1.0, tried);
    if (nets.size() == 1) {
      small.method.name = kPlain;
    }
    const Trained part = narrowed(trained, small, {bounds.lowest, nets.back()});
    const train::StepSeconds small_step_s = measure_step_s(part, small, folder);
    inputs.nets =
        sized(*trained.space, nets, small_step_s,
              part.arch ? small_step_s : measure_step_s(part, growing(job, 0.0, tried), folder));
    const train::Evaluator evaluator(part.dataset, {.augment = part.augment, .seed = part.seed});
    inputs.evaluation_s =
        evaluation_s(*part.weights, evaluator, trained.space->graph(bounds.lowest),
                     options.accuracy.validation_images, threads_of(job.threads));
    if (options.int8) {
      constexpr double kEvaluations = 8;
      const Int8Evaluator int8(part.dataset, *options.int8, part.seed, part.device());
      const graph::Net net = evaluator.extract(*part.weights, trained.space->graph(bounds.lowest));
      int8_s = kEvaluations * seconds_of([&] {
                 int8.top1(net, part.dataset.validation, options.accuracy.validation_images);
               });
    }
  });
  // Of different nets each has sessions that choose it, some dozen that judge and three that are
  // reported. One net is chosen for each target, and the rest is done once.
  constexpr int kSessionsOfAnAnswer = 22, kSessionsOfATarget = 4, kSessionsOfOneNet = 40;
  inputs.hand_over_s =
      hand_over_s(options, kSessionsOfAnAnswer, targets_ms.back(), inputs.evaluation_s) + int8_s;
  inputs.one_net_s = hand_over_s(options, kSessionsOfOneNet + inputs.answers * kSessionsOfATarget,
                                 targets_ms.front(), inputs.evaluation_s) +
                     int8_s;
  inputs.seconds_left = options.budget_s - elapsed_s - trying_s;
  return inputs;
}

nlohmann::ordered_json to_json(const Decided& decided, const space::Space& space) {
  nlohmann::ordered_json json{{"targets_ms", decided.targets_ms}};
  if (decided.bounds) {
    json["within"] = {{"lowest", space.to_json(decided.bounds->lowest)},
                      {"highest", space.to_json(decided.bounds->highest)}};
  }
  json["plan"] = decided.plan ? to_json(*decided.plan) : nlohmann::ordered_json(nullptr);
  return json;
}

Decided decided_from_json(const nlohmann::json& json, const space::Space& space,
                          const std::string& where) {
  Decided decided;
  if (const auto within = json.find("within"); within != json.end()) {
    const auto bound = [&](const char* key) {
      return space.from_json(json_member<nlohmann::json>(*within, key, where), where);
    };
    decided.bounds = {bound("lowest"), bound("highest")};
  }
  const auto plan = json_member<nlohmann::json>(json, "plan", where);
  if (!plan.is_null()) {
    decided.plan = plan_from_json(plan, where + ": plan");
  }
  if (json.contains("targets_ms")) {
    decided.targets_ms = json_member<std::vector<double>>(json, "targets_ms", where);
  }
  return decided;
}

/// What the net that is to hold `target_ms` may take now. Devices drift by a few percent while nets
/// train, and nothing faster will be there.
double kept_ms(double target_ms, double deviation) {
  constexpr double kDrift = 0.03;
  return std::min((1 - kDrift) * target_ms, guarded_ms(target_ms, deviation));
}

/// Bounds of which the lower net takes at most kept_ms() of the fastest target when it is measured.
/// A model that errs there is corrected by the ratio that was seen.
Bounds measured_bounds(const Trained& trained, const MeasuredDevice& device,
                       const search::Constraints& constraints,
                       const std::vector<double>& targets_ms) {
  constexpr int kTries = 6;
  constexpr double kStep = 0.98;  // at least so much faster with each try
  double kept = kept_ms(targets_ms.front(), device.deviation);
  Bounds bounds{trained.space->smallest(), trained.space->largest()};
  double limit_ms = kept;  // of predictions
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const auto found = search::target_bounds(trained.space, device.latency, limit_ms,
                                             std::max(limit_ms, targets_ms.back()), constraints);
    if (!found && attempt == 0) {  // the target is next to the fastest net: without room, then
      kept = limit_ms = targets_ms.front();
      continue;
    }
    if (!found) {
      break;
    }
    bounds = {found->lowest, found->highest};
    const double ms = median_ms(bounds.lowest, kept, device.measure);
    if (ms <= kept) {
      break;
    }
    limit_ms *= std::min(kStep, kept / ms);
  }
  return bounds;
}

Decided decide(const Trained& trained, const RunOptions& options, const MeasuredDevice& device,
               const std::vector<double>& targets_ms, double elapsed_s, const RunFolder& folder) {
  Decided decided;
  if (trained.space->decisions().empty()) {
    decided.bounds = {trained.space->largest(), trained.space->largest()};
  } else if (options.sample_targets || options.budget_s > 0) {
    decided.bounds =
        measured_bounds(trained, device, constraints_of(options, *trained.space), targets_ms);
    const auto part =
        space::make_subspace(trained.space, decided.bounds->lowest, decided.bounds->highest);
    if (too_few_nets(*part, options.accuracy)) {  // for a predictor, and to choose from
      decided.bounds->highest = decided.bounds->lowest;
    }
  }
  if (options.budget_s > 0) {
    const std::vector<space::Arch> nets =
        largest_nets(trained, options, *decided.bounds, device.latency);
    const PlanInputs inputs =
        try_out(trained, options, *decided.bounds, nets, targets_ms, elapsed_s, folder);
    decided.plan = make_plan(inputs);
    if (!decided.plan) {
      throw Error(fmt::format(
          "--budget {:.0f}s is too short: measuring took {:.0f} s already, and the least that "
          "trains and hands over anything here is {:.0f}s",
          options.budget_s, options.budget_s - inputs.seconds_left,
          std::ceil(1.05 * (options.budget_s - inputs.seconds_left + fewest_seconds(inputs)))));
    }
    decided.bounds->highest = nets[decided.plan->largest];
  }
  return decided;
}

}  // namespace

Decided plan_stage(const Trained& trained, const RunOptions& options, const MeasuredDevice& device,
                   const std::vector<double>& targets_ms, double elapsed_s, const RunFolder& folder,
                   const ProgressFn& progress) {
  Decided decided;
  if (std::filesystem::exists(folder.plan())) {
    decided = decided_from_json(read_json(folder.plan()), *trained.space, folder.plan().string());
  } else {
    decided = decide(trained, options, device, targets_ms, elapsed_s, folder);
    decided.targets_ms = targets_ms;
    write_json(folder.plan(), to_json(decided, *trained.space));
  }
  if (decided.targets_ms.empty()) {  // of an older version
    decided.targets_ms = targets_ms;
  }
  if (decided.bounds) {
    progress({"plan", 0, 0,
              fmt::format("nets for the targets are between {:.3f} and {:.3f} ms (predicted)",
                          device.latency.predict_ms(decided.bounds->lowest),
                          device.latency.predict_ms(decided.bounds->highest))});
  }
  if (decided.plan) {
    for (const std::string& line : plan_lines(*decided.plan)) {
      progress({"plan", 0, 0, line});
    }
  }
  return decided;
}

train::NetDraw draw_near_targets(const space::Space& space, const latency::LatencyModel& latency,
                                 const std::vector<double>& targets_ms) {
  if (latency.slot_costs() == nullptr) {
    return {};
  }
  struct Drawing {
    space::SlotChain chain;
    std::vector<double> latency_ms;  // of each transition
    search::PathSampler sampler;
    std::vector<double> targets_ms;
    Drawing(const space::Space& space, const space::SlotCosts& costs, std::vector<double> limits_ms)
        : chain(space),
          latency_ms(chain.costs(costs)),
          sampler(chain.trellis(), latency_ms),
          targets_ms(std::move(limits_ms)) {}
    space::Path draw(Rng& rng) const {
      const auto count = static_cast<std::uint32_t>(targets_ms.size());
      const double limit_ms = targets_ms[rng.below(count)];
      space::Path first = sampler.sample(limit_ms, rng), second = sampler.sample(limit_ms, rng);
      return space::Trellis::total(first, latency_ms) > space::Trellis::total(second, latency_ms)
                 ? first
                 : second;
    }
  };
  const auto drawing = std::make_shared<const Drawing>(space, *latency.slot_costs(), targets_ms);
  std::string name = "targets";
  for (const double target_ms : targets_ms) {
    name += fmt::format(" {:.6g}", target_ms);
  }
  return {name, [drawing](Rng& rng) { return drawing->chain.arch(drawing->draw(rng)); }};
}

TrainJob decided_job(const TrainJob& job, const Decided& decided, std::int64_t steps_per_epoch) {
  TrainJob result = job;
  const bool one_net = decided.bounds && decided.bounds->lowest == decided.bounds->highest;
  if (decided.plan) {
    const Plan& plan = *decided.plan;
    const auto all = static_cast<double>(plan.small_steps + plan.grown_steps);
    result = growing(job, static_cast<double>(plan.small_steps) / all, plan.small_images);
    result.method.epochs = all / static_cast<double>(steps_per_epoch);
    result.train.step_s = [plan](std::int64_t step) { return step_s(plan, step); };
  }
  if (one_net) {
    result.method.name = kPlain;
  }
  return result;
}

}  // namespace lathe::run
