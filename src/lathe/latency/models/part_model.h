// The latency model of a whole space, asked about a part of it.
#pragma once

#include <memory>

#include "lathe/latency/models/latency_model.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// `model` for the archs of `part`: the space that it is of, or a space::Subspace of that. Sums
/// over blocks stay such sums (LatencyModel::slot_costs); of other models each net is predicted by
/// its name in the whole. Both arguments must outlive the result.
/// @throws Error as BlockTable.
std::unique_ptr<LatencyModel> model_of_part(const StoredLatencyModel& model,
                                            const space::Space& part);

}  // namespace lathe::latency
