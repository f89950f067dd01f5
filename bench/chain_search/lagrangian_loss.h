// What the Lagrangian loses beside the exact front of the same tables, and how long both take.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "lathe/search/chain/pareto_front.h"
#include "lathe/space/trellis.h"

namespace lathe::bench {

constexpr int kTargets = 199;

/// Median of this thread's processor time over `rounds`, after one that isn't timed.
double median_ms(int rounds, const std::function<void()>& work);

/// kTargets limits evenly over the front's latencies, both ends left out.
std::vector<double> targets_of(const search::ParetoFront& front);

/// Of each of targets_of(). Unused: of the latency, a fraction of the target.
struct LagrangianLoss {
  bool consistent = true;       ///< dual bound <= optimum <= answer; all within their targets
  int exact = 0;                ///< answers that are the optimum
  std::vector<double> optimum;  ///< error
  std::vector<double> above;    ///< error of the answer less the optimum
  std::vector<double> unused_by_optimum;
  std::vector<double> unused;  ///< by the answer
};

/// `front` is of these costs.
LagrangianLoss lagrangian_loss(const space::Trellis& trellis, std::span<const double> error,
                               std::span<const double> latency, const search::ParetoFront& front);

}  // namespace lathe::bench
