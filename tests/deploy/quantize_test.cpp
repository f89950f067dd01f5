#include "lathe/deploy/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

using graph::Activation;
using testing::text_thrown;

CalibrationBatches batches_of(std::vector<FloatTensor> batches) {
  return [batches = std::move(batches), next = std::size_t{0}]() mutable {
    return next < batches.size() ? std::optional(batches[next++]) : std::nullopt;
  };
}

TEST(QuantizeLayer, WeightsReturnWithinHalfAStepOfTheirChannel) {
  Rng rng(1);
  FloatTensor weight{{5, 3, 2, 2}, {}};
  std::vector<float> bias;
  for (int c = 0; c < 5; ++c) {
    for (int i = 0; i < 12; ++i) {
      weight.values.push_back(testing::uniform(rng, -1, 1) *
                              std::pow(10.0F, static_cast<float>(c)));
    }
    bias.push_back(testing::uniform(rng, -2, 2));
  }
  const IntegerLayer layer = quantize_layer(weight, bias, 0.01F);
  ASSERT_EQ(layer.weights.size(), 60U);
  ASSERT_EQ(layer.scales.size(), 5U);
  for (std::size_t c = 0; c < 5; ++c) {
    int largest = 0;
    for (std::size_t i = c * 12; i < (c + 1) * 12; ++i) {
      EXPECT_NEAR(layer.weights[i] * double{layer.scales[c]}, weight.values[i],
                  0.5 * layer.scales[c] * (1 + 1e-6));
      largest = std::max(largest, std::abs(int{layer.weights[i]}));
    }
    EXPECT_EQ(largest, 127);
    const double step = 0.01F * double{layer.scales[c]};
    EXPECT_NEAR(layer.biases[c] * step, bias[c], 0.5 * step);
  }
}

TEST(QuantizeLayer, ChannelsOfZerosAndHugeBiases) {
  const IntegerLayer layer =
      quantize_layer({{3, 2}, {0, 0, 1e-9F, -1e-9F, 0, 0}}, std::vector<float>{0, 1000, -5}, 0.1F);
  EXPECT_EQ(layer.scales[0], 1);
  EXPECT_EQ(layer.biases[0], 0);
  EXPECT_NEAR(layer.biases[1], 1 << 30, 128);  // a float's scale is that precise
  EXPECT_NEAR(layer.biases[2], -(1 << 30), 128);
  EXPECT_NEAR(layer.biases[1] * 0.1F * double{layer.scales[1]}, 1000, 1e-3);
  EXPECT_TRUE(quantize_layer({{1, 2}, {1, 2}}, {}, 1).biases.empty());
  EXPECT_EQ(text_thrown<std::invalid_argument>([] {
              quantize_layer({{1, 2}, {1, std::nanf("")}}, {}, 1);
            }),
            "[deploy::quantize_layer] weights must be finite");
}

/// Pixels, the layers of a residual block with a gate, a classifier.
graph::Graph residual_net() {
  graph::Graph g({3, 8, 8});
  const int shift = g.shift(0, "normalization");                              // 1
  const int stem = g.conv(shift, "stem", {.out_channels = 4, .kernel = 3});   // 2
  const int swish = g.activation(stem, Activation::kHSwish);                  // 3
  const int pooled = g.global_avg_pool(swish);                                // 4
  const int gate = g.activation(g.conv(pooled, "gate", {.out_channels = 4}),  // 5
                                Activation::kHSigmoid);                       // 6
  const int gated = g.mul(swish, gate);                                       // 7
  const int relu = g.activation(g.add(gated, swish), Activation::kRelu);      // 8, 9
  const int smaller = g.max_pool(relu, 2, 2, 0);                              // 10
  g.linear(g.global_avg_pool(smaller), "classifier", 5, true);                // 11, 12
  return g;
}

TEST(Quantize, AllButTheEndsAndWhatAReluReads) {
  Rng rng(2);
  const graph::Net net = testing::random_net(residual_net(), rng);
  const FloatTensor input = testing::random_input({3, 8, 8}, 4, rng);
  const QuantizedNet quantized = quantize(net, batches_of({input, input}));
  const std::vector<bool> expected{false, true,  true, true, true, true, true,
                                   true,  false, true, true, true, false};
  ASSERT_EQ(quantized.activations.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(quantized.activations[i].has_value(), expected[i]) << i;
  }
  EXPECT_EQ(quantized.activations[9], quantized.activations[10]);  // max pooling
  EXPECT_EQ(quantized.activations[9]->zero_point, 0);
  EXPECT_EQ(quantized.layers.size(), 3U);
  // What hard-swish reads begins at -3, hard-sigmoid's input lies in [-3, 3].
  for (const std::size_t i : {2U, 5U}) {
    EXPECT_LE(quantized.activations[i]->zero_point * quantized.activations[i]->scale, 3.02F);
  }
}

TEST(Quantize, RangesAreThoseOfAllBatches) {
  graph::Graph g({1, 1, 1});
  g.linear(0, "fc", 2, false);
  const graph::Net net{g, {{"fc.weight", {{2, 1}, {1, 2}}}}};
  const auto image = [](float value) { return FloatTensor{{1, 1, 1, 1}, {value}}; };
  const QuantizedNet quantized =
      quantize(net, batches_of({image(-1), image(9), image(2)}), {.ranges = RangeRule::kMinMax});
  EXPECT_EQ(*quantized.activations[0], activation_scale({-1, 9}));
}

TEST(Quantize, SaysWhatIsWrong) {
  Rng rng(3);
  graph::Net net = testing::random_net(residual_net(), rng);
  const FloatTensor input = testing::random_input({3, 8, 8}, 2, rng);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { quantize(net, batches_of({})); }),
            "[deploy::quantize] needs at least one batch");
  net.weights.at("stem.weight").values[0] = std::numeric_limits<float>::infinity();
  const std::string text = text_thrown<Error>([&] { quantize(net, batches_of({input})); });
  EXPECT_EQ(text, "the net can't be quantized: node 2 (stem) gives values that are not finite");
  net.weights.at("stem.weight").values[0] = 0;
  net.weights.at("classifier.weight").values[0] = std::nanf("");
  EXPECT_EQ(text_thrown<Error>([&] { quantize(net, batches_of({input})); }),
            "the net can't be quantized: layer classifier has weights that are not finite");
}

}  // namespace
}  // namespace lathe::deploy
