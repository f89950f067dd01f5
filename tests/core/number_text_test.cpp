#include "lathe/core/number_text.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "lathe/core/random.h"

namespace lathe {
namespace {

TEST(NumberText, IsTheLeastDecimalThatIsNotBelow) {
  EXPECT_EQ(text_rounded_up(1.5, 3), "1.500");
  EXPECT_EQ(text_rounded_up(1.50001, 3), "1.501");
  EXPECT_EQ(text_rounded_up(0.0004, 3), "0.001");
  EXPECT_EQ(text_rounded_up(0.9999, 3), "1.000");
  EXPECT_EQ(text_rounded_up(0, 3), "0.000");
}

TEST(NumberText, TypedBackItIsNeverBelowAndHardlyAbove) {
  Rng rng(1);
  for (int i = 0; i < 20000; ++i) {
    const double value = (i % 2 == 0 ? 1000 : 1) * rng.uniform();
    const double back = std::strtod(text_rounded_up(value, 3).c_str(), nullptr);
    EXPECT_GE(back, value);
    EXPECT_LT(back, value + 0.001 + 1e-9);
  }
}

}  // namespace
}  // namespace lathe
