#include "lathe/latency/fit/calibrate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe::latency {
namespace {

using lathe::testing::text_thrown;

TEST(FitCorrectionTest, RecoversAnExactLine) {
  const std::vector<double> x{1, 2, 3.5, 8};
  std::vector<double> y;
  for (const double value : x) {
    y.push_back(0.25 + 0.8 * value);
  }
  const Correction fit = fit_correction(x, y);
  EXPECT_NEAR(fit.bias_ms, 0.25, 1e-9);
  EXPECT_NEAR(fit.scale, 0.8, 1e-9);
  EXPECT_NEAR(fit.apply(10), 8.25, 1e-8);
}

TEST(FitCorrectionTest, AFewDisturbedMeasurementsHardlyMatter) {
  Rng rng(3);
  std::vector<double> x;
  std::vector<double> y;
  for (int i = 0; i < 30; ++i) {
    x.push_back(1 + 0.2 * i);
    y.push_back((0.3 + 1.1 * x.back()) * (1 + 0.005 * rng.normal()));
  }
  y[2] *= 3;  // the highest leverage is at the ends
  y[27] *= 2;
  y[29] *= 4;
  const Correction fit = fit_correction(x, y);
  for (const double at : {1.0, 3.0, 7.0}) {
    EXPECT_NEAR(fit.apply(at) / (0.3 + 1.1 * at), 1.0, 0.01);
  }
}

TEST(FitCorrectionTest, WithoutASlopeOnlyTheBiasIsCorrected) {
  Correction fit = fit_correction(std::vector<double>{2}, std::vector<double>{3});
  EXPECT_EQ(fit.scale, 1.0);
  EXPECT_EQ(fit.bias_ms, 1.0);
  fit = fit_correction(std::vector<double>{2, 2, 2}, std::vector<double>{3, 5, 4});
  EXPECT_EQ(fit.scale, 1.0);
  EXPECT_EQ(fit.bias_ms, 2.0);
  fit = fit_correction(std::vector<double>{1, 2, 3}, std::vector<double>{3, 2, 1});
  EXPECT_EQ(fit.scale, 1.0);
  EXPECT_EQ(fit.bias_ms, 0.0);
}

TEST(FitCorrectionTest, RefusesBadValues) {
  const std::vector<double> two{1, 2};
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fit_correction({}, {}); }),
            "[latency::fit_correction] needs as many predicted as measured values, at least one; "
            "got 0 and 0");
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { fit_correction(two, std::vector<double>{1}); }),
      "[latency::fit_correction] needs as many predicted as measured values, at least one; "
      "got 2 and 1");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              fit_correction(two, std::vector<double>{1, -2});
            }),
            "[latency::fit_correction] values must be > 0, got -2.000000");
}

}  // namespace
}  // namespace lathe::latency
