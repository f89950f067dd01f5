#include "lathe/data/augment/color.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/data/augment/trivial_augment.h"

namespace lathe::data {
namespace {

using lathe::testing::text_thrown;
using Bytes = std::vector<std::uint8_t>;

/// What `change` makes of a square image.
template <typename Change>
Bytes changed(Bytes bytes, int size, int channels, const Change& change) {
  change(Pixels{bytes, size, channels});
  return bytes;
}

TEST(Color, GrayIsThePerceivedBrightness) {
  const Bytes pixel{100, 200, 50};
  EXPECT_NEAR(gray(pixel.data(), 3), 29.9 + 117.4 + 5.7, 1e-9);
  EXPECT_EQ(gray(pixel.data(), 1), 100);
  EXPECT_EQ(gray(pixel.data(), 2), 150);
}

TEST(Color, BrightnessScales) {
  const auto brighter = [](const Pixels& p) { adjust_brightness(p, 1.5); };
  EXPECT_EQ(changed({0, 10, 101, 200}, 2, 1, brighter), (Bytes{0, 15, 152, 255}));
}

TEST(Color, ContrastScalesAboutTheMean) {
  const auto change = [](const Pixels& p) { adjust_contrast(p, 0.5); };
  EXPECT_EQ(changed({0, 100, 100, 200}, 2, 1, change), (Bytes{50, 100, 100, 150}));
  const auto more = [](const Pixels& p) { adjust_contrast(p, 2); };
  EXPECT_EQ(changed({0, 100, 100, 200}, 2, 1, more), (Bytes{0, 100, 100, 255}));
}

TEST(Color, ColorScalesAboutThePixelsGray) {
  const auto none = [](const Pixels& p) { adjust_color(p, 0); };
  EXPECT_EQ(changed({100, 200, 50}, 1, 3, none), (Bytes{153, 153, 153}));
  const auto quarter = [](const Pixels& p) { adjust_color(p, 0.25); };
  EXPECT_EQ(changed({100, 200, 50}, 1, 3, quarter), (Bytes{140, 165, 127}));
  EXPECT_EQ(changed({7}, 1, 1, none), Bytes{7});
}

TEST(Color, SharpnessMovesAwayFromTheSmoothedImage) {
  // The middle: smoothed (5 * 130 + 8 * 0) / 13 = 50.
  const Bytes image{0, 0, 0, 0, 130, 0, 0, 0, 0};
  const auto smooth = [](const Pixels& p) { adjust_sharpness(p, 0); };
  EXPECT_EQ(changed(image, 3, 1, smooth), (Bytes{0, 0, 0, 0, 50, 0, 0, 0, 0}));
  const auto sharper = [](const Pixels& p) { adjust_sharpness(p, 1.5); };
  EXPECT_EQ(changed(image, 3, 1, sharper), (Bytes{0, 0, 0, 0, 170, 0, 0, 0, 0}));
  // Two channels: each by itself.
  Bytes two(18, 26);
  two[8] = 156;
  two[9] = 0;
  const Bytes result = changed(two, 3, 2, smooth);
  EXPECT_EQ(result[8], 76);  // (5 * 156 + 8 * 26) / 13
  EXPECT_EQ(result[9], 16);
  EXPECT_EQ(std::count(result.begin(), result.end(), 26), 16);
}

TEST(Color, PosterizeKeepsTheHighestBits) {
  const Bytes image{0, 31, 32, 255};
  EXPECT_EQ(changed(image, 2, 1, [](const Pixels& p) { posterize(p, 3); }), (Bytes{0, 0, 32, 224}));
  EXPECT_EQ(changed(image, 2, 1, [](const Pixels& p) { posterize(p, 8); }), image);
  EXPECT_EQ(changed(image, 2, 1, [](const Pixels& p) { posterize(p, 0); }), Bytes(4, 0));
}

TEST(Color, SolarizeInvertsFromTheThreshold) {
  const Bytes image{0, 99, 100, 255};
  EXPECT_EQ(changed(image, 2, 1, [](const Pixels& p) { solarize(p, 100); }),
            (Bytes{0, 99, 155, 0}));
  EXPECT_EQ(changed(image, 2, 1, [](const Pixels& p) { solarize(p, 256); }), image);
}

TEST(Color, AutoContrastStretchesEachChannel) {
  // The second channel is constant: it stays.
  const auto stretch = [](const Pixels& p) { auto_contrast(p); };
  EXPECT_EQ(changed({50, 9, 100, 9, 100, 9, 150, 9}, 2, 2, stretch),
            (Bytes{0, 9, 128, 9, 128, 9, 255, 9}));
}

TEST(Color, EqualizeMakesTheHistogramEven) {
  // 1,024 pixels, half of them 10, a quarter 11, a quarter 200: a step is (1024 - 256) / 255 = 3;
  // before 10 there are 0 pixels (1 for rounding), before 11 512, before 200 768.
  Bytes image(1024, 10);
  std::fill_n(image.begin(), 256, std::uint8_t{11});
  std::fill_n(image.begin() + 256, 256, std::uint8_t{200});
  const Bytes result = changed(image, 32, 1, [](const Pixels& p) { equalize(p); });
  EXPECT_EQ(result[1000], 0);
  EXPECT_EQ(result[0], 171);
  EXPECT_EQ(result[300], 255);
  const Bytes few{1, 2, 3, 4};  // too few pixels for a step
  EXPECT_EQ(changed(few, 2, 1, [](const Pixels& p) { equalize(p); }), few);
}

TEST(Color, TransformTakesTheNearestPixel) {
  const Bytes image{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const auto by = [&](const Affine& affine) {
    return changed(image, 3, 1, [&](const Pixels& p) { transform(p, affine); });
  };
  EXPECT_EQ(by({}), image);
  EXPECT_EQ(by({.c = 1}), (Bytes{2, 3, 0, 5, 6, 0, 8, 9, 0}));
  EXPECT_EQ(by({.f = -1}), (Bytes{0, 0, 0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(by({.b = 0.8}), (Bytes{1, 2, 3, 5, 6, 0, 9, 0, 0}));  // 0.4, 1.2 and 2 to the right
  EXPECT_EQ(by(rotation(90, 3)), (Bytes{3, 6, 9, 2, 5, 8, 1, 4, 7}));  // counter-clockwise
  EXPECT_EQ(by(rotation(180, 3)), (Bytes{9, 8, 7, 6, 5, 4, 3, 2, 1}));
  const Bytes two =
      changed({1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, [](const Pixels& p) { transform(p, {.c = 1}); });
  EXPECT_EQ(two, (Bytes{3, 4, 0, 0, 7, 8, 0, 0}));
}

TEST(JitterColors, DrawsFactorsWithinBounds) {
  Rng rng(1);
  int lowest = 255, highest = 0;
  for (int i = 0; i < 500; ++i) {
    const Bytes result = changed({100}, 1, 1, [&](const Pixels& p) {
      jitter_colors({.color_jitter = 0.4}, p, rng);
    });  // one pixel has no contrast
    lowest = std::min<int>(lowest, result[0]);
    highest = std::max<int>(highest, result[0]);
  }
  EXPECT_NEAR(lowest, 60, 2);
  EXPECT_NEAR(highest, 140, 2);
  Rng untouched(2);
  EXPECT_EQ(changed({9}, 1, 1, [&](const Pixels& p) { jitter_colors({}, p, untouched); }),
            Bytes{9});
  EXPECT_EQ(untouched.next(), Rng(2).next());
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              changed({9}, 1, 1,
                      [&](const Pixels& p) { jitter_colors({.color_jitter = 2}, p, rng); });
            }),
            "[data::jitter_colors] color_jitter must be in [0, 1], got 2.000000");
}

TEST(TrivialAugment, WeakestStrengthChangesNothing) {
  Bytes image(75);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::uint8_t>(i * 3);
  for (int operation = 0; operation < kOperations - 2; ++operation) {
    EXPECT_EQ(
        changed(image, 5, 3,
                [&](const Pixels& p) { apply(static_cast<Operation>(operation), 0, true, p); }),
        image)
        << operation;
  }
}

TEST(TrivialAugment, StrongestIsAsPublished) {
  const Bytes image{1, 2, 3, 40, 50, 60, 100, 200, 255};
  const auto by = [&](Operation operation, int strength, bool negative) {
    return changed(image, 3, 1, [&](const Pixels& p) { apply(operation, strength, negative, p); });
  };
  EXPECT_EQ(by(Operation::kTranslateX, 30, false), Bytes(9, 0));  // by 32 pixels
  EXPECT_EQ(by(Operation::kTranslateY, 1, true), (Bytes{0, 0, 0, 1, 2, 3, 40, 50, 60}));
  EXPECT_EQ(by(Operation::kShearY, 30, false), (Bytes{1, 50, 255, 40, 200, 0, 100, 0, 0}));
  EXPECT_EQ(by(Operation::kRotate, 20, false), (Bytes{3, 60, 255, 2, 50, 200, 1, 40, 100}));
  EXPECT_EQ(by(Operation::kBrightness, 30, true), (Bytes{0, 0, 0, 0, 1, 1, 1, 2, 3}));
  EXPECT_EQ(by(Operation::kPosterize, 30, false), (Bytes{0, 0, 0, 0, 0, 0, 64, 192, 192}));
  EXPECT_EQ(by(Operation::kSolarize, 30, true), (Bytes{254, 253, 252, 215, 205, 195, 155, 55, 0}));
  EXPECT_EQ(by(Operation::kIdentity, 30, false), image);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { by(Operation::kIdentity, 31, false); }),
            "[data::apply] strength must be in [0, 31), got 31");
}

TEST(TrivialAugment, DrawsEveryOperation) {
  Bytes image(27);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<std::uint8_t>(i * 9);
  Rng rng(3);
  int same = 0;
  for (int i = 0; i < 2800; ++i) {
    const Bytes result = changed(image, 3, 3, [&](const Pixels& p) { trivial_augment(p, rng); });
    same += result == image;
  }
  // The identity is one of fourteen; equalising so few pixels and weak operations change nothing.
  EXPECT_GT(same, 2 * 200);
  EXPECT_LT(same, 2800 / 3);
}

}  // namespace
}  // namespace lathe::data
