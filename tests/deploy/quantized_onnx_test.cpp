// Files of quantized nets, run by the interpreter: what a layer computes is what integers give,
// and what a net computes is close to the float net.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "deploy/nets.h"
#include "deploy/onnx_interpreter.h"
#include "lathe/core/file.h"
#include "lathe/deploy/onnx.h"
#include "lathe/deploy/quantize.h"
#include "lathe/space/builtin_spaces.h"
#include "naive_executor.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

using graph::Activation;
using testing::TemporaryFolder;
using testing::text_thrown;

QuantizedNet quantized_by(const graph::Net& net, const FloatTensor& images) {
  bool given = false;
  return quantize(net, [&]() -> std::optional<FloatTensor> {
    if (std::exchange(given, true)) return std::nullopt;
    return images;
  });
}

/// Signal to noise, in dB.
double snr_db(const FloatTensor& output, const FloatTensor& reference) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < output.values.size(); ++i) {
    signal += std::pow(double{reference.values[i]}, 2);
    noise += std::pow(double{output.values[i]} - reference.values[i], 2);
  }
  return 10 * std::log10(signal / std::max(noise, 1e-30));
}

/// The convolution `node` of `net` on uint8 levels: sums of products of integers, the bias an
/// integer too, then one multiplication and a rounding. The levels of the output's scale.
std::vector<int> convolve_integers(const QuantizedNet& net, const graph::Node& node, int index,
                                   const FloatTensor& x) {
  const ActivationScale in = *net.activations[static_cast<std::size_t>(node.inputs[0])];
  const ActivationScale out = *net.activations[static_cast<std::size_t>(index)];
  const IntegerLayer& layer = net.layers.at(node.name);
  const graph::Shape shape = net.net.graph[node.inputs[0]].shape;
  const std::int64_t height = shape.height, width = shape.width, kernel = node.kernel;
  const std::int64_t pixels = node.shape.size() / node.shape.channels;
  const std::int64_t depth = shape.channels / node.groups;
  const std::int64_t per_group = node.shape.channels / node.groups;
  const auto level = [&](std::int64_t c, std::int64_t y, std::int64_t col) -> std::int64_t {
    const double value = x.values.at(static_cast<std::size_t>((c * height + y) * width + col));
    const double q = std::nearbyint(value / double{in.scale}) + in.zero_point;
    return std::lround(std::clamp(q, 0.0, 255.0)) - in.zero_point;
  };
  std::vector<int> levels;
  for (std::int64_t o = 0; o < node.shape.channels; ++o) {
    for (std::int64_t at = 0; at < pixels; ++at) {
      std::int64_t sum = layer.biases.at(static_cast<std::size_t>(o));
      for (std::int64_t i = 0; i < depth * kernel * kernel; ++i) {
        const std::int64_t c = i / (kernel * kernel), k = i % (kernel * kernel);
        const std::int64_t y = at / node.shape.width * node.stride - node.padding + k / kernel;
        const std::int64_t col = at % node.shape.width * node.stride - node.padding + k % kernel;
        if (y < 0 || y >= height || col < 0 || col >= width) continue;
        sum += level(o / per_group * depth + c, y, col) *
               layer.weights.at(static_cast<std::size_t>(o * depth * kernel * kernel + i));
      }
      const double real = static_cast<double>(sum) * double{in.scale} *
                          double{layer.scales.at(static_cast<std::size_t>(o))};
      levels.push_back(static_cast<int>(
          std::clamp(std::nearbyint(real / double{out.scale}) + out.zero_point, 0.0, 255.0)));
    }
  }
  return levels;
}

TEST(QuantizedOnnx, AConvolutionIsThatOfIntegers) {
  const TemporaryFolder folder;
  for (const int groups : {1, 2, 4}) {
    graph::Graph g({4, 9, 7});
    const int conv = g.conv(
        0, "conv", {.out_channels = 8, .kernel = 3, .stride = 2, .groups = groups, .bias = true});
    g.max_pool(conv, 1, 1, 0);  // the output's levels as they are: conv's are rounded for it
    Rng rng(3);
    const graph::Net net = testing::random_net(g, rng);
    const FloatTensor images = testing::random_input({4, 9, 7}, 16, rng);
    const QuantizedNet quantized = quantized_by(net, images);
    export_quantized_onnx(quantized, folder / "net.onnx");
    const FloatTensor x = testing::random_input({4, 9, 7}, 1, rng);
    const FloatTensor y = testing::interpret_onnx(folder / "net.onnx", x);
    const ActivationScale out = *quantized.activations[1];
    std::vector<int> levels;
    for (const float value : y.values) {
      levels.push_back(static_cast<int>(std::lround(value / out.scale)) + out.zero_point);
    }
    EXPECT_EQ(levels, convolve_integers(quantized, quantized.net.graph[1], 1, x)) << groups;
  }
}

class QuantizedGraph : public ::testing::TestWithParam<testing::NamedGraph> {};

TEST_P(QuantizedGraph, IsWrittenAndCloseToTheFloatNet) {
  const TemporaryFolder folder;
  Rng rng(1);
  const graph::Net net = testing::random_net(GetParam().graph, rng);
  const FloatTensor input = testing::random_input(net.graph.input_shape(), 3, rng);
  const QuantizedNet quantized = quantized_by(net, input);
  for (const int opset : {13, 17}) {
    export_quantized_onnx(quantized, folder / "net.onnx", {.opset = opset});
    const FloatTensor output = testing::interpret_onnx(folder / "net.onnx", input);
    EXPECT_GT(snr_db(output, testing::execute_naively(net, input)), 25);
  }
}

INSTANTIATE_TEST_SUITE_P(Deploy, QuantizedGraph, ::testing::ValuesIn(testing::small_graphs()),
                         [](const auto& param) { return param.param.name; });

TEST(QuantizedOnnx, WeightsAreIntegersWithAScaleAChannel) {
  const TemporaryFolder folder;
  graph::Graph g({3, 8, 8});
  const int conv = g.batch_norm(g.conv(0, "conv", {.out_channels = 6, .kernel = 3}), "norm", 1e-5);
  g.linear(g.global_avg_pool(g.activation(conv, Activation::kRelu)), "fc", 5, true);
  Rng rng(4);
  const graph::Net net = testing::random_net(g, rng);
  const QuantizedNet quantized = quantized_by(net, testing::random_input({3, 8, 8}, 8, rng));
  export_quantized_onnx(quantized, folder / "net.onnx", {.metadata = {{"precision", "\"int8\""}}});
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_file(folder / "net.onnx")));
  std::map<std::string, onnx::TensorProto> tensors;
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    tensors[tensor.name()] = tensor;
  }
  for (const auto& [name, channels] : {std::pair("conv", 6), std::pair("fc", 5)}) {
    const std::string prefix = name;
    EXPECT_EQ(tensors.at(prefix + ".weight").data_type(), onnx::TensorProto::INT8);
    EXPECT_EQ(tensors.at(prefix + ".bias").data_type(), onnx::TensorProto::INT32);
    for (const char* scale : {".weight.scale", ".weight.zero_point", ".bias.scale"}) {
      ASSERT_EQ(tensors.at(prefix + scale).dims_size(), 1) << prefix + scale;
      EXPECT_EQ(tensors.at(prefix + scale).dims(0), channels) << prefix + scale;
    }
  }
  std::vector<std::string> order;
  for (const onnx::NodeProto& node : model.graph().node()) order.push_back(node.op_type());
  EXPECT_EQ(order,
            (std::vector<std::string>{"QuantizeLinear", "DequantizeLinear",  // input
                                      "DequantizeLinear", "DequantizeLinear", "Conv", "Relu",     //
                                      "QuantizeLinear", "DequantizeLinear",                       //
                                      "GlobalAveragePool", "QuantizeLinear", "DequantizeLinear",  //
                                      "Flatten", "DequantizeLinear",  // integers
                                      "DequantizeLinear", "DequantizeLinear", "Gemm"}));
  EXPECT_EQ(model.metadata_props(0).value(), "\"int8\"");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { export_quantized_onnx(quantized, folder / "net.onnx", {.opset = 12}); }),
            "[deploy::export_quantized_onnx] opset must be in [13, 17], got 12");
}

/// Each family's operators; the other built-in spaces are data given to the same lowering.
class QuantizedFamily : public ::testing::TestWithParam<std::string> {};

/// Nets of random weights agree with the float ones less than trained ones do: their answers lie
/// closer together.
TEST_P(QuantizedFamily, AnswersAsTheFloatNet) {
  const TemporaryFolder folder;
  space::TaskOverrides task{.num_classes = 10};
  if (GetParam().starts_with("darts")) {
    task.input_size = 32, task.init_channels = 8, task.cells = 4;
  } else if (GetParam() != "mbv3_28") {
    task.input_size = 64;
  }
  const std::unique_ptr<space::Space> space = space::make_space(GetParam(), task);
  int same = 0, images = 0;
  for (std::uint64_t i = 0; i < 2; ++i) {
    Rng rng = Rng::derived(12, {i});
    const space::Arch arch = i == 0 ? space->smallest() : space->sample(rng);
    const graph::Net net = testing::random_net(space->graph(arch), rng);
    const graph::Shape shape = net.graph.input_shape();
    const QuantizedNet quantized = quantized_by(net, testing::random_input(shape, 16, rng));
    export_quantized_onnx(quantized, folder / "int8.onnx");
    export_onnx(quantized.net, folder / "float.onnx");
    const FloatTensor input = testing::random_input(shape, 4, rng);
    const FloatTensor output = testing::interpret_onnx(folder / "int8.onnx", input);
    const FloatTensor expected = testing::interpret_onnx(folder / "float.onnx", input);
    EXPECT_GT(snr_db(output, expected), 28) << space->to_json(arch).dump();
    for (int n = 0; n < 4; ++n, ++images) {
      const auto answer = [&](const FloatTensor& logits) {
        const float* row = &logits.values[static_cast<std::size_t>(n) * 10];
        return std::max_element(row, row + 10) - row;
      };
      same += answer(output) == answer(expected);
    }
  }
  EXPECT_GE(same, images - 1);
}

INSTANTIATE_TEST_SUITE_P(Deploy, QuantizedFamily,
                         ::testing::Values("mbv3_28", "ofa_mbv3_w1.0", "ofa_resnet50d",
                                           "mobilenet_v1_widths", "resnet18_widths", "darts"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace lathe::deploy
