#include "lathe/train/predictors/fit_perceptron.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe::train {
namespace {

using lathe::testing::text_thrown;

constexpr int kInputs = 4;

struct Samples {
  std::vector<float> inputs;
  std::vector<float> targets;
};

/// y = 3 + x0 - 2 x1 + 0.5 x2, for x of 0 and 1 as encodings are; x3 has no effect.
Samples linear_samples(int count, std::uint64_t seed) {
  Samples samples;
  Rng rng(seed);
  for (int i = 0; i < count; ++i) {
    std::vector<float> x(kInputs);
    for (float& value : x) value = rng.bernoulli(0.5) ? 1.0F : 0.0F;
    samples.targets.push_back(3 + x[0] - 2 * x[1] + 0.5F * x[2]);
    samples.inputs.insert(samples.inputs.end(), x.begin(), x.end());
  }
  return samples;
}

TEST(FitPerceptron, LearnsALinearFunction) {
  const Samples train = linear_samples(256, 1);
  const Samples test = linear_samples(64, 2);
  const regress::Perceptron fitted =
      fit_perceptron(train.inputs, train.targets,
                     {.hidden = {24, 24}, .epochs = 80, .learning_rate = 1e-2, .seed = 1});
  const std::vector<float> predicted = fitted.predict(test.inputs);
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    EXPECT_NEAR(predicted[i], test.targets[i], 0.05);
  }
}

TEST(FitPerceptron, SameSeedSameBits) {
  const Samples samples = linear_samples(50, 3);
  const auto fit = [&](std::uint64_t seed) {
    return fit_perceptron(samples.inputs, samples.targets,
                          {.hidden = {8}, .epochs = 5, .batch_size = 16, .seed = seed});
  };
  EXPECT_TRUE(fit(4) == fit(4));
  EXPECT_FALSE(fit(4) == fit(5));
}

TEST(FitPerceptron, StartsAtTheMeanOfTheTargets) {
  const Samples samples = linear_samples(40, 6);
  const regress::Perceptron start =
      fit_perceptron(samples.inputs, samples.targets, {.hidden = {8, 6}, .epochs = 0});
  ASSERT_EQ(start.layers().size(), 3U);
  EXPECT_EQ(start.inputs(), kInputs);
  EXPECT_EQ(start.layers()[1].inputs, 8);
  EXPECT_EQ(start.layers()[1].outputs, 6);
  float mean = 0;
  for (const float target : samples.targets) mean += target / 40;
  EXPECT_NEAR(start.layers()[2].bias[0], mean, 1e-5);
}

TEST(FitPerceptron, PredictsWhatTheLibrarysLayersGive) {
  const Samples samples = linear_samples(70, 7);
  const regress::Perceptron fitted =
      fit_perceptron(samples.inputs, samples.targets, {.hidden = {33, 17}, .epochs = 3});
  const auto tensor = [](const std::vector<float>& values, at::IntArrayRef shape) {
    const at::Tensor copy = at::empty(shape, at::kFloat);
    std::copy(values.begin(), values.end(), copy.data_ptr<float>());
    return copy;
  };
  at::Tensor x = tensor(samples.inputs, {70, kInputs});
  for (std::size_t i = 0; i < fitted.layers().size(); ++i) {
    const regress::DenseLayer& layer = fitted.layers()[i];
    x = at::linear(x, tensor(layer.weight, {layer.outputs, layer.inputs}),
                   tensor(layer.bias, {layer.outputs}));
    if (i + 1 < fitted.layers().size()) x = at::relu(x);
  }
  const std::vector<float> predicted = fitted.predict(samples.inputs);
  for (std::int64_t i = 0; i < 70; ++i) {
    EXPECT_NEAR(predicted[static_cast<std::size_t>(i)], x[i][0].item<float>(), 1e-5);
  }
}

TEST(FitPerceptron, SaysWhatIsAtFault) {
  const std::vector<float> four{1, 2, 3, 4}, three{1, 2, 3}, none;
  const auto text = [](const std::vector<float>& inputs, const std::vector<float>& targets,
                       const FitPerceptronOptions& options) {
    return text_thrown<std::invalid_argument>([&] { fit_perceptron(inputs, targets, options); });
  };
  const std::string rows = "[train::fit_perceptron] needs as many rows of inputs as targets";
  EXPECT_EQ(text(four, none, {}), rows);
  EXPECT_EQ(text(none, three, {}), rows);
  EXPECT_EQ(text(four, three, {}), rows);
  EXPECT_EQ(text(four, four, {.batch_size = 0}),
            "[train::fit_perceptron] batch_size must be > 0, got 0");
}

}  // namespace
}  // namespace lathe::train
