#include "lathe/space/min_sum.h"

namespace lathe::space {

std::vector<double> suffix_minima(const Trellis& trellis, std::span<const double> costs) {
  trellis.require_one_each(costs.size(), "space::suffix_minima", "costs");
  std::vector<double> minima(trellis.num_states(), kInfinity);
  minima.back() = 0;
  const auto transitions = trellis.transitions();
  for (std::size_t t = transitions.size(); t-- > 0;) {
    const double through = costs[t] + minima[transitions[t].to];
    double& least = minima[transitions[t].from];
    if (through < least && through > -kInfinity) {  // NaN is neither
      least = through;
    }
  }
  return minima;
}

std::optional<BestPath> min_sum(const Trellis& trellis, std::span<const double> costs) {
  const std::vector<double> minima = suffix_minima(trellis, costs);
  if (minima.front() == kInfinity) {
    return std::nullopt;
  }
  BestPath best;
  best.path.reserve(trellis.num_steps());
  std::uint32_t state = 0;
  while (best.path.size() < trellis.num_steps()) {
    for (const std::uint32_t t : trellis.leaving(state)) {
      const std::uint32_t to = trellis.transition(t).to;
      if (costs[t] + minima[to] == minima[state]) {
        best.path.push_back(t);
        state = to;
        break;
      }
    }
  }
  best.total = Trellis::total(best.path, costs);
  return best;
}

}  // namespace lathe::space
