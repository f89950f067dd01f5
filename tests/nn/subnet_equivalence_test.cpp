// One net in every form it takes: the active part of a supernet, the static net extracted from it,
// that net with its batch norms folded, the TorchScript module and the ONNX file. Weights, kernel
// matrices and batch-norm statistics are random; the outputs agree to 1e-4 of the largest logit.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>

#include "core/temporary_folder.h"
#include "deploy/onnx_interpreter.h"
#include "lathe/deploy/onnx.h"
#include "lathe/deploy/torchscript.h"
#include "lathe/nn/executor.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/families/bottleneck_family.h"
#include "lathe/space/families/chain_family.h"
#include "nn/supernet_state.h"
#include "space/tiny_spaces.h"

namespace lathe::nn {
namespace {

constexpr double kTolerance = 1e-4;

/// How many random archs of a space are compared in each form, at an input size that keeps the
/// slow readers bearable.
struct Family {
  std::string name;
  std::shared_ptr<const space::Space> (*make)();
  int archs = 50;        ///< supernet, static net and folded net
  int torchscript = 50;  ///< of them also as TorchScript
  int onnx = 50;         ///< and as ONNX, run by plain loops
};

std::ostream& operator<<(std::ostream& out, const Family& family) { return out << family.name; }

std::shared_ptr<const space::Space> builtin(const std::string& name, int input_size) {
  return space::make_space(name, {.num_classes = 10, .input_size = input_size});
}

/// ofa_resnet50d at a quarter of its width: the same decisions, a sixteenth of the weights.
std::shared_ptr<const space::Space> quarter_resnet50d() {
  return space::make_bottleneck_space(
      {.name = "quarter_resnet50d",
       .task = {.in_channels = 3, .num_classes = 10, .input_size = 32},
       .stem_channels = 16,
       .stages = {{64, 1, 2}, {128, 2, 2}, {256, 2, 4}, {512, 2, 2}},
       .extra_depths = {0, 1, 2},
       .expansions = {0.2, 0.25, 0.35},
       .widths = {0.65, 0.8, 1.0}});
}

/// mobilenet_v1_widths at an eighth of its widths, without the layers that repeat.
std::shared_ptr<const space::Space> small_widths() {
  return space::make_chain_space({.name = "small_widths",
                                  .task = {.in_channels = 3, .num_classes = 10, .input_size = 20},
                                  .layers = {{{2, 4, 6}, 2, space::ChainLayerKind::kConv},
                                             {{4, 8, 12}, 1},
                                             {{8, 16, 24}, 2},
                                             {{8, 16, 24}, 1},
                                             {{16, 32, 48}, 2}}});
}

/// Basic blocks with a projection and without, and inverted residuals: resnet18_widths in small.
std::shared_ptr<const space::Space> small_residual_widths() {
  return space::make_chain_space(testing::tiny_residual_chain());
}

/// The reader's output for the input with which `expected` was made.
double error(const at::Tensor& output, const FloatTensor& expected) {
  return deploy::max_relative_error(from_torch(output), expected);
}

class SubnetEquivalence : public ::testing::TestWithParam<Family> {};

TEST_P(SubnetEquivalence, AllFormsGiveTheSameLogits) {
  const c10::NoGradGuard no_grad;
  const testing::TemporaryFolder folder;
  const Family& family = GetParam();
  Supernet supernet(family.make(), {.seed = 1});
  Rng rng(17);
  supernet.load_state(testing::random_state(supernet, rng), "test");
  const space::Space& space = supernet.space();
  double worst = 0;
  for (int i = 0; i < family.archs; ++i) {
    const space::Arch arch = i == 0   ? space.smallest()
                             : i == 1 ? space.largest()
                                      : space.sample(rng);
    SCOPED_TRACE(space.to_json(arch).dump());
    const Executor active(space.graph(arch));
    const Binding binding = supernet.bind(active.graph());
    const FloatTensor input = testing::random_input(active.graph().input_shape(), 1, rng);
    const at::Tensor x = to_torch(input);
    const FloatTensor expected = from_torch(active.forward(binding, x));
    const auto compare = [&](double difference, const char* form) {
      EXPECT_LE(difference, kTolerance) << form;
      worst = std::max(worst, difference);
    };

    const graph::Net net = to_net(active.graph(), binding);
    compare(error(active.forward(bind(net), x), expected), "static net");
    compare(error(active.forward(bind(net), x, {.kernels = Kernels::kLibrary}), expected),
            "static net with the library's kernels");
    const graph::Net folded = graph::fold_batch_norm(net);
    compare(error(Executor(folded.graph).forward(bind(folded), x), expected), "folded net");
    // Every other net is exported folded, as a hand-over has it.
    const graph::Net& exported = i % 2 == 0 ? folded : net;
    if (i < family.torchscript) {
      deploy::export_torchscript(exported, folder / "net.pt");
      compare(
          deploy::max_relative_error(deploy::run_torchscript(folder / "net.pt", input), expected),
          "TorchScript");
    }
    if (i < family.onnx) {
      deploy::export_onnx(exported, folder / "net.onnx");
      compare(
          deploy::max_relative_error(testing::interpret_onnx(folder / "net.onnx", input), expected),
          "ONNX");
    }
  }
  ::testing::Test::RecordProperty("worst_relative_error", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(
    Families, SubnetEquivalence,
    ::testing::Values(
        Family{"mbv3_28", [] { return builtin("mbv3_28", 28); }},
        Family{"ofa_mbv3", [] { return builtin("ofa_mbv3_w1.0", 32); }},
        Family{"ofa_proxyless", [] { return builtin("ofa_proxyless_w1.3", 32); }, 20, 10, 4},
        Family{"deps_mbv3", [] { return builtin("deps_mbv3", 32); }, 20, 10, 4},
        Family{"compofa_mbv3", [] { return builtin("compofa_mbv3", 40); }, 20, 10, 4},
        Family{"compofa_elastic_kernel", [] { return builtin("compofa_mbv3_elastic_kernel", 32); },
               20, 10, 4},
        Family{"quarter_resnet50d", quarter_resnet50d},
        Family{"small_widths", small_widths, 20, 10, 10},
        Family{"small_residual_widths", small_residual_widths, 20, 10, 10},
        Family{"ofa_resnet50d", [] { return builtin("ofa_resnet50d", 32); }, 50, 50, 2}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace lathe::nn
