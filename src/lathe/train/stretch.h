// A planned number of steps done in fewer: where a machine turns out slower than it was.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lathe::train {

/// Maps the steps that are done to those that were planned: one to one, until the rest of the plan
/// is squeezed into fewer steps. Schedules and phases are looked up at the planned step, so that
/// all of them are run through, each in proportion.
class Stretch {
 public:
  /// @throws std::invalid_argument if planned_steps isn't in [1, 10^9].
  explicit Stretch(std::int64_t planned_steps);

  std::int64_t planned_steps() const { return planned_steps_; }
  /// Steps that are really done.
  std::int64_t total_steps() const { return total_steps_; }
  /// In [0, planned_steps()), for steps in [0, total_steps()). O(revisions).
  std::int64_t planned(std::int64_t step) const;

  /// From `step` on, what is left of the plan takes `steps_left` steps.
  /// @throws std::invalid_argument if steps_left isn't in [1, 10^9], or the step is not after the
  /// last revision's and before total_steps().
  void revise(std::int64_t step, std::int64_t steps_left);

  /// The revisions; null if there is none.
  nlohmann::json state() const;
  /// Goes on from a state(). @throws Error naming `where` if it is none of as many planned steps.
  void restore(const nlohmann::json& state, const std::string& where);

 private:
  struct Revision {
    std::int64_t step = 0;        // from which on
    std::int64_t planned = 0;     // where the plan is then
    std::int64_t steps_left = 0;  // until its end
  };
  std::int64_t planned_steps_;
  std::int64_t total_steps_;
  std::vector<Revision> revisions_;
};

}  // namespace lathe::train
