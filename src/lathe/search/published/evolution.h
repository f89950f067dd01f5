// The published evolutionary search for the best net within one latency.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/search/candidate.h"
#include "lathe/search/problem.h"
#include "lathe/search/published/evaluations.h"
#include "lathe/search/search_targets.h"
#include "lathe/search/stopping_rule.h"

namespace lathe::search {

/// `parent` with each gene redrawn with probability `rate`: what a gene is, the space says (a
/// block's kernel and expansion together). Dead genes are redrawn too and stay as drawn, to be
/// shown when a deeper stage revives them: not canonical.
space::Arch published_mutant(const space::Space& space, const space::Arch& parent, double rate,
                             Rng& rng);

/// Every decision from either parent, alike likely, dead ones too: not canonical.
space::Arch published_crossover(const space::Arch& mother, const space::Arch& father, Rng& rng);

/// One member of a population.
struct Member {
  space::Arch genes;           ///< not canonical: dead genes are inherited
  std::size_t evaluation = 0;  ///< its net, in Evaluations::all()
};

/// The evolution of Cai et al., "Once-for-All: Train One Network and Specialize it for Efficient
/// Deployment" (ICLR 2020), section 3.4, as their code and its users run it: each generation keeps
/// the `parent_ratio` best of the population and adds `population` nets that are within the limit,
/// `mutation_ratio` of them mutants of random parents, the others crossovers of two. Copies of a
/// net stay in the population, where they crowd out others.
///
/// Differs in: random nets are drawn constructively and all of them join, where the code predicts
/// 100 and keeps 50; a child that is too slow is redrawn from the same parents at most kRedraws
/// times and then repaired, not redrawn forever; a net that was predicted before, in another
/// member or with other dead genes, is not predicted again; the nets of the last generation count.
class Evolution {
 public:
  static constexpr int kRedraws = 1000;

  /// Of nets within `limit_ms`. All but the options must outlive it. `candidates`: how many of the
  /// best it remembers.
  /// @throws std::invalid_argument if no allowed net is within `limit_ms`.
  Evolution(const Problem& problem, double limit_ms, const EvolutionOptions& options,
            std::size_t candidates, const StoppingRule& rule, Evaluations& evaluations, Rng& rng);

  /// Random nets within the limit join.
  void add_random(int count);
  /// These join, which must be within the limit.
  void add(std::vector<space::Arch> genes);
  /// Members whose nets are in the same Evaluations, and within the limit, join.
  void add(const std::vector<Member>& members);

  /// @throws std::invalid_argument if the population is empty.
  void next_generation();

  /// Not a generation's beginning: parents and children.
  const std::vector<Member>& population() const { return population_; }
  /// The best member so far; there must have been one.
  const Member& best() const { return best_member_; }
  /// The best nets so far, best first, distinct.
  std::vector<Candidate> candidates() const;
  /// Whether the stopping rule says so.
  bool stopped() const;

 private:
  void select_parents();
  space::Arch child_within(bool mutated, Rng& rng) const;
  void join(std::vector<space::Arch> genes);
  void remember(std::size_t evaluation);

  const Problem& problem_;
  double limit_ms_;
  EvolutionOptions options_;
  std::size_t capacity_;
  StoppingRule rule_;
  Evaluations& evaluations_;
  Rng& rng_;
  std::vector<Member> population_;
  Member best_member_;
  std::vector<std::size_t> ranking_;  // evaluations, best first, at most capacity_
};

}  // namespace lathe::search
