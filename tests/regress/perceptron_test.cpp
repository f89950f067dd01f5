#include "lathe/regress/perceptron.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"

namespace lathe::regress {
namespace {

using lathe::testing::text_thrown;

DenseLayer random_layer(int inputs, int outputs, Rng& rng) {
  DenseLayer layer{.inputs = inputs, .outputs = outputs, .weight = {}, .bias = {}};
  for (int i = 0; i < inputs * outputs; ++i) {
    layer.weight.push_back(static_cast<float>(rng.normal() / std::sqrt(inputs)));
  }
  for (int i = 0; i < outputs; ++i) {
    layer.bias.push_back(static_cast<float>(rng.normal() * 0.1));
  }
  return layer;
}

Perceptron random_perceptron(std::vector<int> widths, HiddenActivation activation) {
  Rng rng(7);
  std::vector<DenseLayer> layers;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    layers.push_back(random_layer(widths[i], widths[i + 1], rng));
  }
  return {std::move(layers), activation};
}

double predict_in_double(const Perceptron& perceptron, std::vector<double> x) {
  for (std::size_t i = 0; i < perceptron.layers().size(); ++i) {
    const DenseLayer& layer = perceptron.layers()[i];
    std::vector<double> y;
    for (int o = 0; o < layer.outputs; ++o) {
      double sum = layer.bias[static_cast<std::size_t>(o)];
      for (int k = 0; k < layer.inputs; ++k) {
        const int at = o * layer.inputs + k;
        sum += x[static_cast<std::size_t>(k)] * layer.weight[static_cast<std::size_t>(at)];
      }
      if (i + 1 < perceptron.layers().size()) {
        sum = perceptron.activation() == HiddenActivation::kRelu ? std::max(sum, 0.0)
                                                                 : 1 / (1 + std::exp(-sum));
      }
      y.push_back(sum);
    }
    x = y;
  }
  return x.front();
}

std::vector<float> random_rows(int rows, int width) {
  Rng rng(9);
  std::vector<float> values;
  for (int i = 0; i < rows * width; ++i) {
    values.push_back(static_cast<float>(rng.uniform()));
  }
  return values;
}

TEST(PerceptronTest, GradientsAreThoseOfFiniteDifferences) {
  for (const auto activation : {HiddenActivation::kRelu, HiddenActivation::kSigmoid}) {
    const Perceptron net = random_perceptron({9, 40, 17, 1}, activation);
    const int rows = 7;
    const std::vector<float> inputs = random_rows(rows, 9);
    const std::vector<float> gradients = net.gradients(inputs);
    ASSERT_EQ(gradients.size(), inputs.size());
    for (int r = 0; r < rows; ++r) {
      const std::vector<double> row(inputs.begin() + r * 9, inputs.begin() + (r + 1) * 9);
      for (std::size_t k = 0; k < 9; ++k) {
        constexpr double kStep = 1e-6;
        std::vector<double> up = row;
        std::vector<double> down = row;
        up[k] += kStep;
        down[k] -= kStep;
        const double expected =
            (predict_in_double(net, up) - predict_in_double(net, down)) / (2 * kStep);
        ASSERT_NEAR(gradients[static_cast<std::size_t>(r) * 9 + k], expected, 1e-5);
      }
    }
  }
}

TEST(PerceptronTest, GradientsDoNotDependOnTheSplit) {
  const Perceptron net = random_perceptron({9, 70, 33, 1}, HiddenActivation::kRelu);
  const std::vector<float> inputs = random_rows(400, 9);
  const std::vector<float> all = net.gradients(inputs);
  const std::span<const float> rows(inputs);
  for (const std::size_t r : {0U, 191U, 192U, 399U}) {
    const std::vector<float> alone = net.gradients(rows.subspan(r * 9, 9));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), all.begin() + static_cast<long>(r) * 9));
  }
  EXPECT_TRUE(net.gradients(std::vector<float>{}).empty());
}

TEST(PerceptronTest, GradientsRefuseHalfARow) {
  const Perceptron net = random_perceptron({9, 4, 1}, HiddenActivation::kRelu);
  try {
    net.gradients(std::vector<float>(10));
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "[regress::Perceptron::gradients] inputs must be rows of 9, got 10 values");
  }
}

TEST(PerceptronTest, HandComputed) {
  const Perceptron net({{2, 2, {1, 2, -1, 1}, {0.5F, -4}}, {2, 1, {3, 10}, {-1}}},
                       HiddenActivation::kRelu);
  // Row 0: hidden {1 + 4 + .5, max(0, -1 + 2 - 4)} = {5.5, 0}; row 1: {.5 + 10, 5 - 4}.
  EXPECT_EQ(net.predict(std::vector<float>{1, 2, 0, 5}), (std::vector<float>{15.5F, 40.5F}));
}

TEST(PerceptronTest, EqualsEvaluationInDouble) {
  for (const auto activation : {HiddenActivation::kRelu, HiddenActivation::kSigmoid}) {
    const Perceptron net = random_perceptron({19, 40, 33, 1}, activation);
    const auto rows = random_rows(300, 19);
    const auto predicted = net.predict(rows);
    ASSERT_EQ(predicted.size(), 300U);
    for (std::size_t r = 0; r < 300; ++r) {
      const std::vector<double> row(rows.begin() + static_cast<std::ptrdiff_t>(r) * 19,
                                    rows.begin() + static_cast<std::ptrdiff_t>(r + 1) * 19);
      ASSERT_NEAR(predicted[r], predict_in_double(net, row), 1e-5);
    }
  }
}

TEST(PerceptronTest, SplittingRowsChangesNothing) {
  const Perceptron net = random_perceptron({19, 40, 1}, HiddenActivation::kRelu);
  const auto rows = random_rows(500, 19);
  const auto together = net.predict(rows);
  for (std::size_t r = 0; r < 500; ++r) {
    ASSERT_EQ(net.predict(std::span(rows).subspan(r * 19, 19)).front(), together[r]);
  }
  EXPECT_TRUE(net.predict({}).empty());
}

TEST(PerceptronTest, TensorsRoundTrip) {
  const Perceptron net = random_perceptron({5, 4, 3, 1}, HiddenActivation::kSigmoid);
  const TensorMap tensors = net.to_tensors();
  EXPECT_EQ(tensors.size(), 6U);
  EXPECT_EQ(tensors.at("2.weight").shape, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(tensors.at("4.bias").shape, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(Perceptron::from_tensors(tensors, net.activation(), "f"), net);
}

std::string error_of(const TensorMap& tensors) {
  return text_thrown<Error>(
      [&] { Perceptron::from_tensors(tensors, HiddenActivation::kRelu, "p.safetensors"); });
}

TEST(PerceptronTest, FromTensorsNamesWhatIsWrong) {
  const TensorMap good = random_perceptron({5, 4, 1}, HiddenActivation::kRelu).to_tensors();
  EXPECT_EQ(error_of({}), "p.safetensors: missing tensor \"0.weight\"");
  TensorMap bad = good;
  bad.erase("2.bias");
  EXPECT_EQ(error_of(bad), "p.safetensors: missing tensor \"2.bias\"");
  bad = good;
  bad.erase("2.weight");
  EXPECT_EQ(error_of(bad), "p.safetensors: the last layer must have 1 output, got 4");
  bad = good;
  bad["2.weight"] = {.shape = {1, 5}, .values = std::vector<float>(5)};
  EXPECT_EQ(error_of(bad), "p.safetensors: tensor \"2.weight\" must be [outputs, 4], got [1, 5]");
  bad = good;
  bad["0.weight"].shape = {20};
  EXPECT_EQ(error_of(bad),
            "p.safetensors: tensor \"0.weight\" must be [outputs, inputs], got [20]");
  bad = good;
  bad["0.bias"].shape = {2, 2};
  EXPECT_EQ(error_of(bad), "p.safetensors: tensor \"0.bias\" must be [4], got [2, 2]");
  bad = good;
  bad["0.bias"].values[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error_of(bad), "p.safetensors: tensor \"0.bias\" has a value that is not finite");
  bad = good;
  bad["base_acc"] = {.shape = {1}, .values = {1}};
  EXPECT_EQ(error_of(bad), "p.safetensors: unexpected tensor \"base_acc\"");
}

TEST(PerceptronTest, RefusesLayersThatDoNotFit) {
  const auto relu = HiddenActivation::kRelu;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { Perceptron({}, relu); }),
            "[regress::Perceptron] layers must not be empty");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              Perceptron({{1, 2, {1, 1}, {0, 0}}, {3, 1, {1, 1, 1}, {0}}}, relu);
            }),
            "[regress::Perceptron] layer 1 must have 2 inputs, got 3");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              Perceptron({{1, 2, {1, 1}, {0, 0}}}, relu);
            }),
            "[regress::Perceptron] the last layer must have 1 output, got 2");
  const Perceptron net({{2, 1, {1, 1}, {0}}}, relu);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { net.predict(std::vector<float>(3)); }),
            "[regress::Perceptron::predict] inputs must be rows of 2, got 3 values");
}

TEST(PerceptronTest, ActivationNames) {
  EXPECT_EQ(hidden_activation_from_string("relu", "f"), HiddenActivation::kRelu);
  EXPECT_EQ(hidden_activation_from_string(to_string(HiddenActivation::kSigmoid), "f"),
            HiddenActivation::kSigmoid);
  try {
    hidden_activation_from_string("tanh", "f.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "f.json: activation must be relu or sigmoid, got \"tanh\"");
  }
}

}  // namespace
}  // namespace lathe::regress
