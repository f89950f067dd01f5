// Against the naive executor in double: a net of normalised images, and what is made of it on the
// images themselves.
#include "lathe/graph/pixel_input.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "naive_executor.h"
#include "net_fixtures.h"

namespace lathe::graph {
namespace {

using lathe::testing::execute_naively;
using lathe::testing::random_net;
using lathe::testing::text_thrown;

const std::vector<float> kMean{0.2F, 0.5F, 0.7F, 0.4F};
const std::vector<float> kStddev{0.25F, 0.3F, 0.1F, 0.5F};

/// Checks on a random image of pixels in [0, 1]; gives the net that takes them.
Net checked(const Graph& graph) {
  Rng rng(1);
  const Net net = random_net(graph, rng);
  const auto channels = static_cast<std::size_t>(graph.input_shape().channels);
  const std::span<const float> mean(kMean.data(), channels), stddev(kStddev.data(), channels);
  Net on_pixels = take_pixels(net, mean, stddev);
  check_weights(on_pixels);
  std::vector<double> pixels(static_cast<std::size_t>(graph.input_shape().size()));
  std::vector<double> normalised(pixels.size());
  const std::size_t plane = pixels.size() / channels;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = rng.uniform();
    normalised[i] = (pixels[i] - double{mean[i / plane]}) / double{stddev[i / plane]};
  }
  const std::vector<double> expected = execute_naively(net, normalised);
  for (const Net& same : {on_pixels, fold_batch_norm(on_pixels)}) {
    const std::vector<double> got = execute_naively(same, pixels);
    EXPECT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], expected[i], 1e-5);
    }
  }
  return on_pixels;
}

Graph padded_net() {
  Graph g({3, 7, 6});
  int x = g.conv(0, "stem", {.out_channels = 4, .kernel = 3, .stride = 2});
  x = g.activation(g.batch_norm(x, "bn", 1e-5), Activation::kRelu);
  g.linear(g.global_avg_pool(x), "fc", 5, true);
  return g;
}

TEST(TakePixels, IsTheSameFunctionAtPaddedBordersToo) {
  const Graph graph = padded_net();
  const Net net = checked(graph);
  ASSERT_EQ(net.graph.size(), graph.size() + 1);
  EXPECT_EQ(net.graph[1].op, Op::kShift);
  EXPECT_EQ(net.weights.at("normalization.bias"), (FloatTensor{{3, 1, 1}, {-0.2F, -0.5F, -0.7F}}));
  // Folding can't swallow it.
  EXPECT_EQ(fold_batch_norm(net).graph[1].op, Op::kShift);
}

TEST(TakePixels, ScalesEveryReaderOfTheInput) {
  Graph g({4, 5, 5});
  const int a = g.conv(0, "a", {.out_channels = 6, .kernel = 3, .groups = 2, .bias = true});
  const int b = g.conv(0, "b", {.out_channels = 6, .kernel = 5, .dilation = 2, .padding = 4});
  const int depthwise = g.conv(0, "depthwise", {.out_channels = 4, .kernel = 3, .groups = 4});
  g.concat({g.add(a, b), depthwise});
  checked(g);
}

TEST(TakePixels, ScalesALinearLayer) {
  Graph g({4, 1, 1});
  g.linear(0, "fc", 3, true);
  checked(g);
}

TEST(TakePixels, RefusesWhatItCannotDo) {
  Rng rng(1);
  const Net net = random_net(padded_net(), rng);
  const std::vector<float> three{0.1F, 0.2F, 0.3F}, two{0.1F, 0.2F}, zero{0.1F, 0.0F, 0.3F};
  const auto refusal = [&](const Net& n, const std::vector<float>& stddev) {
    return text_thrown<std::invalid_argument>([&] { take_pixels(n, three, stddev); });
  };
  EXPECT_EQ(refusal(net, two),
            "[graph::take_pixels] mean and stddev must have 3 values, got 3 and 2");
  EXPECT_EQ(refusal(net, zero), "[graph::take_pixels] stddev must be > 0, got 0.000000");
  EXPECT_EQ(refusal(take_pixels(net, three, three), three),
            "[graph::take_pixels] the net has a parameter normalization.bias already");
  Graph pooled({3, 4, 4});
  pooled.global_avg_pool(0);
  EXPECT_EQ(refusal({pooled, {}}, three),
            "[graph::take_pixels] node 1 reads the input and has no weights to scale");
  EXPECT_EQ(refusal({padded_net(), {}}, three),
            "[graph::check_weights] missing parameter stem.weight");
}

}  // namespace
}  // namespace lathe::graph
