// Stage: which nets a run trains, and how it spends its time on them.
#pragma once

#include <optional>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/run/answers/winners.h"
#include "lathe/run/options.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/stages/plan.h"
#include "lathe/run/stages/train_stage.h"

namespace lathe::run {

struct Decided {
  /// Of the nets to train; nothing: all of the space.
  std::optional<Bounds> bounds;
  std::optional<Plan> plan;  ///< of a run with a budget
  /// What is trained for, ascending: a run that is asked again later is not trained again.
  std::vector<double> targets_ms;
};

/// What is known of the device when a run is planned.
struct MeasuredDevice {
  const latency::LatencyModel& latency;
  MeasureFn measure;       ///< a session of a net whose weights are random
  double deviation = 0.0;  ///< of a net's sessions, relative
};

/// Reads plan.json, or decides and writes it: the part of the space that the targets ask for
/// (search::target_bounds), and with a budget how much of what fits into what is left of it after
/// `elapsed_s`, by the pace of a few steps tried here. `targets_ms` ascend and can all be met.
/// The smallest of the nets is timed before anything is made of it: it has to hold the fastest
/// target with room to spare, since nothing faster is trained that could take its place.
/// @throws Error if the budget is too short, naming the least that works.
Decided plan_stage(const Trained& trained, const RunOptions& options, const MeasuredDevice& device,
                   const std::vector<double>& targets_ms, double elapsed_s, const RunFolder& folder,
                   const ProgressFn& progress);

/// Draws nets within each of the targets and near it, all targets alike often: of two nets drawn
/// constructively within a target (search::PathSampler) the slower. `latency` is of `space`;
/// uniform draws where it is no sum over slots.
train::NetDraw draw_near_targets(const space::Space& space, const latency::LatencyModel& latency,
                                 const std::vector<double>& targets_ms);

/// The training that was decided: what train_stage() is given in place of the options' own.
TrainJob decided_job(const TrainJob& job, const Decided& decided, std::int64_t steps_per_epoch);

}  // namespace lathe::run
