// Layers of states and the ways between neighbouring layers: what dynamic programs walk along.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace lathe::space {

/// A way from a state to one of the next layer.
struct Transition {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  bool operator==(const Transition&) const = default;
};

/// One transition for each step, from the first state to the last.
using Path = std::vector<std::uint32_t>;

/// As a cost: of what can't be reached or taken.
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// States are numbered over all layers, transitions over all steps, both in order: what belongs to
/// them (costs, marginals) is one flat array, and a transition's number is greater than that of any
/// that can come before it. The first layer and the last have a single state. Two states may have
/// several transitions between them. Immutable and thread-safe.
///
/// Costs of transitions are one number each. Where solvers take them, NaN and infinities mean that
/// the transition can't be taken.
class Trellis {
 public:
  /// The states of each layer, and for each step between two of them its transitions, whose states
  /// count from 0 in their layer, ascending by `to`, then `from`.
  /// @throws std::invalid_argument if there is no step, a layer has no state or is the first or
  /// last and has several, a transition names a state that its layer doesn't have, they aren't in
  /// order, or there are more than 2^31 states or transitions.
  Trellis(std::span<const std::uint32_t> layer_sizes,
          std::span<const std::vector<Transition>> steps);

  std::size_t num_steps() const { return first_transition_.size() - 1; }
  std::uint32_t num_states() const { return first_state_.back(); }
  std::uint32_t num_transitions() const { return first_transition_.back(); }

  /// Of all steps, ascending by `to`, then `from`.
  std::span<const Transition> transitions() const { return transitions_; }
  const Transition& transition(std::uint32_t t) const { return transitions_[t]; }

  /// The number of step `s`'s first transition; `s` may be num_steps(): the end.
  std::uint32_t first_transition(std::size_t s) const { return first_transition_[s]; }
  /// The number of the first state of a layer, from 0 to num_steps(); one more: the end.
  std::uint32_t first_state(std::size_t layer) const { return first_state_[layer]; }
  std::uint32_t layer_size(std::size_t layer) const {
    return first_state_[layer + 1] - first_state_[layer];
  }

  /// The transitions that leave a state, ascending.
  std::span<const std::uint32_t> leaving(std::uint32_t state) const {
    return std::span(leaving_).subspan(first_leaving_[state],
                                       first_leaving_[state + 1] - first_leaving_[state]);
  }
  /// Those that arrive at a state are the numbers from this one to that of the next state.
  std::uint32_t first_arriving(std::uint32_t state) const { return first_arriving_[state]; }

  /// The sum of costs along a path, added up from its beginning. The path must be one: not checked.
  static double total(std::span<const std::uint32_t> path, std::span<const double> costs) {
    double sum = 0;
    for (const std::uint32_t t : path) {
      sum += costs[t];
    }
    return sum;
  }

  /// @throws std::invalid_argument `[<function>] <name> must have a number for each of the ...
  /// transitions` unless `size` is their count.
  void require_one_each(std::size_t size, const char* function, const char* name) const;

 private:
  std::vector<Transition> transitions_;
  std::vector<std::uint32_t> first_transition_;  // of each step, and the end
  std::vector<std::uint32_t> first_state_;       // of each layer, and the end
  std::vector<std::uint32_t> leaving_;
  std::vector<std::uint32_t> first_leaving_;   // of each state, and the end
  std::vector<std::uint32_t> first_arriving_;  // of each state, and the end
};

}  // namespace lathe::space
