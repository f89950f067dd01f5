#include "lathe/regress/line.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"

namespace lathe::regress {
namespace {

using lathe::testing::text_thrown;

TEST(FitLine, GoesThroughPointsOfALine) {
  const std::vector<double> x{-1, 0, 2, 5}, y{5, 3, -1, -7};
  const Line line = fit_line(x, y);
  EXPECT_DOUBLE_EQ(line.intercept, 3);
  EXPECT_DOUBLE_EQ(line.slope, -2);
  EXPECT_DOUBLE_EQ(line.at(10), -17);
}

TEST(FitLine, NoOtherLineHasSmallerSquares) {
  const std::vector<double> x{0.1, 0.4, 0.5, 0.9, 1.7}, y{1.0, 0.2, 0.7, -0.3, 0.4};
  const auto squares = [&](const Line& line) {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      sum += (y[i] - line.at(x[i])) * (y[i] - line.at(x[i]));
    }
    return sum;
  };
  const Line best = fit_line(x, y);
  for (const double d : {-0.01, 0.01}) {
    EXPECT_LT(squares(best), squares({best.intercept + d, best.slope}));
    EXPECT_LT(squares(best), squares({best.intercept, best.slope + d}));
    EXPECT_LT(squares(best), squares({best.intercept + d, best.slope - d}));
  }
}

TEST(FitLine, IsLevelWhereXIsOneValue) {
  const Line line = fit_line(std::vector<double>{2, 2, 2}, std::vector<double>{1, 2, 6});
  EXPECT_EQ(line.slope, 0);
  EXPECT_DOUBLE_EQ(line.intercept, 3);
  EXPECT_EQ(fit_line(std::vector<double>{7}, std::vector<double>{4}).at(100), 4);
}

TEST(FitLine, RefusesWhatIsNoPoints) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { fit_line({}, {}); }),
            "[regress::fit_line] needs as many x as y, at least one, got 0 and 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] {
              fit_line(std::vector<double>{1, 2}, std::vector<double>{1});
            }),
            "[regress::fit_line] needs as many x as y, at least one, got 2 and 1");
}

}  // namespace
}  // namespace lathe::regress
