// Images of a batch mixed two by two, with their labels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/data/augment/augment.h"

namespace lathe::data {

/// How image i of a batch of n is mixed with image (i + 1) mod n; the batch is in random order.
struct Mix {
  double own_share = 1;  ///< of the image's own label; the other's has the rest
  bool boxes = false;    ///< `box` comes from the other image; otherwise every pixel is mixed
  Hole box;
};

/// Mixup (Zhang et al., 2018): own_share is drawn from Beta(mixup, mixup). CutMix (Yun et al.,
/// 2019): a box of the image's shape and 1 - Beta(cutmix, cutmix) of its area, uniform in its
/// place; own_share is what the box leaves. With both, one of them, each with probability 1/2.
/// @throws std::invalid_argument if size is not > 0, or mixup or cutmix is not >= 0.
Mix draw_mix(const AugmentOptions& options, int size, Rng& rng);

/// Mixes images: [n, size, size, channels].
void mix_images(const Mix& mix, std::int64_t n, int size, int channels, float* images);

/// What the mixed images are: [n, num_classes], each row with the sum 1.
std::vector<float> mix_labels(const Mix& mix, std::span<const std::int64_t> labels,
                              int num_classes);

/// A draw from Beta(alpha, alpha), by Marsaglia and Tsang's gamma method (2000).
/// @throws std::invalid_argument if alpha is not > 0 and finite.
double draw_symmetric_beta(double alpha, Rng& rng);

}  // namespace lathe::data
