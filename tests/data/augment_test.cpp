#include "lathe/data/augment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <utility>

#include "core/temporary_folder.h"

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

TEST(Augment, RejectsBadArguments) {
  Rng rng(4);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_cutout({}, 0, rng); }),
            "[data::draw_cutout] size must be >= 1, got 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_placement({.crop_padding = -2}, rng); }),
            "[data::draw_placement] crop_padding must be >= 0, got -2");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { draw_cutout({.cutout = -1}, 5, rng); }),
            "[data::draw_cutout] cutout must be >= 0, got -1");
}

}  // namespace
}  // namespace lathe::data
