// Nets within a limit on an additive cost, drawn without trial and error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/space/arch.h"
#include "lathe/space/slot_chain.h"
#include "lathe/space/slot_costs.h"

namespace lathe::search {

/// Walks the slots of a net and knows in every state the least that the rest can cost, so that each
/// draw is within the limit: published evolutions draw blindly and try again, which takes hundreds
/// of draws near the cheapest net and forever below it. Immutable and thread-safe.
class SlotSampler {
 public:
  /// Whether a slot may be passed by an entry of its table (the order of SlotCosts::table()).
  using Passable = std::function<bool(std::size_t slot, std::size_t entry)>;

  /// `costs` must outlive the sampler. Entries that are NaN, or that `passable` refuses, are never
  /// taken. O(transitions).
  SlotSampler(const space::SlotChain& chain, const space::SlotCosts& costs,
              const Passable& passable = {});

  /// The cheapest net, exactly; nothing if no net is passable. Canonical.
  std::optional<space::Arch> cheapest() const;

  /// A net that costs at most `limit`, up to the rounding of a sum: what is decided in one slot is
  /// uniform among the choices from which the rest can still be made to fit. The cheapest net if
  /// none is within. Canonical. O(transitions from one state of each slot), about a microsecond.
  /// @throws std::invalid_argument if no net is passable.
  space::Arch sample(double limit, Rng& rng) const;

 private:
  struct Way {
    std::uint32_t transition = 0;  // of the step
    double cost = 0.0;             // of the slot
    double rest = 0.0;             // the least that the slots after it cost
  };
  struct Step {
    std::vector<std::uint32_t> first_way;  // of each state before the slot, and the end
    std::vector<Way> ways;                 // ascending by state
    std::vector<double> least;             // from each state to the end of the net
  };

  const space::SlotChain* chain_;
  double constant_;
  std::size_t num_decisions_ = 0;
  std::vector<Step> steps_;
};

}  // namespace lathe::search
