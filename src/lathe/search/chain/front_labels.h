// The dynamic program behind pareto_front.h: non-dominated labels of every state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lathe/search/chain/limited_cost.h"
#include "lathe/space/trellis.h"

namespace lathe::search {

/// A trade-off that some path has.
struct FrontPoint {
  double latency = 0.0;
  double error = 0.0;
  bool operator==(const FrontPoint&) const = default;
};

namespace front {

/// How a label was reached: by a transition, from one of the labels of the state before.
struct Back {
  std::uint32_t transition = 0;
  std::uint32_t previous = 0;
};

/// Costs beside latency and error that can be limited at once.
constexpr std::size_t kMostLimits = 2;

/// Costs of the transitions; those of which one is not finite can't be taken.
struct Costs {
  std::span<const double> error;
  std::span<const double> latency;
  std::span<const LimitedCost> limits;  ///< at most kMostLimits; finite and >= 0
};

struct Labels {
  std::vector<Back> backs;              ///< of all states
  std::vector<std::size_t> first_back;  ///< of each state, and the end
  std::vector<FrontPoint> ends;         ///< of the last state's labels, by ascending latency

  /// The path to label `end` of the last state.
  space::Path path(const space::Trellis& trellis, std::uint32_t end) const;
};

/// What becomes of a state's labels beyond `most` (>= 2): they are put in so many bins of
/// neighbours.
struct Thinning {
  enum class Keep {
    kAll,
    /// One label in each bin, which no label of the bin is better than in anything: the least
    /// latency of the bin with its least error. The end's labels lie below every path's.
    kBound,
    /// One of the labels of each bin, so that all stand for paths. The state's fastest and its best
    /// are always among them, and so are the fastest path and the best.
    kSome,
  };
  Keep keep = Keep::kAll;
  std::size_t most = 0;
};

/// The labels of every state: the non-dominated (latency, error) of the ways to it, without those
/// that can't become part of the front of whole paths. Nothing if there are more than
/// `max_labels`; it stops soon after. O(labels x transitions of a state x log of these).
std::optional<Labels> front_labels(const space::Trellis& trellis, const Costs& costs,
                                   const Thinning& thinning, std::size_t max_labels);

}  // namespace front
}  // namespace lathe::search
