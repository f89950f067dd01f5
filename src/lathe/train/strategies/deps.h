// DepS, "Delayed epsilon-Shrinking for faster once-for-all training" (ECCV 2024).
#pragma once

#include <memory>

#include "lathe/space/space.h"
#include "lathe/train/schedule.h"
#include "lathe/train/strategies/step_archs.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct DepsOptions {
  CosineSchedule schedule;
  double warmup_share = 0.5;    ///< of the steps that train the full net alone (P_fm, section 4.1)
  double ramp_share = 0.1;      ///< of the shrinking steps over which epsilon grows to 1
  double epsilon_start = 1e-4;  ///< section 4.2; 1: no epsilon-shrinking
  /// Subnets learn from the full net from the first step on, when it knows nothing yet, instead of
  /// from one that is partially trained (IKD-Warmup, section 4.3): warmup_share is 0.
  bool in_place_distillation = false;
  int random_subnets = 2;  ///< beside the full and the smallest net
  NetDraw draw;            ///< of random nets
  std::uint64_t seed = 0;
};

/// The full net alone for the first half of the steps (FM-Warmup); then the full net with labels,
/// and the smallest and random subnets with the full net's detached soft labels (IKD-Warmup), their
/// gradients scaled by epsilon, which grows by a constant amount a step to 1 (equation 4). Channels
/// are sorted once, when shrinking starts.
///
/// Differs in: the paper ramps over 5 of 120 shrinking epochs; here the share is an option, since
/// short runs have few epochs. The sort also permutes the optimizer's momentum.
/// @throws std::invalid_argument if a share is outside [0, 1], epsilon_start outside (0, 1] or the
/// schedule's total_steps is not positive. `space` must outlive the result.
std::unique_ptr<Strategy> make_deps(const space::Space& space, const DepsOptions& options);

/// Epsilon before step `step`, counted from the start of training; 0 while the full net is alone.
double deps_epsilon(const DepsOptions& options, std::int64_t step);

}  // namespace lathe::train
