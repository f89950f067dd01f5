// The slots of a space as a trellis: paths are nets, and costs of slots are costs of transitions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lathe/space/slot_costs.h"
#include "lathe/space/space.h"
#include "lathe/space/trellis.h"

namespace lathe::space {

/// Step `s` of the trellis is slot `s`. A state between two slots is what was chosen for the
/// decisions that slots on both sides see (in the mobile family: the resolution, and inside a stage
/// its depth). Walking the slots with one value for each state finds optima over all nets in the
/// time of one table each, exactly, for anything that SlotCosts can say (variable elimination in
/// the order of the net). Immutable and thread-safe.
class SlotChain {
 public:
  /// Transitions with dead decisions exist once, with choice 0 there: every path is one canonical
  /// arch, and each canonical arch one path. The space need not outlive this. Time and memory as
  /// the slots' tables times the states beside them.
  /// @throws Error as Space::for_each_assignment(), and if there are more than ten million
  /// transitions.
  explicit SlotChain(const Space& space);

  const Trellis& trellis() const { return trellis_; }
  std::size_t num_decisions() const { return num_decisions_; }

  /// The decisions that slot `s` sees and no slot before it: what its transitions decide.
  std::span<const std::size_t> opened(std::size_t s) const { return steps_[s].opened; }
  /// Where a transition is in SlotCosts::table() of its slot.
  std::uint32_t entry(std::uint32_t transition) const { return entries_[transition]; }

  /// Writes what a transition of slot `s` decides.
  void decide(std::size_t s, std::uint32_t transition, Arch& arch) const;
  /// The arch of a path of the trellis.
  Arch arch(std::span<const std::uint32_t> path) const;

  /// The cost of each transition; the first slot's have the constant in them. Trellis::total() of a
  /// path is SlotCosts::total() of its arch, to the last bit.
  std::vector<double> costs(const SlotCosts& costs) const;

  /// The arch with the least total and that total; of equals the first as by min_sum().
  /// @throws std::invalid_argument if every arch totals NaN or infinity.
  std::pair<Arch, double> minimum(const SlotCosts& costs) const;

 private:
  struct Step {
    std::vector<std::size_t> opened;
    std::vector<std::uint8_t> opened_choices;  // choices of `opened`, one row after the other
  };
  /// Fills the members before trellis_ but the first.
  Trellis make_trellis(const Space& space);

  std::size_t num_decisions_ = 0;
  std::vector<Step> steps_;
  std::vector<std::uint32_t> entries_;  // of each transition
  std::vector<std::uint32_t> rows_;     // of each transition, of its step's opened_choices
  Trellis trellis_;
};

}  // namespace lathe::space
