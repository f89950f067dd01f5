// Smaller images at first: steps that take a third of the time, while all that is to be learnt is
// rough.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "lathe/space/space.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

/// What a step takes on images of a net's own size and on those of half of the side.
struct StepSeconds {
  double full = 0;
  double half = 0;

  /// At `scale` of the side: a constant, and what grows with the pixels.
  double at(double scale) const;
};

nlohmann::ordered_json to_json(const StepSeconds& step_s);
/// The member `key` of `json`. @throws Error `<where>: ...` naming what is missing.
StepSeconds step_seconds_from_json(const nlohmann::json& json, const char* key,
                                   const std::string& where);

/// Until when images are smaller than a net's input, in shares of the steps.
struct SmallImages {
  double half_until = 0;            ///< half of the side
  double three_quarters_until = 0;  ///< then three quarters of it, then all

  /// The first `share` of the steps: two thirds of them with half of the side.
  static SmallImages over(double share) { return {2 * share / 3, share}; }
  bool any() const { return three_quarters_until > 0; }
  /// Of the side, when `progress` in [0, 1) of the steps are done: 0.5, 0.75 or 1.
  double scale(double progress) const;
  /// Of a step, over all steps.
  double mean_s(const StepSeconds& step_s) const;
};

/// Whether all nets of the space can be run on images of half and of three quarters of their size.
bool sees_small_images(const space::Space& space);

/// `whole` as it is, but every net sees images as small as `images` says. Progressive resizing, as
/// known from training against the clock (docs/what_pays.md has what it brings here). All of a
/// step's nets shrink alike. `space` must outlive the result.
/// @throws Error if !sees_small_images(space).
std::unique_ptr<Strategy> with_small_images(std::unique_ptr<Strategy> whole,
                                            const space::Space& space, const SmallImages& images);

}  // namespace lathe::train
