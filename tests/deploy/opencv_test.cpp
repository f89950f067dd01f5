// Somebody else's runtime reads the files too: OpenCV's dnn module. Its version 4.6 takes Clip only
// with attributes (as before opset 11); hence no ReLU6 here. Version 4.10 takes any product with a
// HardSigmoid of a convolution for a HardSwish; hence no such gate there.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <opencv2/dnn.hpp>
#include <vector>

#include "core/temporary_folder.h"
#include "deploy/nets.h"
#include "lathe/deploy/onnx.h"
#include "lathe/deploy/torchscript.h"
#include "lathe/space/builtin_spaces.h"
#include "naive_executor.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

FloatTensor run_opencv(const std::filesystem::path& path, const FloatTensor& input) {
  cv::dnn::Net net = cv::dnn::readNetFromONNX(path.string());
  net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
  net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
  const std::vector<int> sizes(input.shape.begin(), input.shape.end());
  const cv::Mat x(sizes, CV_32F, const_cast<float*>(input.values.data()));
  net.setInput(x, "input");
  const cv::Mat output = net.forward("logits");
  FloatTensor result;
  result.shape.assign(output.size.p, output.size.p + output.dims);
  result.values.assign(output.ptr<float>(), output.ptr<float>() + output.total());
  return result;
}

bool opencv_can_run(const graph::Graph& graph) {
  constexpr bool kKeepsGates = CV_VERSION_MAJOR == 4 && CV_VERSION_MINOR <= 6;
  return std::none_of(graph.nodes().begin(), graph.nodes().end(), [&](const graph::Node& node) {
    const graph::Node& gate = graph[node.op == graph::Op::kMul ? node.inputs[1] : 0];
    return node.activation == graph::Activation::kRelu6 ||
           (gate.activation == graph::Activation::kHSigmoid && !kKeepsGates);
  });
}

TEST(OpenCv, ComputesWhatTheSmallGraphsSay) {
  const testing::TemporaryFolder folder;
  int compared = 0;
  for (const auto& [name, graph] : testing::small_graphs()) {
    if (!opencv_can_run(graph)) {
      continue;
    }
    Rng rng(1);
    const graph::Net net = testing::random_net(graph, rng);
    const FloatTensor input = testing::random_input(graph.input_shape(), 1, rng);
    const FloatTensor expected = testing::execute_naively(net, input);
    export_onnx(net, folder / "net.onnx");
    const FloatTensor output = run_opencv(folder / "net.onnx", input);
    EXPECT_EQ(output.shape, expected.shape) << name;
    EXPECT_LE(max_relative_error(output, expected), 1e-5) << name;
    ++compared;
  }
  EXPECT_GE(compared, 18);
}

TEST(OpenCv, AgreesWithTorchScriptOnRandomNets) {
  const testing::TemporaryFolder folder;
  for (const char* name : {"mbv3_28", "deps_mbv3", "ofa_resnet50d"}) {
    const std::unique_ptr<space::Space> space =
        space::make_space(name, {.num_classes = 10, .input_size = 64});
    for (std::uint64_t i = 0; i < 4; ++i) {
      Rng rng = Rng::derived(3, {i});
      const graph::Net net = testing::random_net(space->graph(space->sample(rng)), rng);
      if (!opencv_can_run(net.graph)) {
        continue;
      }
      export_onnx(net, folder / "net.onnx");
      export_torchscript(net, folder / "net.pt");
      const FloatTensor input = testing::random_input(net.graph.input_shape(), 1, rng);
      const FloatTensor expected = run_torchscript(folder / "net.pt", input);
      EXPECT_LE(max_relative_error(run_opencv(folder / "net.onnx", input), expected), 1e-4) << name;
    }
  }
}

}  // namespace
}  // namespace lathe::deploy
