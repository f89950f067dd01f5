// A small data set of Fashion-MNIST's form, with something to learn.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "data/idx_files.h"
#include "lathe/core/random.h"
#include "lathe/data/dataset.h"

namespace lathe::testing {

inline constexpr int kSyntheticSide = 12;

struct SyntheticImages {
  std::string pixels;
  std::string labels;
};

/// Ten classes in turn: a bright bar, upright or lying, at one of five places, on noise.
inline SyntheticImages synthetic_images(int count, std::uint64_t seed) {
  Rng rng(seed);
  SyntheticImages images;
  for (int i = 0; i < count; ++i) {
    const int label = i % 10;
    const int place = 1 + label % 5 * 2;
    for (int y = 0; y < kSyntheticSide; ++y) {
      for (int x = 0; x < kSyntheticSide; ++x) {
        const int across = label < 5 ? y : x;
        const bool bar = across == place || across == place + 1;
        images.pixels += static_cast<char>((bar ? 180 : 0) + rng.below(60));
      }
    }
    images.labels += static_cast<char>(label);
  }
  return images;
}

/// Writes the four files that a folder of Fashion-MNIST has.
inline void write_synthetic_dataset(const std::filesystem::path& folder, int train, int test) {
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& prefix, int count, std::uint64_t seed) {
    const SyntheticImages images = synthetic_images(count, seed);
    write_plain(folder / (prefix + "-images-idx3-ubyte"),
                idx_images(static_cast<std::uint32_t>(count), kSyntheticSide, kSyntheticSide,
                           images.pixels));
    write_plain(folder / (prefix + "-labels-idx1-ubyte"), idx_labels(images.labels));
  };
  write("train", train, 1);
  write("t10k", test, 2);
}

/// The same in memory.
inline data::Dataset synthetic_dataset(int train, int validation, int test) {
  const auto set = [](int count, std::uint64_t seed) {
    const SyntheticImages images = synthetic_images(count, seed);
    return data::ImageSet(data::ImageArray{.channels = 1,
                                           .height = kSyntheticSide,
                                           .width = kSyntheticSide,
                                           .num_classes = 10,
                                           .pixels = {images.pixels.begin(), images.pixels.end()},
                                           .labels = {images.labels.begin(), images.labels.end()}});
  };
  data::Dataset dataset{.name = "synthetic",
                        .train = set(train, 1),
                        .validation = set(validation, 3),
                        .test = set(test, 2),
                        .normalization = {}};
  dataset.normalization = data::channel_statistics(dataset.train);
  return dataset;
}

}  // namespace lathe::testing
