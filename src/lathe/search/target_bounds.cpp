#include "lathe/search/target_bounds.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/graph/counts.h"
#include "lathe/search/budget_program.h"
#include "lathe/space/min_sum.h"
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

/// What a path may have for its parameters: its multiply-accumulates less this share of them for a
/// share of all parameters as large.
std::vector<double> prices_of_params(const Constraints& constraints) {
  return constraints.max_params ? std::vector<double>{0, 0.25, 0.5, 1, 2, 4}
                                : std::vector<double>{0};
}

/// The net with the most multiply-accumulates within the limits; nothing if none was found.
class MostMacs {
 public:
  MostMacs(const space::Space& space, const space::SlotCosts& latency,
           const Constraints& constraints)
      : limits_(space, constraints),
        chain_(space),
        latencies_ms_(limits_.without_forbidden(chain_, chain_.costs(latency))),
        macs_(chain_.costs(macs_of(space))) {
    if (constraints.max_params) {
      const double share = static_cast<double>(graph::macs(space.graph(space.largest()))) /
                           static_cast<double>(graph::params(space.graph(space.largest())));
      for (const double params : chain_.costs(*limits_.additive().back().first)) {
        params_in_macs_.push_back(share * params);
      }
    }
  }

  std::optional<space::Arch> within(double limit_ms) const {
    const auto fastest = space::min_sum(chain_.trellis(), latencies_ms_);
    if (!fastest || !(fastest->total <= limit_ms)) {
      return std::nullopt;
    }
    // None has more, and its latency need not fit into bins.
    if (const space::Path most = of_most_macs();
        space::Trellis::total(most, latencies_ms_) <= limit_ms &&
        limits_.allow(chain_.arch(most))) {
      return chain_.arch(most);
    }
    // Bins beyond the slowest path would leave few for those that there are.
    limit_ms = std::min(limit_ms, std::max(fastest->total, slowest_ms()));
    BudgetProgram program(chain_.trellis(), latencies_ms_, limit_ms, kBins);
    std::optional<space::Path> best;
    try_path(fastest->path, best);
    for (const double price : prices_of_params(limits_.constraints())) {
      program.solve(scores(price));
      try_all(program, limit_ms, best);
    }
    return best ? std::optional(chain_.arch(*best)) : std::nullopt;
  }

 private:
  /// The path with the largest sum of those that aren't forbidden, of which there is one.
  space::Path largest_sum(const std::vector<double>& costs) const {
    std::vector<double> negated = latencies_ms_;
    for (std::size_t t = 0; t < costs.size(); ++t) {
      negated[t] = std::isfinite(negated[t]) ? -costs[t] : negated[t];
    }
    return space::min_sum(chain_.trellis(), negated)->path;
  }
  space::Path of_most_macs() const { return largest_sum(macs_); }
  double slowest_ms() const {
    return space::Trellis::total(largest_sum(latencies_ms_), latencies_ms_);
  }

  std::vector<float> scores(double price) const {
    std::vector<float> scores;
    for (std::size_t t = 0; t < macs_.size(); ++t) {
      scores.push_back(static_cast<float>(macs_[t] - (price > 0 ? price * params_in_macs_[t] : 0)));
    }
    return scores;
  }

  /// Keeps the path if it is within the constraints and has more than the best. Whether it is.
  bool try_path(const space::Path& path, std::optional<space::Path>& best) const {
    if (!limits_.allow(chain_.arch(path))) {
      return false;
    }
    if (!best || space::Trellis::total(path, macs_) > space::Trellis::total(*best, macs_)) {
      best = path;
    }
    return true;
  }

  /// The best paths of this and of lower latencies, until one is within the constraints: the
  /// scores of those after it are lower.
  void try_all(const BudgetProgram& program, double limit_ms,
               std::optional<space::Path>& best) const {
    for (int bin = 0; bin < kBins; ++bin) {
      const auto path = program.best(limit_ms - bin * program.bin_ms());
      if (!path || try_path(*path, best)) {
        return;
      }
    }
  }

  CostLimits limits_;
  space::SlotChain chain_;
  std::vector<double> latencies_ms_;  // of each transition, as the others
  std::vector<double> macs_;
  std::vector<double> params_in_macs_;  // where they are limited
};

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
  const auto lowest = MostMacs(*space, *costs, constraints).within(fastest_ms);
  if (!lowest) {
    return std::nullopt;
  }
  const auto above = space::make_subspace(space, *lowest, space->largest());
  const auto of_slot = [&](int s, const space::Arch& arch) {
    return costs->at(static_cast<std::size_t>(s), above->to_whole(arch));
  };
  const auto costs_above = space::SlotCosts::of_slots(*above, of_slot, costs->constant());
  const auto highest = MostMacs(*above, costs_above, constraints).within(slowest_ms);
  return TargetBounds{.lowest = *lowest, .highest = highest ? above->to_whole(*highest) : *lowest};
}

}  // namespace lathe::search
