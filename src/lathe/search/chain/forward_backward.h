// The Boltzmann distribution over paths: partition function, marginals, samples (sum-product).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/space/trellis.h"

namespace lathe::search {

/// A path has the probability exp(-(sum of its energies)) / Z. A temperature and prices are the
/// caller's: energies (error + gamma * latency) / temperature give AOWS's distribution of nets.
/// Sums are kept as logarithms, so that no temperature is too low: the distribution then is on the
/// paths of least energy. Immutable and thread-safe.
/// @see AOWS (Berman et al., CVPR 2020), section 5.
class ForwardBackward {
 public:
  /// `energies`: of each transition, in nats; one that is not finite has probability 0. The trellis
  /// must outlive this. O(transitions), with two exponentials each.
  /// @throws std::invalid_argument unless there is one energy for each transition, or if no path
  /// can be taken.
  ForwardBackward(const space::Trellis& trellis, std::span<const double> energies);
  ForwardBackward(space::Trellis&&, std::span<const double>) = delete;

  /// log Z. The free energy is its negative; its derivative by a price of a cost is minus the
  /// expected_total() of that cost.
  double log_partition() const { return forward_.back(); }

  /// How probable it is that a path goes through each transition. They sum to 1 in each step.
  std::span<const double> transition_marginals() const { return transition_marginals_; }
  /// The same of each state; 1 in all in each layer.
  std::span<const double> state_marginals() const { return state_marginals_; }

  /// The expected total of other costs of the transitions, such as latency. Costs of transitions
  /// that no path takes don't matter, NaN or not.
  /// @throws std::invalid_argument unless there is one cost for each.
  double expected_total(std::span<const double> costs) const;

  /// A path by its probability: forward filtering, backward sampling. Draws one number for each
  /// step. O(transitions that arrive at its states).
  space::Path sample(Rng& rng) const;

  /// log of the path's probability; minus infinity if it can't be taken.
  double log_probability(std::span<const std::uint32_t> path) const;

 private:
  const space::Trellis* trellis_;
  std::vector<double> energies_;  // infinity where it can't be taken
  std::vector<double> forward_;   // of each state: log of the sum over the ways to it
  std::vector<double> transition_marginals_;
  std::vector<double> state_marginals_;
};

}  // namespace lathe::search
