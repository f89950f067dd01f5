// A data set that any net learns in seconds: bright, dark, striped and checked images with noise.
// The classes stay what they are when an image is shifted or flipped.
#pragma once

#include <cstdint>
#include <memory>

#include "lathe/core/random.h"
#include "lathe/data/dataset.h"
#include "lathe/space/families/cell_family.h"
#include "nn/small_space.h"

namespace lathe::testing {

inline constexpr int kPatternSize = 8;

inline data::ImageSet pattern_images(int count, std::uint64_t seed) {
  data::ImageArray set{
      .channels = 1, .height = kPatternSize, .width = kPatternSize, .num_classes = 4};
  Rng rng(seed);
  for (int i = 0; i < count; ++i) {
    const int label = i % 4;
    for (int y = 0; y < kPatternSize; ++y) {
      for (int x = 0; x < kPatternSize; ++x) {
        const bool bright =
            label == 0 || (label == 2 && y % 2 == 0) || (label == 3 && (x + y) % 2 == 0);
        set.pixels.push_back(
            static_cast<std::uint8_t>((bright ? 170 : 20) + static_cast<int>(rng.below(60))));
      }
    }
    set.labels.push_back(label);
  }
  return set;
}

inline data::Dataset pattern_dataset(int train = 256) {
  data::Dataset dataset{.name = "patterns",
                        .train = pattern_images(train, 1),
                        .validation = pattern_images(64, 2),
                        .test = pattern_images(64, 3)};
  dataset.normalization = data::channel_statistics(dataset.train);
  return dataset;
}

inline std::shared_ptr<const space::Space> pattern_space() {
  return small_space({.in_channels = 1, .num_classes = 4, .input_size = kPatternSize});
}

/// Cells for them.
inline space::CellSpec pattern_cells() {
  return {.name = "tiny",
          .task = {.in_channels = 1, .num_classes = 4, .input_size = kPatternSize},
          .init_channels = 4,
          .cells = 3};
}

}  // namespace lathe::testing
