#include "lathe/train/predictors/latency_perceptron.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe::train {
namespace {

using lathe::testing::text_thrown;

constexpr int kBits = 12;

/// Rows of random bits; a latency that is a sum over them, of `noise` relative deviation, and of
/// `pair_ms` more where the first two are set.
struct Nets {
  std::vector<float> inputs;
  std::vector<double> sum_ms;
  std::vector<double> measured_ms;

  Nets(int count, double noise, double pair_ms, std::uint64_t seed) {
    Rng rng(seed);
    for (int i = 0; i < count; ++i) {
      double ms = 3.0;
      for (int b = 0; b < kBits; ++b) {
        inputs.push_back(rng.uniform() < 0.5 ? 0.0F : 1.0F);
        ms += 0.1 * (b + 1) * static_cast<double>(inputs.back());
      }
      const float* row = inputs.data() + inputs.size() - kBits;
      sum_ms.push_back(ms);
      measured_ms.push_back((ms + pair_ms * static_cast<double>(row[0] * row[1])) *
                            (1 + noise * rng.normal()));
    }
  }
};

double relative_error(const std::vector<double>& ms, const std::vector<double>& truth_ms) {
  double sum = 0.0;
  for (std::size_t i = 0; i < ms.size(); ++i) sum += std::abs(ms[i] / truth_ms[i] - 1);
  return sum / static_cast<double>(ms.size());
}

/// base + perceptron on nets that the fit didn't see.
std::vector<double> corrected(const ScaledPerceptron& fit, const Nets& nets) {
  std::vector<double> ms = nets.sum_ms;
  const std::vector<float> outputs = fit.perceptron.predict(nets.inputs);
  for (std::size_t i = 0; i < ms.size(); ++i) ms[i] += fit.to_ms(outputs[i]);
  return ms;
}

TEST(LatencyPerceptronTest, ThePublishedModuleHasThePrintedSize) {
  const FitPerceptronOptions published = published_latency_perceptron();
  EXPECT_EQ(published.hidden, (std::vector<int>{112, 256, 64}));
  const auto net = fit_perceptron(std::vector<float>(112 * 2, 1.0F), std::vector<float>{1, 2},
                                  {.hidden = published.hidden,
                                   .activation = published.activation,
                                   .optimizer = published.optimizer,
                                   .epochs = 1});
  std::size_t parameters = 0;
  for (const auto& layer : net.layers()) {
    parameters += layer.weight.size() + layer.bias.size();
  }
  EXPECT_EQ(parameters, 58097U);
  EXPECT_EQ(net.activation(), regress::HiddenActivation::kSigmoid);
  EXPECT_EQ(published.epochs, 20 * fast_latency_perceptron(10000).epochs);
}

TEST(LatencyPerceptronTest, TheFastRecipeLearnsAtAnyScale) {
  const Nets train(400, 0.0, 0.0, 1);
  const Nets test(200, 0.0, 0.0, 2);
  for (const double unit : {1.0, 1e-3}) {
    std::vector<double> targets = train.measured_ms;
    for (double& ms : targets) ms *= unit;
    const auto fit = fit_scaled_perceptron(train.inputs, targets, fast_latency_perceptron(400));
    std::vector<double> predicted;
    for (const float output : fit.perceptron.predict(test.inputs)) {
      predicted.push_back(fit.to_ms(output) / unit);
    }
    EXPECT_LT(relative_error(predicted, test.measured_ms), 0.015) << unit;
  }
}

TEST(LatencyPerceptronTest, AResidualIsLearntWhereThereIsOne) {
  const Nets train(600, 0.01, 1.0, 1);
  const Nets test(200, 0.0, 1.0, 2);
  const auto fit = fit_residual_perceptron(train.inputs, train.measured_ms, train.sum_ms,
                                           fast_latency_perceptron(600));
  EXPECT_LT(relative_error(corrected(fit, test), test.measured_ms),
            0.25 * relative_error(test.sum_ms, test.measured_ms));
}

// A perceptron of its own would add some 2% here.
TEST(LatencyPerceptronTest, NoiseIsNotLearnt) {
  const Nets train(600, 0.05, 0.0, 1);
  const Nets test(200, 0.0, 0.0, 2);
  const auto fit = fit_residual_perceptron(train.inputs, train.measured_ms, train.sum_ms,
                                           fast_latency_perceptron(600));
  EXPECT_LT(relative_error(corrected(fit, test), test.measured_ms), 0.005);
}

TEST(LatencyPerceptronTest, RefusesABaseOfOtherNets) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] {
              fit_residual_perceptron(std::vector<float>(8), std::vector<double>(8, 1.0),
                                      std::vector<double>(7, 1.0), {});
            }),
            "[train::fit_residual_perceptron] needs as many values of base_ms as measured_ms, "
            "more than 5, got 7 and 8");
}

}  // namespace
}  // namespace lathe::train
