#include "lathe/search/target_bounds.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/graph/counts.h"
#include "lathe/search/budget_program.h"
#include "lathe/space/slot_chain.h"
#include "lathe/space/subspace.h"

namespace lathe::search {
namespace {

constexpr int kBins = 2000;

space::SlotCosts macs_of(const space::Space& space) {
  return {space, [](const space::Block& block) {
            return static_cast<double>(graph::macs(space::lower({&block, 1})));
          }};
}

/// The net with the most multiply-accumulates within the limit; nothing if there is none.
std::optional<space::Arch> most_macs_within(const space::Space& space,
                                            const space::SlotCosts& latency, double limit_ms) {
  const space::SlotChain chain(space);
  const std::vector<double> latencies_ms = chain.costs(latency);
  const double fastest_ms = chain.minimum(latency).second;
  if (!(fastest_ms <= limit_ms)) {
    return std::nullopt;
  }
  const std::vector<double> macs = chain.costs(macs_of(space));
  BudgetProgram program(chain.trellis(), latencies_ms, limit_ms, kBins);
  program.solve(std::vector<float>(macs.begin(), macs.end()));
  const std::optional<space::Path> path = program.best(limit_ms);
  return path ? chain.arch(*path) : chain.minimum(latency).first;
}

}  // namespace

std::optional<TargetBounds> target_bounds(std::shared_ptr<const space::Space> space,
                                          const latency::LatencyModel& latency, double fastest_ms,
                                          double slowest_ms) {
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
  const std::optional<space::Arch> lowest = most_macs_within(*space, *costs, fastest_ms);
  if (!lowest) {
    return std::nullopt;
  }
  const auto above = space::make_subspace(space, *lowest, space->largest());
  const auto of_slot = [&](int s, const space::Arch& arch) {
    return costs->at(static_cast<std::size_t>(s), above->to_whole(arch));
  };
  const auto costs_above = space::SlotCosts::of_slots(*above, of_slot, costs->constant());
  // There is one: the lowest net itself.
  const space::Arch highest = *most_macs_within(*above, costs_above, slowest_ms);
  return TargetBounds{.lowest = *lowest, .highest = above->to_whole(highest)};
}

}  // namespace lathe::search
