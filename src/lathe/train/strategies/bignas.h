// BigNAS's single-stage training by the sandwich rule (Yu et al., ECCV 2020).
#pragma once

#include <memory>

#include "lathe/space/space.h"
#include "lathe/train/schedule.h"
#include "lathe/train/strategies/step_archs.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct BigNasOptions {
  CosineSchedule schedule;
  int random_subnets = 2;  ///< beside the largest and the smallest net
  NetDraw draw;            ///< of random nets
  std::uint64_t seed = 0;
};

/// From the first step on: the largest net with labels, and dropout on it alone; the smallest and
/// random subnets with its detached soft labels only (in-place distillation, section 3.1). Its
/// initialisation is nn::WeightOptions::zero_residual_gamma (section 3.2).
///
/// Differs in: cosine schedule, where the paper decays exponentially to a constant rate; one
/// resolution a step (StepArchs); no drop-connect.
/// @throws std::invalid_argument if the schedule's total_steps is not positive, or random_subnets
/// is negative. `space` must outlive the result.
std::unique_ptr<Strategy> make_bignas(const space::Space& space, const BigNasOptions& options);

}  // namespace lathe::train
