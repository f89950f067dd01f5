// Growing nets: one small net alone first, then the larger ones that contain it. The other way
// round than shrinking, for runs that are too short for a large net.
#pragma once

#include <memory>

#include "lathe/space/space.h"
#include "lathe/train/schedule.h"
#include "lathe/train/strategies/step_archs.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct GrowOptions {
  CosineSchedule schedule;
  /// Of the steps, that train the smallest net of the space alone.
  double small_share = 0.6;
  /// Nets that a step trains after that: the largest, with labels; random ones and the smallest in
  /// turn, with its soft labels.
  int nets_per_step = 2;
  NetDraw draw;  ///< of random nets
  std::uint64_t seed = 0;
};

/// The space's smallest net alone; then, after nn::grow(), the largest, alone or with others. All
/// begin as the small net, so that nothing is lost and all of the time that went into it is theirs
/// too: a small net has seen several times as many images after a minute as a large one. What the
/// largest learns alone on top of it stays useful without the rest of it: nets between the two are
/// between them in accuracy though they were never trained (docs/what_pays.md).
/// The space should be the part of a larger one that has what is asked for (space/subspace.h): then
/// its smallest net is an answer, not a corner.
/// @throws std::invalid_argument if the share is outside [0, 1], nets_per_step < 1, the schedule's
/// total_steps is not positive. `space` must outlive the result.
std::unique_ptr<Strategy> make_grow(const space::Space& space, const GrowOptions& options);

}  // namespace lathe::train
