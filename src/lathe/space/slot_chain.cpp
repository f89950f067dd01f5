#include "lathe/space/slot_chain.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>
#include <tuple>

#include "lathe/core/error.h"
#include "lathe/space/min_sum.h"

namespace lathe::space {
namespace {

constexpr double kMaxTransitions = 1e7;

/// Counts through the choices of some decisions, in an arch.
class Odometer {
 public:
  Odometer(const Space& space, std::vector<std::size_t> decisions)
      : space_(space), decisions_(std::move(decisions)) {}

  double size() const {
    double product = 1;
    for (const std::size_t i : decisions_) {
      product *= space_.decisions()[i].num_choices();
    }
    return product;
  }

  /// Position of `arch` in the counting order; the last decision changes fastest.
  std::uint32_t index(const Arch& arch) const {
    std::uint32_t value = 0;
    for (const std::size_t i : decisions_) {
      value =
          value * static_cast<std::uint32_t>(space_.decisions()[i].num_choices()) + arch.choices[i];
    }
    return value;
  }

  /// False after the last one, when all are back at 0.
  bool next(Arch& arch) const {
    for (std::size_t at = decisions_.size(); at-- > 0;) {
      std::uint8_t& choice = arch.choices[decisions_[at]];
      if (++choice < space_.decisions()[decisions_[at]].num_choices()) {
        return true;
      }
      choice = 0;
    }
    return false;
  }

  const std::vector<std::size_t>& decisions() const { return decisions_; }

 private:
  const Space& space_;
  std::vector<std::size_t> decisions_;
};

std::vector<std::size_t> sorted_union(const std::vector<std::size_t>& a,
                                      const std::vector<std::size_t>& b) {
  std::vector<std::size_t> all;
  std::ranges::set_union(a, b, std::back_inserter(all));
  return all;
}

/// A transition whose states count from 0 in their layer, and what it stands for.
struct Way {
  Transition transition;
  std::uint32_t entry = 0;
  std::uint32_t row = 0;
};

std::vector<std::size_t> scope_of(const Space& space, std::size_t s) {
  return {space.slots()[s].decisions.begin(), space.slots()[s].decisions.end()};
}

/// The last slot that sees each decision.
std::vector<std::size_t> last_slots(const Space& space) {
  std::vector<std::size_t> last(space.decisions().size(), 0);
  for (std::size_t s = 0; s < space.slots().size(); ++s) {
    for (const std::size_t i : scope_of(space, s)) {
      last[i] = s;
    }
  }
  return last;
}

/// The canonical ways through a slot that sees the decisions `scope`, in the trellis's order.
std::vector<Way> ways_of(const Space& space, const std::vector<std::size_t>& scope,
                         const Odometer& seen, const Odometer& in, const Odometer& out,
                         const Odometer& opened) {
  const Odometer entry(space, scope);
  std::vector<Way> ways;
  Arch arch{std::vector<std::uint8_t>(space.decisions().size(), 0)};
  do {
    const bool canonical = std::ranges::all_of(scope, [&](std::size_t i) {
      return arch.choices[i] == 0 || space.alive(arch, static_cast<int>(i));
    });
    if (canonical) {
      ways.push_back({.transition = {.from = in.index(arch), .to = out.index(arch)},
                      .entry = entry.index(arch),
                      .row = opened.index(arch)});
    }
  } while (seen.next(arch));
  std::ranges::sort(ways, [](const Way& a, const Way& b) {
    return std::tie(a.transition.to, a.transition.from, a.entry) <
           std::tie(b.transition.to, b.transition.from, b.entry);
  });
  return ways;
}

}  // namespace

SlotChain::SlotChain(const Space& space)
    : num_decisions_(space.decisions().size()), trellis_(make_trellis(space)) {}

Trellis SlotChain::make_trellis(const Space& space) {
  const std::vector<std::size_t> last = last_slots(space);
  double transitions = 0;
  std::vector<std::size_t> before;  // the decisions that make the state
  std::vector<std::uint32_t> layer_sizes{1};
  std::vector<std::vector<Transition>> of_steps;
  for (std::size_t s = 0; s < space.slots().size(); ++s) {
    const std::vector<std::size_t> scope = scope_of(space, s);
    const Odometer seen(space, sorted_union(before, scope));
    transitions += seen.size();
    if (transitions > kMaxTransitions) {
      throw Error("space " + space.name() + " has too many ways through its blocks for an exact " +
                  "search over them");
    }
    std::vector<std::size_t> after;
    std::ranges::copy_if(seen.decisions(), std::back_inserter(after),
                         [&](std::size_t i) { return last[i] > s; });
    Step step;
    std::ranges::set_difference(scope, before, std::back_inserter(step.opened));
    const Odometer opened(space, step.opened);
    Arch arch{std::vector<std::uint8_t>(num_decisions_, 0)};
    step.opened_choices.reserve(static_cast<std::size_t>(opened.size()) * step.opened.size());
    do {
      for (const std::size_t i : step.opened) {
        step.opened_choices.push_back(arch.choices[i]);
      }
    } while (opened.next(arch));
    steps_.push_back(std::move(step));
    std::vector<Transition>& of_step = of_steps.emplace_back();
    for (const Way& way : ways_of(space, scope, seen, {space, before}, {space, after}, opened)) {
      of_step.push_back(way.transition);
      entries_.push_back(way.entry);
      rows_.push_back(way.row);
    }
    layer_sizes.push_back(static_cast<std::uint32_t>(Odometer(space, after).size()));
    before = std::move(after);
  }
  return {layer_sizes, of_steps};
}

void SlotChain::decide(std::size_t s, std::uint32_t transition, Arch& arch) const {
  const Step& step = steps_[s];
  const std::size_t row = rows_[transition] * step.opened.size();
  for (std::size_t i = 0; i < step.opened.size(); ++i) {
    arch.choices[step.opened[i]] = step.opened_choices[row + i];
  }
}

Arch SlotChain::arch(std::span<const std::uint32_t> path) const {
  Arch arch{std::vector<std::uint8_t>(num_decisions_, 0)};
  for (std::size_t s = 0; s < path.size(); ++s) {
    decide(s, path[s], arch);
  }
  return arch;
}

std::vector<double> SlotChain::costs(const SlotCosts& costs) const {
  std::vector<double> of_transitions;
  of_transitions.reserve(entries_.size());
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const auto table = costs.table(s);
    const double constant = s == 0 ? costs.constant() : 0.0;
    for (std::uint32_t t = trellis_.first_transition(s); t < trellis_.first_transition(s + 1);
         ++t) {
      of_transitions.push_back(constant + table[entries_[t]]);
    }
  }
  return of_transitions;
}

std::pair<Arch, double> SlotChain::minimum(const SlotCosts& costs) const {
  const std::optional<BestPath> best = min_sum(trellis_, this->costs(costs));
  if (!best) {
    throw std::invalid_argument("[space::SlotChain::minimum] no arch has a finite total");
  }
  return {arch(best->path), best->total};
}

}  // namespace lathe::space
