// Slimmable training with widths of their own in every layer, as OWS scores widths by it
// (Berman et al., CVPR 2020; universally slimmable networks, Yu and Huang, ICCV 2019).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lathe/space/space.h"
#include "lathe/train/schedule.h"
#include "lathe/train/strategies/width_statistics.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct SlimmableOptions {
  CosineSchedule schedule;  ///< the paper's rate is constant: `.final_share = 1`
  int random_subnets = 1;   ///< beside the widest and the narrowest net
  WidthStatisticsOptions scores;
  std::uint64_t seed = 0;
};

/// By the sandwich rule: the widest net with labels; the narrowest, and random ones whose widths
/// are drawn independently and uniformly, with the widest's detached soft labels. What the random
/// ones lose against the widest scores their widths (WidthStatistics).
/// Differs in: a batch's images share the drawn nets, see WidthStatistics.
/// @throws std::invalid_argument if the schedule's total_steps is not positive, there is no random
/// subnet, the space has a choice of resolution, or as WidthStatistics. `space` must outlive the
/// result.
std::unique_ptr<Strategy> make_slimmable(const space::Space& space,
                                         const SlimmableOptions& options);

/// The step's passes with these random nets. The widest and the random ones are observed.
std::vector<Pass> slimmable_passes(const space::Space& space, std::vector<space::Arch> random);

/// Adds what a step's observations say of the random nets of slimmable_passes(). @throws
/// std::invalid_argument if they are of another plan.
void add_observations(const std::vector<Pass>& passes, const std::vector<Observation>& observations,
                      WidthStatistics& statistics);

}  // namespace lathe::train
