// The best cells within each latency target, out of one search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "lathe/search/cells/cell_latency.h"
#include "lathe/search/cells/cell_logits.h"
#include "lathe/space/arch.h"
#include "lathe/space/space.h"

namespace lathe::search {

struct DeriveOptions {
  /// Skips that the normal cell may have; negative: any number. Too many make nets that are easy to
  /// search and poor (P-DARTS).
  int max_skips = 2;
  /// Of a latency that is no sum: nets looked at, best first, before the sum nearest to the model
  /// takes over.
  std::size_t most_nets = 200'000;
};

struct DerivedNet {
  double target_ms = 0.0;  ///< infinity: none
  bool feasible = false;
  double minimum_ms = 0.0;  ///< the fastest net's; of a latency that is no sum the fastest known
  space::Arch arch;
  double score = 0.0;       ///< the sum of strengths() over its sixteen inputs
  double latency_ms = 0.0;  ///< predicted
  /// No net within the target scores higher.
  double bound = 0.0;
  bool proved() const { return score >= bound - 1e-9; }
};

/// For each target the cells with the highest score within it, both kinds together; for infinity and
/// any number of skips those of derive_cells(), whose choice of edges and operations maximises that
/// score. Where skips are limited derive_cells() takes them away one by one, as published, and may
/// end with a lower score.
///
/// Exact where latency is a sum over the encoding: one front of score against latency serves all
/// targets (ParetoFront). For a perceptron nets are looked at by falling score until one is within
/// the target, which is exact too; after most_nets of them come those that are good by a ridge
/// regression of the perceptron, each predicted by the perceptron itself, and `bound` tells what
/// may be missed.
/// @throws std::invalid_argument if there is no target, one is not > 0, the logits and the space
/// have other kinds of cells, or the latency counts more kinds than they have. If it counts normal
/// cells alone, reduction cells take no time.
std::vector<DerivedNet> derive_within(const space::Space& space, const CellLogits& logits,
                                      const CellLatency& latency,
                                      std::span<const double> targets_ms,
                                      const DeriveOptions& options = {});

/// What derive_within() ranks by.
double score_of(std::span<const space::Cell> cells, const CellLogits& logits);
/// What cells take by `latency`, which counts the kinds that it knows.
double latency_of(std::span<const space::Cell> cells, const CellLatency& latency);
/// That of derive_cells().
double derived_latency(const CellLogits& logits, const CellLatency& latency, int max_skips);

}  // namespace lathe::search
