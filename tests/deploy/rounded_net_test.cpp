// The simulation of a quantized net answers what its file does.
#include "lathe/deploy/rounded_net.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <utility>

#include "core/temporary_folder.h"
#include "deploy/nets.h"
#include "deploy/onnx_interpreter.h"
#include "lathe/deploy/onnx.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

using testing::TemporaryFolder;

class RoundedGraph : public ::testing::TestWithParam<testing::NamedGraph> {};

TEST_P(RoundedGraph, AnswersAsItsFile) {
  const c10::NoGradGuard no_grad;
  const TemporaryFolder folder;
  Rng rng(1);
  const graph::Net net = testing::random_net(GetParam().graph, rng);
  const FloatTensor input = testing::random_input(net.graph.input_shape(), 4, rng);
  const QuantizedNet quantized = quantize(
      net, [given = std::optional(input)]() mutable { return std::exchange(given, std::nullopt); });
  export_quantized_onnx(quantized, folder / "net.onnx");
  const FloatTensor expected = testing::interpret_onnx(folder / "net.onnx", input);

  const RoundedNet rounded = rounded_net(quantized);
  const FloatTensor output = nn::from_torch(
      rounded.executor.forward(rounded.binding, nn::to_torch(input), rounded.options));
  ASSERT_EQ(output.values.size(), expected.values.size());
  double signal = 0, off = 0;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    signal += std::pow(double{expected.values[i]}, 2);
    off += std::pow(double{output.values[i]} - double{expected.values[i]}, 2);
  }
  // Values in the middle of two levels may fall to either side; in float the two are 30 dB apart.
  EXPECT_LT(off, 1e-4 * signal);
}

INSTANTIATE_TEST_SUITE_P(Deploy, RoundedGraph, ::testing::ValuesIn(testing::small_graphs()),
                         [](const auto& param) { return param.param.name; });

TEST(RoundedNet, HoldsEveryStoredTensorAtItsLevels) {
  const c10::NoGradGuard no_grad;
  graph::Graph g({1, 2, 2});
  const int conv = g.conv(0, "conv", {.out_channels = 1, .kernel = 1, .bias = true});
  g.max_pool(conv, 1, 1, 0);
  const graph::Net net{g, {{"conv.weight", {{1, 1, 1, 1}, {0.3F}}}, {"conv.bias", {{1}, {0.1F}}}}};
  const FloatTensor input{{1, 1, 2, 2}, {0, 0.3F, 0.7F, 1}};
  const QuantizedNet quantized = quantize(
      net, [given = std::optional(input)]() mutable { return std::exchange(given, std::nullopt); },
      {.ranges = RangeRule::kMinMax});
  const RoundedNet rounded = rounded_net(quantized);
  const FloatTensor output = nn::from_torch(
      rounded.executor.forward(rounded.binding, nn::to_torch(input), rounded.options));
  const ActivationScale stored = *quantized.activations[1];
  for (std::size_t i = 0; i < 4; ++i) {
    const double level = double{output.values[i]} / double{stored.scale};
    EXPECT_NEAR(level, std::round(level), 1e-4);
    EXPECT_NEAR(output.values[i], 0.3 * double{input.values[i]} + 0.1, stored.scale);
  }
}

}  // namespace
}  // namespace lathe::deploy
