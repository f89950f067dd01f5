// Photographs made by the tests, as JPEG and PNG files.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "lathe/core/random.h"

namespace lathe::testing {

/// A picture of one class of three: smooth noise with a red disc, a green cross or blue stripes.
inline cv::Mat photo(int height, int width, int label, std::uint64_t seed) {
  Rng rng = Rng::derived(seed, {static_cast<std::uint64_t>(label)});
  cv::Mat image(height, width, CV_8UC3);
  const double phase = 6 * rng.uniform();
  const int y0 = height / 2 + static_cast<int>(rng.below(9)) - 4;
  const int x0 = width / 2 + static_cast<int>(rng.below(9)) - 4;
  const int reach = std::min(height, width) / 3;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int dy = y - y0, dx = x - x0;
      const bool inside = label == 0   ? dy * dy + dx * dx < reach * reach
                          : label == 1 ? std::abs(dy) < reach / 3 || std::abs(dx) < reach / 3
                                       : (y / (reach / 3 + 1)) % 2 == 0;
      const double light = 90 + 40 * std::sin(phase + 0.05 * x) * std::cos(0.04 * y);
      for (int c = 0; c < 3; ++c) {  // blue, green, red
        const double value = light + (inside && c == 2 - label ? 100 : 0) + rng.below(20);
        image.at<cv::Vec3b>(y, x)[c] = cv::saturate_cast<std::uint8_t>(value);
      }
    }
  }
  return image;
}

inline void write_photo(const std::filesystem::path& path, const cv::Mat& image) {
  std::filesystem::create_directories(path.parent_path());
  ASSERT_TRUE(cv::imwrite(path.string(), image));
}

/// `count` photographs of each of three classes, JPEG and PNG in turn, of about height x width.
inline void write_photo_folder(const std::filesystem::path& folder, int count, int height,
                               int width, std::uint64_t seed = 1) {
  const char* names[] = {"discs", "crosses", "stripes"};
  for (int label = 0; label < 3; ++label) {
    for (int i = 0; i < count; ++i) {
      const std::string file = "photo" + std::to_string(100 + i) + (i % 2 == 0 ? ".jpg" : ".PNG");
      write_photo(folder / names[label] / file,
                  photo(height + i % 3, width - i % 2, label, seed + static_cast<unsigned>(i)));
    }
  }
}

}  // namespace lathe::testing
