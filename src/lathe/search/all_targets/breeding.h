// How a search over a shared archive makes new nets.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "lathe/core/random.h"
#include "lathe/search/candidate.h"
#include "lathe/search/problem.h"

namespace lathe::search {

struct BreedOptions {
  /// Probability that a gene is redrawn. Half of the published 0.1: where offspring must be new
  /// anyway, smaller steps found better nets (by 0.1 points over ten targets of the published
  /// phone table, 20,000 evaluations).
  double mutation_rate = 0.05;
  double mutated_share = 0.5;  ///< of the offspring; the others are crossovers
  int tries = 10;              ///< draws from the parents before a random net is taken instead
};

/// A net that fits `limit_ms` and the problem's constraints and that `known` does not know: a
/// mutated parent or a uniform crossover of two, repaired if it doesn't fit; failing that a
/// repaired random net. Nothing if all of these were known, as happens when a small space is
/// exhausted.
/// @throws std::invalid_argument if there is no parent, and as Problem::repaired().
std::optional<TimedArch> breed(const Problem& problem, std::span<const space::Arch* const> parents,
                               double limit_ms,
                               const std::function<bool(const space::Arch&)>& known,
                               const BreedOptions& options, Rng& rng);

}  // namespace lathe::search
