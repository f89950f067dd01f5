// Which part of a space can be the answer to some latency targets, before anything is known of its
// nets' accuracies.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "lathe/latency/latency_model.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// Two nets, of which the second has at least the first's choices: the bounds of a
/// space::Subspace.
struct TargetBounds {
  space::Arch lowest;   ///< within the fastest target
  space::Arch highest;  ///< within the slowest
};

/// The net within the fastest target, and the net within the slowest that contains it, with the
/// most multiply-accumulates: the best guess at accuracy that needs no training
/// (docs/training.md says how good it is). Nets between them begin as the first and are no larger
/// than the second, so that whoever trains them wastes no time on nets that answer nothing.
/// Where several nets come close, the one found is within 1/2000 of the best latency budget.
/// Nothing if no net is within any target, or latency is no sum over slots. Milliseconds.
/// @throws std::invalid_argument if there is no target or the model is of another space.
std::optional<TargetBounds> target_bounds(std::shared_ptr<const space::Space> space,
                                          const latency::LatencyModel& latency,
                                          std::span<const double> targets_ms);

}  // namespace lathe::search
