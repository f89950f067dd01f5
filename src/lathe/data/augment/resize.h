// Parts of images at another size.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/data/augment/augment.h"

namespace lathe::data {

/// Rows of interleaved bytes: [height, width, channels].
struct PixelView {
  const std::uint8_t* pixels = nullptr;
  int height = 0;
  int width = 0;
  int channels = 0;
};

/// Writes `region` of `image` as out: [size, size, channels]. Made smaller, a pixel is the mean of
/// what it covers; made larger, it is interpolated linearly between pixel centres.
/// @throws std::invalid_argument if the region is empty or not within the image, or size is not >
/// 0.
void resize_region(const PixelView& image, const Region& region, int size,
                   std::span<std::uint8_t> out);

}  // namespace lathe::data
