// Work on one image after another, in parallel.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace lathe::nn {

/// Sums are kept apart for this many groups of images, whatever the number of threads, and then
/// added in order.
inline std::int64_t image_parts(std::int64_t images) {
  constexpr std::int64_t kParts = 16;
  return std::min(images, kParts);
}

/// Calls body(image, part), in parallel over the parts.
template <typename Body>
void for_each_image(std::int64_t images, std::int64_t parts, const Body& body) {
  at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      for (std::int64_t i = part * images / parts; i < (part + 1) * images / parts; ++i) {
        body(i, part);
      }
    }
  });
}

}  // namespace lathe::nn
