// How evolutionary searches make new nets.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "lathe/core/random.h"
#include "lathe/latency/latency_model.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// A net whose latency is known, its accuracy not yet.
struct TimedArch {
  space::Arch arch;  ///< canonical
  double predicted_ms = 0.0;
  bool operator==(const TimedArch&) const = default;
};

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

struct BreedOptions {
  /// Probability that a gene is redrawn. Half of the published 0.1: where offspring must be new
  /// anyway, smaller steps found better nets (by 0.1 points over ten targets of the published
  /// phone table, 20,000 evaluations).
  double mutation_rate = 0.05;
  double mutated_share = 0.5;  ///< of the offspring; the others are crossovers
  int tries = 10;              ///< draws from the parents before a random net is taken instead
};

/// A net that is within `limit_ms` and that `known` does not know: a mutated parent or a uniform
/// crossover of two, repaired if too slow; failing that a repaired random net. Nothing if all of
/// these were known, as happens when a small space is exhausted.
/// @throws std::invalid_argument if there is no parent, and as repair().
std::optional<TimedArch> breed(const space::Space& space, const latency::LatencyModel& latency,
                               std::span<const space::Arch* const> parents, double limit_ms,
                               const TimedArch& fastest,
                               const std::function<bool(const space::Arch&)>& known,
                               const BreedOptions& options, Rng& rng);

}  // namespace lathe::search
