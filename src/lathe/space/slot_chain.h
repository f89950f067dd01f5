// The slots of a space as a chain: what dynamic programs over nets walk along.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "lathe/space/slot_costs.h"
#include "lathe/space/space.h"

namespace lathe::space {

/// One way through a slot.
struct SlotTransition {
  std::uint32_t from = 0;   ///< state before the slot
  std::uint32_t to = 0;     ///< state after it
  std::uint32_t entry = 0;  ///< in SlotCosts::table() of the slot
  std::uint32_t set = 0;    ///< of SlotStep::opened_choices: what it decides
};

struct SlotStep {
  std::uint32_t num_states = 0;              ///< before the slot
  std::vector<SlotTransition> transitions;   ///< ascending by `to`, then `from`
  std::vector<std::size_t> opened;           ///< decisions that no slot before has seen
  std::vector<std::uint8_t> opened_choices;  ///< choices of `opened`, one row after the other
};

/// A state between two slots is what was chosen for the decisions that slots on both sides see
/// (in the mobile family: the resolution, and inside a stage its depth). Walking the slots with one
/// value for each state finds optima over all nets in the time of one table each, exactly, for
/// anything that SlotCosts can say (variable elimination in the order of the net).
class SlotChain {
 public:
  /// Transitions with dead decisions exist once, with choice 0 there: every path from the first
  /// state to the last is one canonical arch, and each arch one path. The space need not outlive
  /// this. Time and memory as the slots' tables times the states beside them.
  /// @throws Error as Space::for_each_assignment(), and if there are more than ten million
  /// transitions.
  explicit SlotChain(const Space& space);

  const std::vector<SlotStep>& steps() const { return steps_; }
  std::size_t num_decisions() const { return num_decisions_; }
  /// Before step `s`; `s` may be the number of steps: the single last state.
  std::uint32_t num_states(std::size_t s) const {
    return s < steps_.size() ? steps_[s].num_states : 1;
  }

  /// Writes what a transition of step `s` decides.
  void decide(std::size_t s, const SlotTransition& transition, Arch& arch) const;

  /// For each step and state, the least cost of the rest of the net, the constant not included;
  /// the last, single state has 0. NaN entries are never chosen; infinity where nothing is left.
  std::vector<std::vector<double>> suffix_minima(const SlotCosts& costs) const;

  /// The arch with the least total and that total; of equals the first in the order of
  /// transitions. @throws std::invalid_argument if every arch totals NaN or infinity.
  std::pair<Arch, double> minimum(const SlotCosts& costs) const;

 private:
  std::size_t num_decisions_ = 0;
  std::vector<SlotStep> steps_;
};

}  // namespace lathe::space
