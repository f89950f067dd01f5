#include "lathe/space/slot_chain.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <tuple>

#include "lathe/core/error.h"

namespace lathe::space {
namespace {

constexpr double kMaxTransitions = 1e7;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

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

std::vector<std::size_t> scope_of(const Space& space, std::size_t s) {
  return {space.slots()[s].decisions.begin(), space.slots()[s].decisions.end()};
}

}  // namespace

SlotChain::SlotChain(const Space& space) : num_decisions_(space.decisions().size()) {
  std::vector<std::size_t> last_slot(num_decisions_, 0);
  for (std::size_t s = 0; s < space.slots().size(); ++s) {
    for (const std::size_t i : scope_of(space, s)) {
      last_slot[i] = s;
    }
  }
  double transitions = 0;
  std::vector<std::size_t> before;  // the decisions that make the state
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
                         [&](std::size_t i) { return last_slot[i] > s; });
    SlotStep step;
    std::ranges::set_difference(scope, before, std::back_inserter(step.opened));
    const Odometer in(space, before);
    const Odometer out(space, after);
    const Odometer entry(space, scope);
    const Odometer opened(space, step.opened);
    step.num_states = static_cast<std::uint32_t>(in.size());
    Arch arch{std::vector<std::uint8_t>(num_decisions_, 0)};
    do {
      step.opened_choices.reserve(static_cast<std::size_t>(opened.size()) * step.opened.size());
      for (const std::size_t i : step.opened) {
        step.opened_choices.push_back(arch.choices[i]);
      }
    } while (opened.next(arch));
    do {
      const bool canonical = std::ranges::all_of(scope, [&](std::size_t i) {
        return arch.choices[i] == 0 || space.alive(arch, static_cast<int>(i));
      });
      if (canonical) {
        step.transitions.push_back({.from = in.index(arch),
                                    .to = out.index(arch),
                                    .entry = entry.index(arch),
                                    .set = opened.index(arch)});
      }
    } while (seen.next(arch));
    std::ranges::sort(step.transitions, [](const SlotTransition& a, const SlotTransition& b) {
      return std::tie(a.to, a.from, a.entry) < std::tie(b.to, b.from, b.entry);
    });
    steps_.push_back(std::move(step));
    before = std::move(after);
  }
}

void SlotChain::decide(std::size_t s, const SlotTransition& transition, Arch& arch) const {
  const SlotStep& step = steps_[s];
  for (std::size_t i = 0; i < step.opened.size(); ++i) {
    arch.choices[step.opened[i]] = step.opened_choices[transition.set * step.opened.size() + i];
  }
}

std::vector<std::vector<double>> SlotChain::suffix_minima(const SlotCosts& costs) const {
  std::vector<std::vector<double>> minima(steps_.size() + 1);
  minima.back() = {0.0};
  for (std::size_t s = steps_.size(); s-- > 0;) {
    const auto table = costs.table(s);
    minima[s].assign(steps_[s].num_states, kInfinity);
    for (const SlotTransition& transition : steps_[s].transitions) {
      const double rest = table[transition.entry] + minima[s + 1][transition.to];
      if (rest < minima[s][transition.from]) {
        minima[s][transition.from] = rest;
      }
    }
  }
  return minima;
}

std::pair<Arch, double> SlotChain::minimum(const SlotCosts& costs) const {
  const auto minima = suffix_minima(costs);
  if (minima.front().front() == kInfinity) {
    throw std::invalid_argument("[space::SlotChain::minimum] no arch has a finite total");
  }
  Arch arch{std::vector<std::uint8_t>(num_decisions_, 0)};
  std::uint32_t state = 0;
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const auto table = costs.table(s);
    for (const SlotTransition& transition : steps_[s].transitions) {
      if (transition.from == state &&
          table[transition.entry] + minima[s + 1][transition.to] == minima[s][state]) {
        decide(s, transition, arch);
        state = transition.to;
        break;
      }
    }
  }
  return {arch, costs.total(arch)};
}

}  // namespace lathe::space
