// Random nets of the built-in spaces: the ONNX file, run by an interpreter of its own, and the
// TorchScript module must agree. They have the graph and the weights in common, no code that
// computes.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "deploy/onnx_interpreter.h"
#include "deploy/small_spaces.h"
#include "lathe/deploy/onnx.h"
#include "lathe/deploy/torchscript.h"
#include "lathe/graph/fold.h"
#include "lathe/space/builtin_spaces.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

/// 50 nets of each family and of the space that `lathe run` takes; the other spaces are data given
/// to the same two families.
int num_nets(const std::string& name) {
  return name == "mbv3_28" || name == "ofa_mbv3_w1.0" || name == "ofa_resnet50d" ? 50 : 10;
}

constexpr double kTolerance = 1e-4;

/// Every other net has its batch norms folded, as `lathe export` does.
void compare_random_nets(const std::string& name, int count) {
  const testing::TemporaryFolder folder;
  const std::unique_ptr<space::Space> space = testing::small_space(name);
  double worst = 0.0;
  for (int i = 0; i < count; ++i) {
    Rng rng = Rng::derived(11, {static_cast<std::uint64_t>(i)});
    const space::Arch arch = testing::small_arch(*space, i, rng);
    graph::Net net = testing::random_net(space->graph(arch), rng);
    if (i % 2 == 0) {
      net = graph::fold_batch_norm(net);
    }
    export_onnx(net, folder / "net.onnx");
    export_torchscript(net, folder / "net.pt");
    const FloatTensor input = testing::random_input(net.graph.input_shape(), 1, rng);
    const FloatTensor output = testing::interpret_onnx(folder / "net.onnx", input);
    const FloatTensor expected = run_torchscript(folder / "net.pt", input);
    ASSERT_EQ(output.shape, expected.shape);
    const double error = max_relative_error(output, expected);
    EXPECT_LE(error, kTolerance) << space->to_json(arch).dump();
    worst = std::max(worst, error);
  }
  ::testing::Test::RecordProperty("worst_relative_error", std::to_string(worst));
}

class BuiltinSpace : public ::testing::TestWithParam<std::string> {};

TEST_P(BuiltinSpace, OnnxAgreesWithTorchScript) {
  compare_random_nets(GetParam(), num_nets(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Deploy, BuiltinSpace, ::testing::ValuesIn(space::builtin_space_names()),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace lathe::deploy
