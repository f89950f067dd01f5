// What is searched: a space, what its nets cost and are worth, and what they may cost.
#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/core/random.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/search/chain/path_sampler.h"
#include "lathe/search/cost_limits.h"
#include "lathe/search/repair.h"
#include "lathe/space/slot_chain.h"
#include "lathe/space/slot_costs.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// Immutable and thread-safe. The space and the models must outlive it. An arch that is passed in
/// must be one of the space.
class Problem {
 public:
  /// Milliseconds for spaces of a few thousand distinct blocks, some tens where MACs, parameters or
  /// memory are constrained.
  /// @throws std::invalid_argument if a model is of another space, or as CostLimits; Error as the
  /// latency model's, or as CostLimits.
  Problem(const space::Space& space, const latency::LatencyModel& latency,
          const accuracy::AccuracyPredictor& accuracy, const Constraints& constraints = {});
  Problem(space::Space&&, const latency::LatencyModel&, const accuracy::AccuracyPredictor&,
          const Constraints& = {}) = delete;
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  const space::Space& space() const { return *space_; }
  const latency::LatencyModel& latency() const { return *latency_; }
  const accuracy::AccuracyPredictor& accuracy() const { return *accuracy_; }
  const Constraints& constraints() const { return limits_.constraints(); }

  /// Through the model's slot costs where it has them: tens of nanoseconds.
  /// @throws Error as LatencyModel::predict_ms().
  double latency_ms(const space::Arch& arch) const;

  /// Whether it is within the constraints; latency has no part in it.
  bool allowed(const space::Arch& arch) const { return limits_.allow(arch); }
  /// allowed(), and latency_ms() at most `limit_ms`.
  bool fits(const space::Arch& arch, double limit_ms) const {
    return latency_ms(arch) <= limit_ms && allowed(arch);
  }

  /// The fastest allowed net: no target below it can be met. Exact where latency is additive and
  /// the fastest net within the memory limit keeps the other constraints too; otherwise found by
  /// reachable_range.h's descent. Nothing if no allowed net was found.
  const std::optional<TimedArch>& fastest() const { return fastest_; }

  /// A random net that is allowed and within `limit_ms`, drawn constructively (PathSampler) where
  /// latency is additive, otherwise sampled uniformly; repaired where that doesn't fit. Always
  /// ends.
  /// @throws std::invalid_argument if there is no fastest() or it is slower than that.
  TimedArch sample_within(double limit_ms, Rng& rng) const;

  /// `arch` made to fit: as repair(), the constraints included.
  /// @throws std::invalid_argument as sample_within().
  TimedArch repaired(space::Arch arch, double limit_ms, Rng& rng) const;

  /// @throws std::invalid_argument as AccuracyPredictor::predict().
  void predict_accuracy(std::span<const space::Arch> archs, std::span<double> out) const {
    accuracy_->predict(archs, out);
  }

  /// Of the constraints, those that are sums over slots: the costs, and the most that they may be.
  std::vector<std::pair<const space::SlotCosts*, double>> additive_constraints() const {
    return limits_.additive();
  }
  /// Null where latency is not additive.
  const space::SlotCosts* latency_costs() const { return latency_costs_; }
  /// Null where latency is not additive, or the space too entangled for exact walks.
  const space::SlotChain* chain() const { return chain_ ? &*chain_ : nullptr; }
  /// Of each transition of the chain(); infinity for those that need too much memory.
  std::vector<double> transition_latency_ms() const {
    return limits_.without_forbidden(*chain_, chain_->costs(*latency_costs_));
  }

 private:
  void require_feasible(const char* function, double limit_ms) const;
  std::optional<TimedArch> find_fastest() const;

  const space::Space* space_;
  const latency::LatencyModel* latency_;
  const accuracy::AccuracyPredictor* accuracy_;
  CostLimits limits_;
  const space::SlotCosts* latency_costs_;
  std::optional<space::SlotChain> chain_;
  std::optional<PathSampler> sampler_;  // refers to chain_
  std::optional<TimedArch> fastest_;
};

}  // namespace lathe::search
