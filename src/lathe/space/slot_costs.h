// Anything that a net has as the sum of its blocks' shares: latency, MACs, parameters.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::space {

/// A constant and, for each slot, a small table with one entry per combination of the slot's
/// choices. Immutable and thread-safe.
class SlotCosts {
 public:
  /// `block_cost` of every block that a slot can have, added up. It may be NaN, for what isn't
  /// known; every arch that contains the block then totals NaN. The space need not outlive this.
  /// Calls `block_cost` once for each assignment of each slot.
  /// @throws Error as Space::for_each_assignment().
  SlotCosts(const Space& space, const std::function<double(const Block&)>& block_cost,
            double constant = 0.0);

  /// The same of whole slots: `slot_cost(s, arch)` for each assignment of slot `s`.
  SlotCosts(const Space& space, const std::function<double(int, const Arch&)>& slot_cost,
            double constant = 0.0);

  /// A sum over decisions instead: `weights[i][c]` where decision `i` is alive and has choice `c`.
  /// @throws std::invalid_argument if `weights` has another shape than the decisions; Error as the
  /// other.
  SlotCosts(const Space& space, std::span<const std::vector<double>> weights,
            double constant = 0.0);

  /// Any number that a slot has: `slot_cost(s, arch)` for each assignment of each slot. For what
  /// adds up over the net, or for what at() alone is asked, such as the memory that a slot needs.
  /// @throws Error as the others.
  static SlotCosts of_slots(const Space& space,
                            const std::function<double(int, const Arch&)>& slot_cost,
                            double constant = 0.0);

  /// Of a whole net, dead decisions or not. `arch` must be one of the space: not checked.
  /// O(slots), some tens of nanoseconds.
  double total(const Arch& arch) const {
    double sum = constant_;
    for (std::size_t s = 0; s + 1 < first_term_.size(); ++s) {
      sum += at(s, arch);
    }
    return sum;
  }

  /// Of one slot.
  double at(std::size_t slot, const Arch& arch) const {
    std::size_t index = first_entry_[slot];
    for (std::size_t t = first_term_[slot]; t < first_term_[slot + 1]; ++t) {
      index += terms_[t].stride * arch.choices[terms_[t].decision];
    }
    return entries_[index];
  }

  std::size_t num_slots() const { return first_entry_.size() - 1; }
  double constant() const { return constant_; }
  /// The slot's table in the order of Space::for_each_assignment().
  std::span<const double> table(std::size_t slot) const {
    return std::span(entries_).subspan(first_entry_[slot],
                                       first_entry_[slot + 1] - first_entry_[slot]);
  }

 private:
  struct Term {
    std::size_t decision;
    std::size_t stride;
  };
  explicit SlotCosts(double constant) : constant_(constant) {}
  void fill(const Space& space, const std::function<double(int, const Arch&)>& slot_cost);

  double constant_;
  std::vector<double> entries_;
  std::vector<std::size_t> first_entry_;  // of each slot, and the end
  std::vector<Term> terms_;
  std::vector<std::size_t> first_term_;  // of each slot, and the end
};

}  // namespace lathe::space
