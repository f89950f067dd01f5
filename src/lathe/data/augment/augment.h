// What is done to training images: the options of all of it; where images lie, and holes in them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lathe/core/random.h"

namespace lathe::data {

struct AugmentOptions {
  int crop_padding = 2;  ///< pixels of black added on each side before a crop of the old size
  bool horizontal_flip = true;  ///< with probability 1/2
  int cutout = 0;               ///< side of the square set to the mean, in pixels; 0: none
  /// Photographs are cropped to a random part instead: at least this share of their area.
  double min_crop_area = 0.08;
  /// Brightness, contrast and saturation are multiplied by factors in [1 - this, 1 + this].
  double color_jitter = 0;
  bool trivial_augment = false;  ///< one random operation of random strength (trivial_augment.h)
  double random_erasing = 0;     ///< how probably there is a hole of random size and shape
  double mixup = 0;  ///< alpha of the Beta distribution that images are mixed by (mixing.h); 0: not
  double cutmix = 0;  ///< the same for boxes of another image
};

/// Every option by its name, for what must not differ when a run is resumed.
nlohmann::ordered_json to_json(const AugmentOptions& options);

/// What to_json() wrote. @throws Error `<where>: "cutout": expected ..., got ...`.
AugmentOptions augment_options_from_json(const nlohmann::json& json, const std::string& where);

/// Where an image lies in what is made of it.
struct Placement {
  int shift_y = 0;    ///< row y of the result is row y + shift_y of the image; outside is black
  int shift_x = 0;    ///< likewise for columns, before the flip
  bool flip = false;  ///< left and right exchanged, after the shift
};

/// @throws std::invalid_argument if crop_padding is < 0.
Placement draw_placement(const AugmentOptions& options, Rng& rng);

/// A part of an image, in pixels.
struct Region {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
  bool operator==(const Region&) const = default;
};

/// A random part of an image of height x width: its share of the area is uniform in
/// [min_crop_area, 1], the logarithm of its aspect ratio uniform between those of 3/4 and 4/3, its
/// place uniform. Of ten draws the first that fits is taken; if none does, the largest part in the
/// middle that has such an aspect ratio (Szegedy et al., 2015, as it is done for ImageNet).
/// @throws std::invalid_argument if a side is not > 0, or min_crop_area is not in (0, 1].
Region draw_resized_crop(const AugmentOptions& options, int height, int width, Rng& rng);

/// The square in the middle that is tested on, as a share of the shorter side: as 224 is of 256.
inline constexpr double kCenterCropShare = 7.0 / 8;
Region center_crop(int height, int width);

/// [top, bottom) x [left, right), within the image; empty when there is none.
struct Hole {
  int top = 0, bottom = 0, left = 0, right = 0;
};

/// The hole of an image of size x size. Its centre is uniform over the image and the part outside
/// is cut off (DeVries and Taylor, 2017).
/// @throws std::invalid_argument if size is not > 0, or cutout is < 0.
Hole draw_cutout(const AugmentOptions& options, int size, Rng& rng);

/// The hole of random erasing, in half of all images with random_erasing = 0.5: 2% to 33% of the
/// area, the logarithm of its aspect ratio uniform between those of 0.3 and 3.3, uniform in its
/// place; of ten draws the first that fits (Zhong et al., 2017). It becomes the mean.
/// @throws std::invalid_argument if size is not > 0, or random_erasing is not in [0, 1].
Hole draw_erasing(const AugmentOptions& options, int size, Rng& rng);

}  // namespace lathe::data
