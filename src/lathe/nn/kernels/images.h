// Channels-last images [N, C, H, W], float32: what one is in memory, and work on one after another.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

namespace lathe::nn {

/// x, channels-last.
at::Tensor channels_last(const at::Tensor& x);
/// Uninitialised images, as many as `like` has.
at::Tensor empty_image(const at::Tensor& like, std::int64_t channels, std::int64_t height,
                       std::int64_t width);

inline std::int64_t pixels_of(const at::Tensor& x) { return x.size(2) * x.size(3); }
inline std::int64_t image_size(const at::Tensor& x) { return x.size(1) * pixels_of(x); }
/// [pixels, C]. x must be channels-last.
inline float* image_of(const at::Tensor& x, std::int64_t image) {
  return x.data_ptr<float>() + image * image_size(x);
}

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

/// Calls body(image), in parallel over the images.
template <typename Body>
void for_each_image(std::int64_t images, const Body& body) {
  for_each_image(images, images, [&](std::int64_t image, std::int64_t) { body(image); });
}

}  // namespace lathe::nn
