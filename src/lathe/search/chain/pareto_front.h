// Every trade-off of two additive costs that a path can have: the optimum for all limits at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "lathe/search/chain/front_labels.h"
#include "lathe/space/trellis.h"

namespace lathe::search {

/// What ParetoFront answers for a limit.
struct FrontAnswer {
  space::Path path;
  double latency = 0.0;
  double error = 0.0;
  double bound = 0.0;  ///< no path within the limit has less error; `error` itself if exact
  double gap() const { return error - bound; }
};

struct ParetoOptions {
  /// Further additive costs that no path may exceed, such as MACs and parameters: at most two, of
  /// each transition, finite and >= 0.
  std::vector<LimitedCost> limits;
  /// Labels (a trade-off of a state) that are kept at most; beyond, they go into bins. Eight
  /// bytes each, and while the program runs up to 100 more; MobileNet-v1's widths need some
  /// 200,000.
  std::size_t max_labels = 4'000'000;
};

/// The trade-offs (latency, error) of paths that no other path has better, by one dynamic program
/// along the trellis: each state keeps the non-dominated trade-offs of the ways to it, for what a
/// dominated way goes on to is dominated too. That holds for rounded sums as well, since adding the
/// same number never changes which of two is greater: points are the Trellis::total()s of paths to
/// the last bit, none is missing, and any limit's optimum is found by binary search.
///
/// A transition whose latency or error is not finite can't be taken.
///
/// With more labels than `max_labels` it falls back to bins, twice: each state puts its labels into
/// so many bins of neighbours, and keeps of a bin the best that any label of it could be, so that
/// the front lies below the true one, which is the bound; or one of its labels, so that points
/// still are paths. The fastest path is never lost. exact() says whether that was so, and answers
/// how far the two are apart.
///
/// Each limit makes labels of one number more, of which many more are non-dominated: what is left
/// of the limit counts only as far as some way to the end could exceed it.
///
/// O(labels x transitions of a state), with a limit x log(labels), with two x its square:
/// milliseconds for thousands of points, up to a minute where two limits need all max_labels.
/// Immutable and thread-safe; the trellis must outlive it.
class ParetoFront {
 public:
  /// @throws std::invalid_argument unless there is one of each cost for each transition, or if a
  /// limited cost is not finite and >= 0, there are more than two, a limit is NaN, or max_labels is
  /// less than two for each state.
  ParetoFront(const space::Trellis& trellis, std::span<const double> error,
              std::span<const double> latency, const ParetoOptions& options = {});
  ParetoFront(space::Trellis&&, std::span<const double>, std::span<const double>,
              const ParetoOptions& = {}) = delete;

  /// By ascending latency, and so by falling error; empty if no path can be taken.
  std::span<const FrontPoint> points() const { return points_; }
  /// Whether points() are the whole front.
  bool exact() const { return exact_; }
  /// Below every path's trade-off: points() where exact.
  std::span<const FrontPoint> bound() const { return exact_ ? points() : bound_; }
  /// Labels that were kept, of all programs that ran.
  std::size_t num_labels() const { return labels_.backs.size(); }

  /// A path with the trade-off points()[i]. O(steps).
  space::Path path(std::size_t i) const { return labels_.path(*trellis_, ends_[i]); }

  /// The least error within a latency limit, with a path that has it; nothing if none was found,
  /// which means that there is none if exact() or without limits. O(log points).
  std::optional<FrontAnswer> best(double latency_limit) const;

 private:
  front::Labels thinned(const front::Costs& costs, std::size_t max_labels);

  const space::Trellis* trellis_;
  bool exact_ = true;
  front::Labels labels_;
  std::vector<std::uint32_t> ends_;  // of each point: which of the last state's labels it is
  std::vector<FrontPoint> points_;
  std::vector<FrontPoint> bound_;  // where not exact
};

}  // namespace lathe::search
