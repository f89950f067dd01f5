#include "lathe/space/slot_costs.h"

#include <stdexcept>
#include <string>

namespace lathe::space {

SlotCosts::SlotCosts(const Space& space, const std::function<double(const Block&)>& block_cost,
                     double constant)
    : constant_(constant) {
  fill(space, [&](int s, const Arch& arch) {
    double sum = 0;
    for (const Block& block : space.blocks(arch, s)) {
      sum += block_cost(block);
    }
    return sum;
  });
}

SlotCosts::SlotCosts(const Space& space, const std::function<double(int, const Arch&)>& slot_cost,
                     double constant)
    : constant_(constant) {
  fill(space, slot_cost);
}

SlotCosts::SlotCosts(const Space& space, std::span<const std::vector<double>> weights,
                     double constant)
    : constant_(constant) {
  const std::vector<Decision>& decisions = space.decisions();
  bool same_shape = weights.size() == decisions.size();
  for (std::size_t i = 0; same_shape && i < weights.size(); ++i) {
    same_shape = weights[i].size() == decisions[i].values.size();
  }
  if (!same_shape) {
    throw std::invalid_argument("[space::SlotCosts] weights must have one list for each of the " +
                                std::to_string(decisions.size()) + " decisions of " + space.name() +
                                " and one number for each of its choices");
  }
  // Each decision counts in the first slot that sees it.
  std::vector<std::vector<std::size_t>> owned(space.slots().size());
  std::vector<bool> has_owner(decisions.size(), false);
  for (std::size_t s = 0; s < owned.size(); ++s) {
    for (const int decision : space.slots()[s].decisions) {
      const auto i = static_cast<std::size_t>(decision);
      if (!has_owner[i]) {
        has_owner[i] = true;
        owned[s].push_back(i);
      }
    }
  }
  fill(space, [&](int s, const Arch& arch) {
    double sum = 0;
    for (const std::size_t i : owned[static_cast<std::size_t>(s)]) {
      if (space.alive(arch, static_cast<int>(i))) {
        sum += weights[i][arch.choices[i]];
      }
    }
    return sum;
  });
}

SlotCosts SlotCosts::of_slots(const Space& space,
                              const std::function<double(int, const Arch&)>& slot_cost,
                              double constant) {
  SlotCosts costs(constant);
  costs.fill(space, slot_cost);
  return costs;
}

void SlotCosts::fill(const Space& space, const std::function<double(int, const Arch&)>& slot_cost) {
  for (std::size_t s = 0; s < space.slots().size(); ++s) {
    first_entry_.push_back(entries_.size());
    first_term_.push_back(terms_.size());
    space.for_each_assignment(static_cast<int>(s), [&](const Arch& arch) {
      entries_.push_back(slot_cost(static_cast<int>(s), arch));
    });
    const std::vector<int>& scope = space.slots()[s].decisions;
    std::size_t stride = 1;
    for (std::size_t at = scope.size(); at-- > 0;) {
      const auto i = static_cast<std::size_t>(scope[at]);
      terms_.push_back({.decision = i, .stride = stride});
      stride *= space.decisions()[i].values.size();
    }
  }
  first_entry_.push_back(entries_.size());
  first_term_.push_back(terms_.size());
}

}  // namespace lathe::space
