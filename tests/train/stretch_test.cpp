#include "lathe/train/stretch.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe::train {
namespace {

using lathe::testing::text_thrown;

TEST(Stretch, IsThePlanUntilItIsRevised) {
  Stretch stretch(100);
  EXPECT_EQ(stretch.total_steps(), 100);
  for (std::int64_t step = 0; step < 100; ++step) {
    EXPECT_EQ(stretch.planned(step), step);
  }
  EXPECT_TRUE(stretch.state().is_null());
}

TEST(Stretch, RunsThroughTheRestInFewerSteps) {
  Stretch stretch(100);
  stretch.revise(40, 20);  // 60 planned steps in 20
  EXPECT_EQ(stretch.total_steps(), 60);
  EXPECT_EQ(stretch.planned(39), 39);
  EXPECT_EQ(stretch.planned(40), 40);
  EXPECT_EQ(stretch.planned(41), 43);
  EXPECT_EQ(stretch.planned(59), 97);
  stretch.revise(50, 5);  // the 30 that are left then
  EXPECT_EQ(stretch.total_steps(), 55);
  EXPECT_EQ(stretch.planned(49), 67);
  EXPECT_EQ(stretch.planned(50), 70);
  EXPECT_EQ(stretch.planned(54), 94);
  EXPECT_EQ(stretch.planned(10), 10);
}

TEST(Stretch, GoesOnFromItsState) {
  Stretch stretch(100);
  stretch.revise(40, 20);
  stretch.revise(50, 5);
  Stretch restored(100);
  restored.restore(stretch.state(), "c");
  EXPECT_EQ(restored.total_steps(), 55);
  for (std::int64_t step = 0; step < 55; ++step) {
    EXPECT_EQ(restored.planned(step), stretch.planned(step));
  }
  restored.restore(nullptr, "c");
  EXPECT_EQ(restored.total_steps(), 100);
}

TEST(Stretch, SaysWhatIsWrong) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { Stretch(0); }),
            "[train::Stretch] planned_steps must be in [1, 10^9], got 0");
  Stretch stretch(10);
  stretch.revise(5, 2);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { stretch.revise(5, 0); }),
            "[train::Stretch::revise] step 5 must be above 5 and below 7, and steps_left in [1, "
            "10^9], got 0");
  for (const char* bad : {"[[3]]", "7", "[[20, 1]]", "[[1, 1], [1, 1]]", "[[\"a\", 1]]",
                          "[[1, 9223372036854775807]]"}) {
    EXPECT_EQ(text_thrown<Error>([&] {
                stretch.restore(nlohmann::json::parse(bad), "file");
              }).substr(0, 41),
              "file: expected revisions of 10 steps, got");
  }
  EXPECT_EQ(stretch.total_steps(), 7) << "a state that is refused changes nothing";
}

}  // namespace
}  // namespace lathe::train
