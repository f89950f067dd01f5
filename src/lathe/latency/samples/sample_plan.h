// Which whole nets to measure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/slot_chain.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// Draws nets so that the block that was measured least is in the next one. A latency model by
/// blocks is a least-squares system with one variable a block; uniform draws leave rare blocks out
/// for long.
/// @see AOWS (Berman et al., CVPR 2020), supplement A: the next net minimises the number of its
/// least-seen blocks, negated (A.1, A.2). Differs in its ties: the paper's are broken by index,
/// which leaves the system rank deficient; here every entry of a slot's table gets a jitter of
/// U(0, 1e-3), too small to change the minimum.
class BiasedSampler {
 public:
  /// `space` must outlive this.
  /// @throws Error as Space::for_each_assignment(): the space's blocks can't be listed.
  explicit BiasedSampler(const space::Space& space);
  explicit BiasedSampler(space::Space&&) = delete;

  /// A net that contains as many as any net of the blocks seen least; its blocks are counted.
  /// O(entries of all slots + transitions of the chain).
  space::Arch next(Rng& rng);

  /// The distinct blocks that some net contains: the model's variables.
  std::size_t num_blocks() const { return counts_.size(); }
  /// How often the least-seen block was in the nets drawn so far.
  int least_count() const;

 private:
  const space::Space* space_;
  space::SlotChain chain_;
  std::map<std::string, std::size_t> by_key_;       // blocks are numbered
  std::vector<std::vector<std::size_t>> of_entry_;  // of each entry of each slot, in order
  std::vector<std::size_t> entry_of_transition_;    // in of_entry_
  std::vector<int> counts_;
};

struct PlanOptions {
  int samples = 0;
  bool biased = false;  ///< BiasedSampler's nets; otherwise uniform ones
  std::uint64_t seed = 0;
};

/// The nets to measure, in order; a longer plan with the same seed begins with the shorter one.
/// @throws std::invalid_argument if `samples` is negative; Error as BiasedSampler.
std::vector<space::Arch> sample_plan(const space::Space& space, const PlanOptions& options);

/// A part of a plan for one machine of several: `index` from 0 to `count` - 1.
struct Shard {
  int index = 0;
  int count = 1;
};

/// Every count-th net, from the index-th.
/// @throws std::invalid_argument unless 0 <= index < count.
std::vector<space::Arch> part_of(std::span<const space::Arch> plan, const Shard& shard);

/// What is left of `plan` when `done` was measured: the part after as many nets.
/// @throws Error `<where>: ...` if `done` is not the beginning of `plan`.
std::span<const space::Arch> remaining(std::span<const space::Arch> plan,
                                       std::span<const LatencySample> done,
                                       const std::string& where);

}  // namespace lathe::latency
