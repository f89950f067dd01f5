#include "lathe/search/target_bounds.h"

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/graph/counts.h"
#include "lathe/search/chain/pareto_front.h"
#include "lathe/space/slot_chain.h"
#include "lathe/space/subspace.h"

namespace lathe::search {
namespace {

// Of a front, beyond which it is thinned: with further limits, a tenth of a second or two. No net has
// to come next to a limit on multiply-accumulates, where there are millions that do.
constexpr std::size_t kMostLabels = 1'000'000, kMostLimitedLabels = 30'000;

space::SlotCosts macs_of(const space::Space& space) {
  return {space, [](const space::Block& block) {
            return static_cast<double>(graph::macs(space::lower({&block, 1})));
          }};
}

/// The net with the most multiply-accumulates within the limits; nothing if none was found.
std::optional<space::Arch> most_macs_within(const space::Space& space,
                                            const space::SlotCosts& latency,
                                            const Constraints& constraints, double limit_ms) {
  const CostLimits limits(space, constraints);
  const space::SlotChain chain(space);
  const std::vector<double> latencies_ms = limits.without_forbidden(chain, chain.costs(latency));
  std::vector<double> fewer = chain.costs(macs_of(space));
  for (double& macs : fewer) macs = -macs;
  std::vector<std::vector<double>> costs;
  ParetoOptions options;
  for (const auto& [of_slots, most] : limits.additive()) {
    costs.push_back(chain.costs(*of_slots));
    options.limits.push_back({costs.back(), most});
  }
  options.max_labels = options.limits.empty() ? kMostLabels : kMostLimitedLabels;
  const ParetoFront front(chain.trellis(), fewer, latencies_ms, options);
  const auto best = front.best(limit_ms);
  return best ? std::optional(chain.arch(best->path)) : std::nullopt;
}

}  // namespace

std::optional<TargetBounds> target_bounds(std::shared_ptr<const space::Space> space,
                                          const latency::LatencyModel& latency, double fastest_ms,
                                          double slowest_ms, const Constraints& constraints) {
  if (!(slowest_ms >= fastest_ms) || latency.space_name() != space->name()) {
    throw std::invalid_argument("[search::target_bounds] needs fastest_ms <= slowest_ms and a " +
                                ("latency model of " + space->name()) + ", got " +
                                std::to_string(fastest_ms) + ", " + std::to_string(slowest_ms) +
                                " and one of " + latency.space_name());
  }
  const space::SlotCosts* costs = latency.slot_costs();
  if (costs == nullptr) {
    return std::nullopt;
  }
  const auto lowest = most_macs_within(*space, *costs, constraints, fastest_ms);
  if (!lowest) {
    return std::nullopt;
  }
  const auto above = space::make_subspace(space, *lowest, space->largest());
  const auto of_slot = [&](int s, const space::Arch& arch) {
    return costs->at(static_cast<std::size_t>(s), above->to_whole(arch));
  };
  const auto costs_above = space::SlotCosts::of_slots(*above, of_slot, costs->constant());
  const auto highest = most_macs_within(*above, costs_above, constraints, slowest_ms);
  return TargetBounds{.lowest = *lowest, .highest = highest ? above->to_whole(*highest) : *lowest};
}

}  // namespace lathe::search
