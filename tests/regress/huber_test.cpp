#include "lathe/regress/huber.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"

namespace lathe::regress {
namespace {

using lathe::testing::text_thrown;

TEST(HuberTest, WeighsFarErrorsByTheirDistance) {
  // Median of the absolute errors 2, so that a standard deviation is 2 * 1.4826.
  const std::vector<double> errors{1, -2, 2, -2, 100};
  const std::vector<double> weights = huber_weights(errors, 2.0);
  const double limit = 2.0 * 2.0 * 1.4826;
  EXPECT_EQ(weights, (std::vector<double>{1, 1, 1, 1, limit / 100}));
}

TEST(HuberTest, RoundingIsNoError) {
  EXPECT_EQ(huber_weights(std::vector<double>{0, 0, 1e-14}), (std::vector<double>{1, 1, 1}));
}

TEST(HuberTest, RefusesNothingToWeigh) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { huber_weights({}); }),
            "[regress::huber_weights] needs errors and k > 0, got 0 and 1.345000");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { huber_weights(std::vector<double>{1}, 0); }),
            "[regress::huber_weights] needs errors and k > 0, got 1 and 0.000000");
}

}  // namespace
}  // namespace lathe::regress
