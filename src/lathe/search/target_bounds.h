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
/// (docs/worth_its_time.md says how good it is). Nets between them begin as the first and are no
/// larger than the second, so that whoever trains them wastes no time on nets that answer nothing.
/// Nets within a few thousandths of a limit may be missed (BudgetProgram). Milliseconds.
///
/// Both keep `constraints`, and so do all nets between them, which have no more of anything than
/// the larger one. Of the nets within a limit on latency those with the most multiply-accumulates
/// less a price on parameters are looked at, of all lower latencies and a few prices. So a net with
/// more of them that is slower than others may be missed where a constraint is in the way: in
/// tests' spaces of a thousand nets, whose latencies are random, one of 0.41 times as many is
/// found.
///
/// Nothing if no net was found within the fastest target and the constraints, or latency is no sum
/// over slots.
/// @throws std::invalid_argument if slowest_ms < fastest_ms, or the model is of another space; as
/// CostLimits.
std::optional<TargetBounds> target_bounds(std::shared_ptr<const space::Space> space,
                                          const latency::LatencyModel& latency, double fastest_ms,
                                          double slowest_ms, const Constraints& constraints = {});

}  // namespace lathe::search
