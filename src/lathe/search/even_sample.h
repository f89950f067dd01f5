// Archs spread over the latency range, where uniform sampling would crowd in its middle.
#pragma once

#include <functional>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// `count` distinct archs, one for each of as many equal intervals of the reachable latency range,
/// in ascending order of the intervals: a random arch whose random decisions are taken up or down
/// until its predicted latency falls into the interval. The first is the smallest and the last the
/// largest arch of the space. Where an interval can't be hit the nearest of many tries is taken.
/// @throws std::invalid_argument if count < 2; Error if the space has fewer archs than that.
std::vector<space::Arch> sample_evenly(const space::Space& space,
                                       const latency::LatencyModel& latency, int count, Rng& rng);

/// The same over the range of any cost that on the whole grows with the choices, such as MACs.
std::vector<space::Arch> sample_evenly(const space::Space& space,
                                       const std::function<double(const space::Arch&)>& cost,
                                       int count, Rng& rng);

}  // namespace lathe::search
