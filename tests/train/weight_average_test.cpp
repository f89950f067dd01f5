#include "lathe/train/weight_average.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"

namespace lathe::train {
namespace {

TEST(WeightAverage, ByHand) {
  nn::Parameters parameters({{.name = "w", .shape = {1}}});
  parameters.values().fill_(1);
  WeightAverage average(parameters, 0.5);
  parameters.values().fill_(3);
  average.update(1);  // decay min(0.5, 2 / 11): 1 + (1 - 2 / 11) * 2
  EXPECT_NEAR(average.values().item<double>(), 1 + 9.0 / 11 * 2, 1e-6);
  const double first = average.values().item<double>();
  parameters.values().fill_(7);
  average.update(100);
  EXPECT_NEAR(average.values().item<double>(), (first + 7) / 2, 1e-6);
}

TEST(WeightAverage, SwapsAndSwapsBack) {
  nn::Parameters parameters({{.name = "w", .shape = {2}}});
  parameters.values().fill_(1);
  WeightAverage average(parameters, 0.9);
  parameters.values().fill_(2);
  average.swap();
  EXPECT_EQ(parameters.leaf("w")[0].item<double>(), 1);
  EXPECT_EQ(average.values()[0].item<double>(), 2);
  average.swap();
  EXPECT_EQ(parameters.leaf("w")[0].item<double>(), 2);
  EXPECT_EQ(average.values()[0].item<double>(), 1);
}

TEST(WeightAverage, RefusesADecayOfOne) {
  const nn::Parameters parameters({{.name = "w", .shape = {1}}});
  EXPECT_EQ(
      lathe::testing::text_thrown<std::invalid_argument>([&] { WeightAverage(parameters, 1.0); }),
      "[train::WeightAverage] decay must be in [0, 1), got 1.000000");
}

}  // namespace
}  // namespace lathe::train
