// Random changes of training images: where they lie, and holes in them.
#pragma once

#include "lathe/core/random.h"

namespace lathe::data {

struct AugmentOptions {
  int crop_padding = 2;  ///< pixels of black added on each side before a crop of the old size
  bool horizontal_flip = true;  ///< with probability 1/2
  int cutout = 0;               ///< side of the square set to the mean, in pixels; 0: none
};

/// Where an image lies in what is made of it.
struct Placement {
  int shift_y = 0;    ///< row y of the result is row y + shift_y of the image; outside is black
  int shift_x = 0;    ///< likewise for columns, before the flip
  bool flip = false;  ///< left and right exchanged, after the shift
};

/// @throws std::invalid_argument if crop_padding is < 0.
Placement draw_placement(const AugmentOptions& options, Rng& rng);

/// [top, bottom) x [left, right), within the image; empty when there is none.
struct Hole {
  int top = 0, bottom = 0, left = 0, right = 0;
};

/// The hole of an image of size x size. Its centre is uniform over the image and the part outside
/// is cut off (DeVries and Taylor, 2017).
/// @throws std::invalid_argument if size is not > 0, or cutout is < 0.
Hole draw_cutout(const AugmentOptions& options, int size, Rng& rng);

}  // namespace lathe::data
