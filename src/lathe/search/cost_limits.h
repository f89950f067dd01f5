// What nets may cost besides latency, and which keep it.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "lathe/space/slot_chain.h"
#include "lathe/space/slot_costs.h"
#include "lathe/space/space.h"

namespace lathe::search {

/// What a net may cost besides latency; unset: anything.
struct Constraints {
  std::optional<double> max_macs;       ///< multiply-accumulates, graph::macs()
  std::optional<double> max_params;     ///< graph::params()
  std::optional<double> max_memory_mb;  ///< graph::peak_memory_bytes() / 1e6
  bool operator==(const Constraints&) const = default;
};

/// Constraints as tables of a space's blocks: asking for a net takes some tens of nanoseconds.
/// Immutable and thread-safe; the space need not outlive it. An arch that is passed in must be one
/// of the space.
class CostLimits {
 public:
  /// Some tens of milliseconds for a few thousand distinct blocks; nothing without constraints.
  /// @throws std::invalid_argument if a constraint is not finite and > 0; Error if the space has
  /// too many blocks to list, or if memory is limited in a space whose blocks are no chain.
  CostLimits(const space::Space& space, const Constraints& constraints);

  const Constraints& constraints() const { return constraints_; }
  /// Whether a net keeps them.
  bool allow(const space::Arch& arch) const;
  /// 0 if it does; else what it costs as a multiple of each limit that it doesn't keep, added up.
  double excess(const space::Arch& arch) const;

  /// Those that are sums over slots: the costs, and the most that they may be. Valid as long as
  /// this object.
  std::vector<std::pair<const space::SlotCosts*, double>> additive() const;
  /// `costs`, of each transition of the space's chain, with infinity where a transition alone needs
  /// too much memory.
  std::vector<double> without_forbidden(const space::SlotChain& chain,
                                        std::vector<double> costs) const;

 private:
  Constraints constraints_;
  std::optional<space::SlotCosts> macs_;  // each if constrained
  std::optional<space::SlotCosts> params_;
  std::optional<space::SlotCosts> memory_mb_;  // at(): megabytes alive at once in the slot
};

}  // namespace lathe::search
