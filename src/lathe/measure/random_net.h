// Nets and inputs whose values don't matter: only their speed is asked for.
#pragma once

#include <cstdint>

#include "lathe/core/random.h"
#include "lathe/graph/fold.h"
#include "lathe/space/space.h"

namespace lathe::measure {

/// Random weights for a graph: normal with variance 2 / fan-in, batch norm the identity, so that
/// activations stay in a normal range.
graph::Net random_net(const graph::Graph& graph, std::uint64_t seed);

/// The whole net of an arch as it is handed over, with random weights: it takes pixels.
graph::Net random_net(const space::Space& space, const space::Arch& arch, std::uint64_t seed);

/// Normal numbers: [batch, shape].
FloatTensor random_input(const graph::Shape& shape, int batch, Rng& rng);

}  // namespace lathe::measure
