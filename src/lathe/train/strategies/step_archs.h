// The nets that a step of a weight-sharing method chooses from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/space/space.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

/// How random nets are drawn where not uniformly from the whole space, and what to call it: the
/// name is part of a method's settings, and has to say all that the draws depend on.
struct NetDraw {
  std::string name;
  std::function<space::Arch(Rng&)> draw;
};

/// The archs of one step. Where resolution is a decision, it is drawn once and all have it.
/// Differs in: BigNAS resizes the images for each net of a step; one size a step is the
/// Once-for-All papers' way, and cheaper.
class StepArchs {
 public:
  /// `seed`, the method's `stream` and the step decide all draws. `space` and `draw` must outlive
  /// it; without a function of its own the latter means uniform draws.
  StepArchs(const space::Space& space, std::uint64_t seed, std::uint64_t stream, std::int64_t step,
            const NetDraw& draw = uniform_draw());

  space::Arch largest() const { return at_resolution(space_.largest()); }
  space::Arch smallest() const { return at_resolution(space_.smallest()); }
  /// Height and width of their input.
  int image_size() const { return space_.input_size(largest()); }
  /// The next random one: uniform over all archs, or as it was told.
  space::Arch sample();
  /// Uniform, decision i among its choices from `first_choices[i]` on.
  space::Arch sample_from(const std::vector<std::uint8_t>& first_choices);

 private:
  space::Arch at_resolution(space::Arch arch) const;

  static const NetDraw& uniform_draw();

  const space::Space& space_;
  const NetDraw& draw_;
  Rng rng_;
  int decision_ = -1;  ///< the resolution's; -1: the space has none
  std::uint8_t choice_ = 0;
};

/// What the sandwich rule adds to the largest net: the smallest and `random_subnets` random ones,
/// which learn from the step's first pass. @see BigNAS (Yu et al., ECCV 2020), section 3.1.
void add_sandwich(std::vector<Pass>& passes, StepArchs& archs, int random_subnets, double weight);

}  // namespace lathe::train
