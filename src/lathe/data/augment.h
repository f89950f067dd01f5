// Random changes of training images: where they lie, their side, and a hole.
#pragma once

#include "lathe/core/random.h"

namespace lathe::data {

struct AugmentOptions {
  int crop_padding = 2;  ///< pixels of black added on each side before a crop of the old size
  bool horizontal_flip = true;  ///< with probability 1/2
  int cutout = 0;               ///< side of the square set to the mean, in pixels; 0: none
};

/// One image's random choices.
struct AugmentDraw {
  int shift_y = 0;    ///< row y of the result is row y + shift_y of the image; outside is black
  int shift_x = 0;    ///< likewise for columns, before the flip
  bool flip = false;  ///< left and right exchanged, after the shift
  /// The hole [top, bottom) x [left, right) in the result, within the image; empty when none.
  int top = 0, bottom = 0, left = 0, right = 0;
};

/// Draws what happens to an image of height x width. The hole's centre is uniform over the image
/// and the part outside is cut off (DeVries and Taylor, 2017).
/// @throws std::invalid_argument if height or width is not > 0, or an option is < 0.
AugmentDraw draw_augmentation(const AugmentOptions& options, int height, int width, Rng& rng);

}  // namespace lathe::data
