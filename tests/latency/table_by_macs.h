// A latency model that needs no device.
#pragma once

#include <utility>

#include "lathe/graph/counts.h"
#include "lathe/latency/models/block_table.h"

namespace lathe::testing {

/// Every block costs by its multiply-accumulates.
inline latency::BlockTable table_by_macs(const space::Space& space,
                                         const latency::Fingerprint& fingerprint) {
  latency::BlockCosts costs{.fingerprint = fingerprint, .bias_ms = 0.01};
  for (const space::Block& block : space.distinct_blocks()) {
    const graph::Graph alone = space::lower({&block, 1});
    costs.coefficients_ms[block.key()] = 0.001 + 1e-6 * static_cast<double>(graph::macs(alone));
  }
  return {space, std::move(costs)};
}

}  // namespace lathe::testing
