#include "lathe/search/chain/k_best.h"

#include <cmath>
#include <cstdint>
#include <queue>
#include <stdexcept>
#include <string>
#include <tuple>

namespace lathe::search {
namespace {

constexpr double kMostSuffixes = 1e8;

/// A way from a state to the end: a transition, then a way that its end has.
struct Suffix {
  double total = 0.0;
  std::uint32_t transition = 0;
  std::uint32_t rank = 0;  // among the ways of the state that the transition leads to
};

struct Later {
  bool operator()(const Suffix& a, const Suffix& b) const {
    return std::tie(a.total, a.transition, a.rank) > std::tie(b.total, b.transition, b.rank);
  }
};

}  // namespace

std::vector<space::BestPath> k_best(const space::Trellis& trellis, std::span<const double> costs,
                                    std::size_t k) {
  trellis.require_one_each(costs.size(), "search::k_best", "costs");
  if (static_cast<double>(k) * trellis.num_states() > kMostSuffixes) {
    throw std::invalid_argument("[search::k_best] k times the states must be at most 10^8, got " +
                                std::to_string(k) + " x " + std::to_string(trellis.num_states()));
  }
  std::vector<std::vector<Suffix>> suffixes(trellis.num_states());  // ascending
  suffixes.back().push_back({});
  for (std::uint32_t state = trellis.num_states() - 1; state-- > 0;) {
    // The next of each transition's ways; each list ascends, so that the least is among them.
    std::priority_queue<Suffix, std::vector<Suffix>, Later> next;
    const auto offer = [&](std::uint32_t t, std::uint32_t rank) {
      const std::vector<Suffix>& rest = suffixes[trellis.transition(t).to];
      if (rank < rest.size() && std::isfinite(costs[t] + rest[rank].total)) {
        next.push({.total = costs[t] + rest[rank].total, .transition = t, .rank = rank});
      }
    };
    for (const std::uint32_t t : trellis.leaving(state)) {
      offer(t, 0);
    }
    while (!next.empty() && suffixes[state].size() < k) {
      const Suffix least = next.top();
      next.pop();
      suffixes[state].push_back(least);
      offer(least.transition, least.rank + 1);
    }
  }
  std::vector<space::BestPath> best;
  for (const Suffix& whole : suffixes.front()) {
    space::BestPath& found = best.emplace_back();
    const Suffix* at = &whole;
    while (found.path.size() < trellis.num_steps()) {
      found.path.push_back(at->transition);
      at = &suffixes[trellis.transition(at->transition).to][at->rank];
    }
    found.total = space::Trellis::total(found.path, costs);
  }
  return best;
}

}  // namespace lathe::search
