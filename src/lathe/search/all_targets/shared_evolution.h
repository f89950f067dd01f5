// One evolution for all targets: the default search where latency is no sum over slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/search/all_targets/archive.h"
#include "lathe/search/all_targets/breeding.h"
#include "lathe/search/problem.h"

namespace lathe::search {

struct SharedEvolutionOptions {
  int population = 200;  ///< new nets a generation, for all targets together
  int parents = 25;      ///< for each target: the best nets within it that are bred from
  BreedOptions breed;
  int ranked = 25;  ///< nets kept for each target, at least `parents`
};

/// Every net is predicted once and offered to every target that it fits, so that a net found for
/// one target is a parent for its neighbours. Each generation breeds for all targets in turn and
/// predicts in one batch. It starts from the smallest, the fastest, and random nets repaired to fit
/// each target.
///
/// Deterministic: the same seed gives the same archive in the same order. The problem must outlive
/// it. Not thread-safe.
///
/// Differs from the published evolution (Cai et al., Once-for-All, ICLR 2020, section 3.4): no net
/// is predicted twice, the last generation counts, and too slow nets are repaired, not redrawn.
class SharedEvolution {
 public:
  /// `targets_ms`: ascending, distinct, none below problem.fastest().
  /// @throws std::invalid_argument if there is no target or they are not such, or an option is out
  /// of range.
  SharedEvolution(const Problem& problem, std::vector<double> targets_ms,
                  const SharedEvolutionOptions& options, Rng rng);

  /// One generation, of at most `max_evaluations` nets. False if none was new: the space has
  /// nothing more to offer.
  bool step(std::int64_t max_evaluations);

  /// Everything that was predicted, in order.
  const Archive& archive() const { return archive_; }
  /// Indices into archive().all() of the best nets within target `t`, best first.
  std::span<const std::size_t> ranking(std::size_t t) const { return archive_.ranking(t); }
  /// How net `index` of the archive was found, for people.
  std::string provenance(std::size_t index) const;

 private:
  std::vector<TimedArch> first_batch(std::size_t most);
  std::vector<TimedArch> offspring(std::size_t most);
  std::vector<const space::Arch*> parents_of(std::size_t target) const;
  std::size_t evaluate(const std::vector<TimedArch>& batch);

  const Problem& problem_;
  SharedEvolutionOptions options_;
  Rng rng_;
  Archive archive_;
  std::vector<std::size_t> generation_ends_;  // archive sizes
};

}  // namespace lathe::search
