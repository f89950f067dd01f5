// How a net that is too slow is made fast enough.
#pragma once

#include <functional>
#include <optional>

#include "lathe/core/random.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/search/candidate.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// `arch` made fast enough: decisions drawn at random are moved a random part of the way to what
/// `fastest` chose there, one after the other, until the net is within `limit_ms`. A net that
/// already fits comes back as it is.
///
/// Redrawing until a net fits, as published evolutions do, takes thousands of draws near the
/// fastest net and forever below it; this ends after a bounded number of predictions, at worst with
/// `fastest` itself.
/// @throws std::invalid_argument if `fastest` does not fit or `arch` is none of the space.
TimedArch repair(const space::Space& space, const latency::LatencyModel& latency, space::Arch arch,
                 double limit_ms, const TimedArch& fastest, Rng& rng);

/// What a net must be: its latency if it will do, nothing if it won't.
using Accept = std::function<std::optional<double>(const space::Arch&)>;

/// The same until `accept` does, which must accept `fastest`.
TimedArch repair(const space::Space& space, const Accept& accept, space::Arch arch,
                 const TimedArch& fastest, Rng& rng);

}  // namespace lathe::search
