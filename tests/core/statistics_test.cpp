#include "lathe/core/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe {
namespace {

using Values = std::vector<double>;
using testing::text_thrown;

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  const Values values{4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(quantile(values, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(values, 1), 4);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 3.7);
  EXPECT_DOUBLE_EQ(median(values), 2.5);
  EXPECT_DOUBLE_EQ(median(Values{5}), 5);
  EXPECT_DOUBLE_EQ(mean(values), 2.5);
  EXPECT_EQ(quantile(Values{1, INFINITY, INFINITY}, 0.75), INFINITY);
}

TEST(Quantile, RejectsBadArguments) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { quantile({}, 0.5); }),
            "[core::quantile] values must not be empty");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { quantile(Values{1}, 1.5); }),
            "[core::quantile] q must be in [0, 1], got 1.500000");
  EXPECT_THROW(quantile(Values{1}, NAN), std::invalid_argument);
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { mean({}); }),
            "[core::mean] values must not be empty");
}

TEST(SampleDeviation, DividesByOneLess) {
  EXPECT_DOUBLE_EQ(sample_deviation(Values{1, 2, 6}), std::sqrt(7));
  EXPECT_EQ(sample_deviation(Values{5}), 0);
  EXPECT_THROW(sample_deviation({}), std::invalid_argument);
}

TEST(RobustDeviation, IsTheScaledMedianDistance) {
  EXPECT_DOUBLE_EQ(robust_deviation(std::vector<double>{4, 5, 7, 1000}, 5), 1.4826 * 1.5);
  EXPECT_THROW(robust_deviation({}, 0), std::invalid_argument);
}

TEST(Errors, MatchHandComputedValues) {
  EXPECT_DOUBLE_EQ(mean_absolute_percentage_error(Values{9, 22}, Values{10, 20}), 0.1);
  EXPECT_DOUBLE_EQ(root_mean_square_error(Values{1, 5}, Values{1, 1}), std::sqrt(8.0));
  EXPECT_EQ(text_thrown<std::invalid_argument>([] {
              mean_absolute_percentage_error(Values{1, 1}, Values{1, 0});
            }),
            "[core::mean_absolute_percentage_error] measured[1] must not be 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([] {
              root_mean_square_error(Values{1}, Values{1, 0});
            }),
            "[core::root_mean_square_error] both sides need the same number of values, at least "
            "one; got 1 and 2");
}

TEST(Spearman, MatchesHandComputedValues) {
  EXPECT_DOUBLE_EQ(spearman(Values{1, 2, 3}, Values{10, 100, 1000}), 1);
  EXPECT_DOUBLE_EQ(spearman(Values{1, 2, 3}, Values{3, 2, 1}), -1);
  // 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
  EXPECT_DOUBLE_EQ(spearman(Values{1, 2, 3, 4}, Values{1, 3, 2, 4}), 0.8);
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
  EXPECT_DOUBLE_EQ(spearman(Values{1, 2, 2, 3}, Values{1, 2, 3, 4}), 4.5 / std::sqrt(22.5));
  EXPECT_EQ(spearman(Values{1, 1}, Values{1, 2}), 0);
  EXPECT_THROW(spearman({}, {}), std::invalid_argument);
}

TEST(KendallTau, MatchesHandComputedValues) {
  EXPECT_DOUBLE_EQ(kendall_tau(Values{1, 2, 3}, Values{1, 2, 3}), 1);
  EXPECT_DOUBLE_EQ(kendall_tau(Values{1, 2, 3, 4}, Values{1, 3, 2, 4}), 4.0 / 6.0);
  // Tau-b: five concordant pairs, one tied on one side: 5 / sqrt(5 * 6).
  EXPECT_DOUBLE_EQ(kendall_tau(Values{1, 2, 2, 3}, Values{1, 2, 3, 4}), 5 / std::sqrt(30.0));
  EXPECT_EQ(kendall_tau(Values{1, 2}, Values{7, 7}), 0);
  EXPECT_EQ(kendall_tau(Values{1}, Values{2}), 0);
  EXPECT_THROW(kendall_tau(Values{1}, {}), std::invalid_argument);
}

TEST(Spearman, DoesNotChangeUnderMonotoneMaps) {
  Rng rng(1);
  Values a(50), b(50), mapped(50);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = rng.normal();
    b[i] = a[i] + rng.normal();
    mapped[i] = std::exp(3 * b[i]);
  }
  EXPECT_DOUBLE_EQ(spearman(a, b), spearman(a, mapped));
  EXPECT_DOUBLE_EQ(kendall_tau(a, b), kendall_tau(a, mapped));
}

}  // namespace
}  // namespace lathe
