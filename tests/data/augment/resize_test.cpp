#include "lathe/data/augment/resize.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"

namespace lathe::data {
namespace {

using lathe::testing::text_thrown;
using Bytes = std::vector<std::uint8_t>;

TEST(ResizeRegion, AveragesWhatItMakesSmaller) {
  const Bytes image{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150};
  Bytes out(4);
  resize_region({image.data(), 4, 4, 1}, {0, 0, 4, 4}, 2, out);
  EXPECT_EQ(out, (Bytes{25, 45, 105, 125}));
  Bytes one(1);
  resize_region({image.data(), 4, 4, 1}, {1, 2, 2, 2}, 1, one);  // 60, 70, 100, 110
  EXPECT_EQ(one, Bytes{85});
  resize_region({image.data(), 4, 4, 1}, {2, 1, 2, 2}, 2, out);  // as it is
  EXPECT_EQ(out, (Bytes{90, 100, 130, 140}));
}

TEST(ResizeRegion, InterpolatesWhatItMakesLarger) {
  const Bytes image{0, 7, 100, 7};  // two pixels of two channels beside each other, twice
  const Bytes rows{0, 7, 100, 7, 0, 7, 100, 7};
  Bytes out(32);
  resize_region({rows.data(), 2, 2, 2}, {0, 0, 2, 2}, 4, out);
  for (std::size_t y = 0; y < 4; ++y) {  // centres at -1/4, 1/4, 3/4 and 5/4 of the old pixels
    EXPECT_EQ(out[y * 8], 0);
    EXPECT_EQ(out[y * 8 + 2], 25);
    EXPECT_EQ(out[y * 8 + 4], 75);
    EXPECT_EQ(out[y * 8 + 6], 100);
    EXPECT_EQ(out[y * 8 + 3], 7);
  }
}

TEST(ResizeRegion, RejectsBadArguments) {
  const Bytes image(16);
  Bytes out(4);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              resize_region({image.data(), 4, 4, 1}, {3, 0, 2, 2}, 2, out);
            }),
            "[data::resize_region] region must be within 4x4, got 2x2 at 3, 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              resize_region({image.data(), 4, 4, 1}, {0, 0, 2, 2}, 0, out);
            }),
            "[data::resize_region] size must be > 0, got 0");
}

}  // namespace
}  // namespace lathe::data
