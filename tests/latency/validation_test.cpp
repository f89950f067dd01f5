#include "lathe/latency/fit/validation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/latency/fit/calibrate.h"

namespace lathe::latency {
namespace {

using lathe::testing::text_thrown;

TEST(ModelErrorTest, HandComputed) {
  const std::vector<double> measured{1, 2, 4, 10};
  const std::vector<double> predicted{1.04, 1.85, 4, 12};
  const ModelError error = model_error(predicted, measured);
  EXPECT_EQ(error.samples, 4);
  EXPECT_NEAR(error.mape, (0.04 + 0.075 + 0 + 0.2) / 4, 1e-12);
  EXPECT_NEAR(error.rmse_ms, std::sqrt((0.04 * 0.04 + 0.15 * 0.15 + 4) / 4), 1e-12);
  EXPECT_NEAR(error.spearman, 1, 1e-12);
  EXPECT_NEAR(error.kendall, 1, 1e-12);
  EXPECT_EQ(error.within_5, 0.5);
  EXPECT_EQ(error.within_10, 0.75);
}

TEST(ModelErrorTest, JsonRoundTrip) {
  const ModelError error{30, 0.02, 0.1, 0.99, 0.95, 0.9, 1.0};
  EXPECT_EQ(model_error_from_json(to_json(error), "f"), error);
  auto json = to_json(error);
  json["within_5"] = 1.5;
  EXPECT_EQ(text_thrown<Error>([&] { model_error_from_json(json, "f.json"); }),
            "f.json: \"within_5\": out of range, got 1.5");
}

TEST(ModelErrorTest, RefusesBadValues) {
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { model_error(std::vector<double>{1}, std::vector<double>{}); }),
            "[latency::model_error] needs as many predicted as measured values, at least one; got "
            "1 and 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { model_error(std::vector<double>{1}, std::vector<double>{0}); }),
            "[latency::model_error] measured values must be > 0, got 0.000000");
}

TEST(LeaveOneOutTest, EqualsRefittingByHand) {
  const std::vector<double> x{1, 2, 3, 5};
  const std::vector<double> y{1.2, 2.1, 3.3, 5.2};
  std::vector<double> corrected;
  for (std::size_t out = 0; out < 4; ++out) {
    std::vector<double> rest_x;
    std::vector<double> rest_y;
    for (std::size_t i = 0; i < 4; ++i) {
      if (i != out) {
        rest_x.push_back(x[i]);
        rest_y.push_back(y[i]);
      }
    }
    corrected.push_back(fit_correction(rest_x, rest_y).apply(x[out]));
  }
  EXPECT_EQ(leave_one_out_error(x, y), model_error(corrected, y));
}

TEST(LeaveOneOutTest, IsNotFlatteredByTheFit) {
  Rng rng(5);
  std::vector<double> x;
  std::vector<double> y;
  for (int i = 0; i < 8; ++i) {
    x.push_back(1 + i);
    y.push_back(x.back() * (1 + 0.05 * rng.normal()));
  }
  std::vector<double> fitted;
  for (const double value : x) {
    fitted.push_back(fit_correction(x, y).apply(value));
  }
  EXPECT_GT(leave_one_out_error(x, y).mape, model_error(fitted, y).mape);
  EXPECT_EQ(text_thrown<std::invalid_argument>([] {
              leave_one_out_error(std::vector<double>{1, 2}, std::vector<double>{1, 2});
            }),
            "[latency::leave_one_out_error] needs as many predicted as measured values, at least "
            "3; got 2 and 2");
}

}  // namespace
}  // namespace lathe::latency
