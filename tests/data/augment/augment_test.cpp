#include "lathe/data/augment/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <utility>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe::data {
namespace {

using lathe::testing::text_thrown;

TEST(Augment, DoesNothingWhenAllIsOff) {
  Rng rng(1);
  const AugmentOptions options{.crop_padding = 0, .horizontal_flip = false};
  const Placement placement = draw_placement(options, rng);
  EXPECT_EQ(placement.shift_y, 0);
  EXPECT_EQ(placement.shift_x, 0);
  EXPECT_FALSE(placement.flip);
  const Hole hole = draw_cutout(options, 28, rng);
  EXPECT_EQ(hole.top, hole.bottom);
  EXPECT_EQ(rng.next(), Rng(1).next());  // and draws nothing
}

TEST(DrawPlacement, DrawsShiftsAndFlipsUniformly) {
  Rng rng(2);
  std::map<std::pair<int, int>, int> shifts;
  int flips = 0;
  for (int i = 0; i < 25000; ++i) {
    const Placement draw = draw_placement({.crop_padding = 2}, rng);
    ++shifts[{draw.shift_y, draw.shift_x}];
    flips += draw.flip;
  }
  EXPECT_EQ(shifts.size(), 25u);
  for (const auto& [shift, count] : shifts) {
    EXPECT_LE(std::abs(shift.first), 2);
    EXPECT_LE(std::abs(shift.second), 2);
    EXPECT_NEAR(count, 1000, 130);
  }
  EXPECT_NEAR(flips, 12500, 320);
}

TEST(AugmentOptions, GoThroughJson) {
  const AugmentOptions options{.crop_padding = 3,
                               .horizontal_flip = false,
                               .cutout = 5,
                               .min_crop_area = 0.5,
                               .color_jitter = 0.25,
                               .trivial_augment = true,
                               .random_erasing = 0.75,
                               .mixup = 0.2,
                               .cutmix = 1};
  nlohmann::json json = to_json(options);
  EXPECT_EQ(nlohmann::json(to_json(augment_options_from_json(json, "a.json"))), json);
  EXPECT_EQ(json["cutmix"], 1.0);
  json.erase("cutout");
  EXPECT_EQ(text_thrown<Error>([&] {
              augment_options_from_json(json, "a.json");
            }).rfind("a.json: \"cutout\": expected an integer", 0),
            0U);
}

TEST(DrawErasing, DrawsProbabilityAreaAndAspect) {
  Rng rng(7);
  int holes = 0;
  double area = 0, aspect = 0;
  for (int i = 0; i < 8000; ++i) {
    const Hole hole = draw_erasing({.random_erasing = 0.25}, 100, rng);
    if (hole.top == hole.bottom) continue;
    ASSERT_TRUE(hole.top >= 0 && hole.left >= 0 && hole.bottom <= 100 && hole.right <= 100);
    const double height = hole.bottom - hole.top, width = hole.right - hole.left;
    ASSERT_NEAR(height * width, 1750, 1620);  // 2% to 33%, rounded
    ++holes;
    area += height * width / 10000;
    aspect += std::log(height / width);
  }
  EXPECT_NEAR(holes, 2000, 120);
  EXPECT_NEAR(area / holes, 0.17, 0.01);
  EXPECT_NEAR(aspect / holes, 0, 0.06);
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { draw_erasing({.random_erasing = 1.5}, 5, rng); }),
      "[data::draw_erasing] random_erasing must be in [0, 1], got 1.500000");
}

TEST(DrawCutout, KeepsTheHoleInTheImage) {
  Rng rng(3);
  std::map<std::pair<int, int>, int> sides;
  for (int i = 0; i < 6000; ++i) {
    const Hole draw = draw_cutout({.cutout = 4}, 6, rng);
    ASSERT_GE(draw.top, 0);
    ASSERT_LE(draw.bottom, 6);
    ASSERT_GE(draw.left, 0);
    ASSERT_LE(draw.right, 6);
    ++sides[{draw.bottom - draw.top, draw.right - draw.left}];
  }
  // Rows: centres 2, 3, 4 give the whole square, 1 and 5 three rows, 0 two. Columns likewise.
  EXPECT_EQ(sides.size(), 9u);
  const int whole = sides[{4, 4}];
  EXPECT_NEAR(whole, 6000 * 3 / 6 * 3 / 6, 150);
  EXPECT_NEAR((sides[{2, 2}]), 6000 / 6 / 6, 50);
}

TEST(DrawResizedCrop, DrawsAreaAspectAndPlace) {
  const AugmentOptions options{.min_crop_area = 0.25};
  Rng rng(5);
  double shares = 0, aspects = 0, middles = 0;
  for (int i = 0; i < 4000; ++i) {
    const Region region = draw_resized_crop(options, 400, 300, rng);
    ASSERT_GE(region.top, 0);
    ASSERT_GE(region.left, 0);
    ASSERT_LE(region.top + region.height, 400);
    ASSERT_LE(region.left + region.width, 300);
    const double share = region.height * region.width / 120000.0;
    const double aspect = static_cast<double>(region.width) / region.height;
    ASSERT_GE(share, 0.245);
    ASSERT_GE(aspect, 0.74);
    ASSERT_LE(aspect, 1.35);
    shares += share;
    aspects += std::log(aspect);
    middles += region.top + region.height / 2.0;
  }
  // Large shares fit less often, wide regions too, in an image that is higher than wide.
  EXPECT_NEAR(shares / 4000, 0.52, 0.03);
  EXPECT_LT(aspects / 4000, -0.01);
  EXPECT_NEAR(middles / 4000, 200, 4);
}

TEST(DrawResizedCrop, TakesTheMiddleOfWhatIsTooLong) {
  const AugmentOptions options{.min_crop_area = 1};
  Rng rng(6);
  EXPECT_EQ(draw_resized_crop(options, 30, 300, rng), (Region{0, 130, 30, 40}));
  EXPECT_EQ(draw_resized_crop(options, 300, 30, rng), (Region{130, 0, 40, 30}));
  EXPECT_EQ(draw_resized_crop(options, 1, 1, rng), (Region{0, 0, 1, 1}));
}

TEST(CenterCrop, IsSevenEighths) {
  EXPECT_EQ(center_crop(256, 256), (Region{16, 16, 224, 224}));
  EXPECT_EQ(center_crop(256, 300), (Region{16, 38, 224, 224}));
  EXPECT_EQ(center_crop(1, 1), (Region{0, 0, 1, 1}));
}

TEST(Augment, RejectsBadArguments) {
  Rng rng(4);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_cutout({}, 0, rng); }),
            "[data::draw_cutout] size must be >= 1, got 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_placement({.crop_padding = -2}, rng); }),
            "[data::draw_placement] crop_padding must be >= 0, got -2");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_cutout({.cutout = -1}, 5, rng); }),
            "[data::draw_cutout] cutout must be >= 0, got -1");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { draw_resized_crop({.min_crop_area = 0}, 5, 5, rng); }),
            "[data::draw_resized_crop] min_crop_area must be in (0, 1], got 0.000000");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_resized_crop({}, 5, 0, rng); }),
            "[data::draw_resized_crop] width must be >= 1, got 0");
}

}  // namespace
}  // namespace lathe::data
