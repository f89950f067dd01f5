// Paths within a limit on an additive cost, drawn without trial and error.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/space/trellis.h"

namespace lathe::search {

/// Walks a trellis and knows in every state the least that the rest can cost, so that each draw is
/// within the limit: published evolutions draw blindly and try again, which takes hundreds of draws
/// near the cheapest net and forever below it. Immutable and thread-safe.
class PathSampler {
 public:
  /// `costs`: of each transition; those that are not finite are never taken. The trellis must
  /// outlive the sampler. O(transitions).
  /// @throws std::invalid_argument unless there is one cost for each transition.
  PathSampler(const space::Trellis& trellis, std::span<const double> costs);

  /// The cheapest path, exactly; nothing if none can be taken. O(transitions of its states).
  std::optional<space::Path> cheapest() const;

  /// A path that costs at most `limit`, up to the rounding of a sum: each step is uniform among the
  /// transitions from which the rest can still be made to fit. The cheapest path if none is within.
  /// O(transitions of its states), about a microsecond for nets.
  /// @throws std::invalid_argument if no path can be taken.
  space::Path sample(double limit, Rng& rng) const;

 private:
  struct Way {
    std::uint32_t transition = 0;
    double cost = 0.0;
    double rest = 0.0;  // the least that the steps after it cost
  };

  const space::Trellis* trellis_;
  std::vector<double> least_;             // of each state, to the end
  std::vector<std::uint32_t> first_way_;  // of each state, and the end
  std::vector<Way> ways_;                 // those that reach the end, by state
};

}  // namespace lathe::search
