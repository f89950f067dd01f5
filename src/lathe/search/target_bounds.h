// Which part of a space can be the answer to some latency targets, before anything is known of its
// nets' accuracies.
#pragma once

#include <memory>
#include <optional>

#include "lathe/latency/models/latency_model.h"
#include "lathe/search/cost_limits.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// Two nets, of which the second has at least the first's choices: the bounds of a
/// space::Subspace. Canonical.
struct TargetBounds {
  space::Arch lowest;
  space::Arch highest;
};

/// The net within the fastest target, and the net within the slowest that contains it, each with
/// the most multiply-accumulates: the best guess at accuracy that needs no training
/// (docs/what_pays.md says how good it is). Nets between them begin as the first and are no
/// larger than the second, so that whoever trains them wastes no time on nets that answer nothing.
/// Exact (ParetoFront) without constraints, in all spaces that come with Lathe; with them in spaces
/// of thousands of nets, and else within a few ten-thousandths of a limit. Milliseconds; a second
/// with constraints.
///
/// Both keep `constraints`, and so do all nets between them, which have no more of anything than
/// the larger one.
///
/// Nothing if no net was found within the fastest target and the constraints, or latency is no sum
/// over slots.
/// @throws std::invalid_argument if slowest_ms < fastest_ms, or the model is of another space; as
/// CostLimits.
std::optional<TargetBounds> target_bounds(std::shared_ptr<const space::Space> space,
                                          const latency::LatencyModel& latency, double fastest_ms,
                                          double slowest_ms, const Constraints& constraints = {});

}  // namespace lathe::search
