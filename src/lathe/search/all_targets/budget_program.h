// The best path by an additive score within every latency limit at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lathe/space/trellis.h"

namespace lathe::search {

/// Dynamic programming along a trellis and over latency in bins: one solve() gives the best path
/// for all limits up to `max_ms`, in the time of one pass over transitions x bins.
///
/// Each transition's latency is rounded to the nearest bin, so that errors cancel, and every path
/// that is returned is checked with its real latency. It is therefore within its limit, but a path
/// that is better by a hair may be missed: one whose latency lies within a few bins of the limit.
/// (chain/pareto_front.h misses none, in milliseconds rather than microseconds.)
/// The trellis must outlive this.
class BudgetProgram {
 public:
  /// `latency_ms`: of each transition.
  /// @throws std::invalid_argument if bins < 2, max_ms is below the fastest path or not finite, or
  /// there isn't a latency for each transition.
  BudgetProgram(const space::Trellis& trellis, std::vector<double> latency_ms, double max_ms,
                int bins);

  /// Finds the best paths for the scores of the transitions, to be summed and maximised.
  /// @throws std::invalid_argument unless there is one for each.
  void solve(std::span<const float> scores);

  /// Of the last solve(): within `limit_ms`; nothing if no path was found within it.
  std::optional<space::Path> best(double limit_ms) const;

  double bin_ms() const { return bin_ms_; }

 private:
  struct Way {  // a transition that can be within the budget
    std::uint32_t transition;
    std::uint32_t from;
    std::uint32_t to;
    std::int32_t bins;
  };
  struct Reach {  // the bins that a state can be in
    std::int32_t least;
    std::int32_t most;
  };
  std::size_t cell(std::uint32_t state, std::int32_t bin) const {
    return static_cast<std::size_t>(state) * static_cast<std::size_t>(bins_) +
           static_cast<std::size_t>(bin);
  }
  space::Path trace(std::int32_t bin) const;

  const space::Trellis* trellis_;
  std::vector<double> latency_ms_;
  std::int32_t bins_;
  double base_ms_ = 0.0;  ///< of the fastest way through every step: bin 0
  double bin_ms_ = 0.0;
  std::vector<Way> ways_;               // in the order of the transitions
  std::vector<Reach> reach_;            // of each state
  std::vector<float> scores_;           // [state, bin]
  std::vector<std::uint32_t> choices_;  // [state, bin]: the way that led there
  std::vector<std::int32_t> best_bin_;  // up to each bin; -1: no path
};

}  // namespace lathe::search
