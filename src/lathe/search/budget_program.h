// The best net by an additive score within every latency limit at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lathe/space/slot_chain.h"
#include "lathe/space/slot_costs.h"

namespace lathe::search {

/// Dynamic programming along the slots and over latency in bins: one solve() gives the best net for
/// all limits up to `max_ms`, in the time of one pass over (ways through the slots) x (bins).
///
/// Each slot's latency is rounded to the nearest bin, so that errors cancel, and every net that is
/// returned is checked with its real latency. It is therefore within its limit, but a net that is
/// better by a hair may be missed: one whose latency lies within a few bins of the limit.
/// The chain and the costs must outlive this.
class BudgetProgram {
 public:
  /// @throws std::invalid_argument if bins < 2, or max_ms is below the fastest net or not finite.
  BudgetProgram(const space::SlotChain& chain, const space::SlotCosts& latency, double max_ms,
                int bins);

  /// Finds the best nets for `scores[s][k]`, the score of transition `k` of step `s` of the chain,
  /// to be summed and maximised. @throws std::invalid_argument if the shape differs.
  void solve(std::span<const std::vector<float>> scores);

  /// Of the last solve(): canonical and within `limit_ms`; nothing if no net was found within it.
  std::optional<space::Arch> best(double limit_ms) const;

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
  space::Arch trace(std::int32_t bin) const;

  const space::SlotChain* chain_;
  const space::SlotCosts* latency_;
  std::int32_t bins_;
  double base_ms_ = 0.0;  ///< of the fastest way through every slot: bin 0
  double bin_ms_ = 0.0;
  std::vector<std::vector<Way>> ways_;               // of each step
  std::vector<std::vector<Reach>> reach_;            // before each step, of each state
  std::vector<std::vector<float>> scores_;           // before each step: [state, bin]
  std::vector<std::vector<std::uint32_t>> choices_;  // after each step: the way that led there
  std::vector<std::int32_t> best_bin_;               // up to each bin; -1: no net
};

}  // namespace lathe::search
