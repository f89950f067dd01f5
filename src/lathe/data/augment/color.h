// Operations on the pixels of one image, in place. Each is named as in AutoAugment (Cubuk et al.,
// 2019); results differ from those of Pillow in rounding: to the nearest value, here.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/core/random.h"
#include "lathe/data/augment/augment.h"

namespace lathe::data {

/// A square image that is changed: [size, size, channels] bytes. Of three channels the first is
/// red; an image of any other number has no colour.
struct Pixels {
  std::span<std::uint8_t> bytes;
  int size = 0;
  int channels = 0;
};

/// The brightness of a pixel: 0.299 red + 0.587 green + 0.114 blue, or the mean of its channels.
double gray(const std::uint8_t* pixel, int channels);

// Factor 1 leaves an image as it is; what leaves [0, 255] is cut off.
void adjust_brightness(const Pixels& image, double factor);  ///< away from black
void adjust_contrast(const Pixels& image, double factor);    ///< away from the image's mean gray
void adjust_color(const Pixels& image, double factor);       ///< away from each pixel's gray
/// Away from the smoothed image (3x3, the middle counts 5, the others 1); the border stays.
void adjust_sharpness(const Pixels& image, double factor);

void posterize(const Pixels& image, int bits);      ///< keeps the highest bits, 0 to 8
void solarize(const Pixels& image, int threshold);  ///< inverts values from the threshold on
void auto_contrast(const Pixels& image);            ///< each channel stretched over [0, 255]
void equalize(const Pixels& image);                 ///< each channel's histogram made even

/// Pixel (y, x) becomes what is at (d * (x + 1/2) + e * (y + 1/2) + f, a * (x + 1/2) + b * (y +
/// 1/2)
/// + c) as (row, column) of the image; black where that is outside.
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
};
void transform(const Pixels& image, const Affine& affine);
/// About the middle, counter-clockwise.
Affine rotation(double degrees, int size);

/// Brightness, contrast and saturation by factors uniform in [1 - color_jitter, 1 + color_jitter],
/// in this order. @throws std::invalid_argument if color_jitter is not in [0, 1].
void jitter_colors(const AugmentOptions& options, const Pixels& image, Rng& rng);

}  // namespace lathe::data
