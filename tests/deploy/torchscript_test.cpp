#include "lathe/deploy/torchscript.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "deploy/nets.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "naive_executor.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

using testing::TemporaryFolder;
using testing::text_thrown;

graph::Net mixed_net() {
  for (const testing::NamedGraph& named : testing::small_graphs()) {
    if (named.name == "mixed") {
      Rng rng(7);
      return testing::random_net(named.graph, rng);
    }
  }
  throw std::logic_error("no small graph named mixed");
}

class SmallGraphInTorch : public ::testing::TestWithParam<testing::NamedGraph> {};

TEST_P(SmallGraphInTorch, ModuleComputesWhatTheGraphSays) {
  const TemporaryFolder folder;
  Rng rng(1);
  const graph::Net net = testing::random_net(GetParam().graph, rng);
  export_torchscript(net, folder / "net.pt");
  for (int batch : {1, 3}) {
    const FloatTensor input = testing::random_input(net.graph.input_shape(), batch, rng);
    const FloatTensor expected = testing::execute_naively(net, input);
    const FloatTensor output = run_torchscript(folder / "net.pt", input);
    EXPECT_EQ(output.shape, expected.shape);
    EXPECT_LE(max_relative_error(output, expected), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Deploy, SmallGraphInTorch, ::testing::ValuesIn(testing::small_graphs()),
                         [](const auto& param) { return param.param.name; });

TEST(TorchScript, StateIsNamedAsTheWeights) {
  const TemporaryFolder folder;
  const graph::Net net = mixed_net();
  export_torchscript(net, folder / "net.pt");
  const torch::jit::Module module = torch::jit::load((folder / "net.pt").string());
  EXPECT_FALSE(module.is_training());
  std::set<std::string> parameters;
  for (const auto& parameter : module.named_parameters()) {
    parameters.insert(parameter.name);
    EXPECT_FALSE(parameter.value.requires_grad());
  }
  std::set<std::string> buffers;
  for (const auto& buffer : module.named_buffers()) {
    buffers.insert(buffer.name);
  }
  std::set<std::string> expected_parameters;
  std::set<std::string> expected_buffers;
  for (const auto& [name, tensor] : net.weights) {
    (name.find(".running_") == std::string::npos ? expected_parameters : expected_buffers)
        .insert(name);
  }
  EXPECT_EQ(parameters, expected_parameters);
  EXPECT_EQ(buffers, expected_buffers);
}

TEST(TorchScript, CarriesExtraFiles) {
  const TemporaryFolder folder;
  export_torchscript(mixed_net(), folder / "net.pt", {{"input.json", "{}"}, {"note", "for 2 ms"}});
  torch::jit::ExtraFilesMap files{{"note", ""}, {"input.json", ""}};
  torch::jit::load((folder / "net.pt").string(), c10::nullopt, files);
  EXPECT_EQ(files["note"], "for 2 ms");
  EXPECT_EQ(files["input.json"], "{}");
}

TEST(TorchScript, ModuleFreezes) {
  const TemporaryFolder folder;
  export_torchscript(mixed_net(), folder / "net.pt");
  const torch::jit::Module module = torch::jit::load((folder / "net.pt").string());
  EXPECT_NO_THROW(torch::jit::freeze(module));
}

TEST(TorchScript, FoldedNetVerifiesAgainstTheUnfolded) {
  const TemporaryFolder folder;
  const graph::Net net = mixed_net();
  export_torchscript(graph::fold_batch_norm(net), folder / "net.pt");
  const double error =
      verify_torchscript(net.graph, folder / "net.pt", [&](const FloatTensor& input) {
        EXPECT_EQ(input.shape, (std::vector<std::int64_t>{2, 3, 15, 15}));
        return testing::execute_naively(net, input);
      });
  EXPECT_GT(error, 0.0);
  EXPECT_LE(error, 1e-5);
}

TEST(TorchScript, VerifyFindsAnotherNetsWeights) {
  const TemporaryFolder folder;
  graph::Net net = mixed_net();
  export_torchscript(net, folder / "net.pt");
  net.weights.at("blocks.0.depth.weight").values[3] += 1.0F;
  const auto reference = [&](const FloatTensor& input) {
    return testing::execute_naively(net, input);
  };
  const std::string path = (folder / "net.pt").string();
  const std::string text =
      text_thrown<Error>([&] { verify_torchscript(net.graph, path, reference); });
  EXPECT_EQ(text.find(path + ": the module's output differs from the reference by "), 0U) << text;
  EXPECT_GT(verify_torchscript(net.graph, path, reference, {.tolerance = 10.0}), 1e-4);
  const auto too_few = [](const FloatTensor&) { return FloatTensor{{1}, {0.0F}}; };
  EXPECT_EQ(text_thrown<Error>([&] { verify_torchscript(net.graph, path, too_few); }),
            path + ": the module gives 20 values, the reference 1");
  const auto nan = [](const FloatTensor&) {
    return FloatTensor{{20}, std::vector<float>(20, std::nanf(""))};
  };
  EXPECT_NE(text_thrown<Error>([&] { verify_torchscript(net.graph, path, nan); }).find("nan"),
            std::string::npos);
}

TEST(TorchScript, VerifyForgivesWhatSinglePrecisionLoses) {
  const TemporaryFolder folder;
  // x / 2 as the difference of x + 10,000 and x / 2 + 10,000, which have three digits behind the
  // point.
  graph::Graph g({1, 4, 4});
  g.conv(g.conv(0, "offset", {.out_channels = 2, .bias = true}), "difference", {.out_channels = 1});
  export_torchscript({g,
                      {{"offset.weight", {{2, 1, 1, 1}, {1.0F, 0.5F}}},
                       {"offset.bias", {{2}, {1e4F, 1e4F}}},
                       {"difference.weight", {{1, 2, 1, 1}, {1.0F, -1.0F}}}}},
                     folder / "net.pt");
  const auto times = [](float factor) {
    return [factor](FloatTensor input) {
      for (float& value : input.values) value *= factor;
      return input;
    };
  };
  EXPECT_GT(verify_torchscript(g, folder / "net.pt", times(0.5F)), 1e-4);
  EXPECT_THROW(verify_torchscript(g, folder / "net.pt", times(0.51F)), Error);
}

TEST(TorchScript, VerifyRejectsBadOptions) {
  const graph::Graph g({1, 1, 1});
  const auto identity = [](const FloatTensor& input) { return input; };
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { verify_torchscript(g, "net.pt", identity, {.batch = 0}); }),
            "[deploy::verify_torchscript] batch must be > 0, got 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { verify_torchscript(g, "net.pt", identity, {.tolerance = -1.0}); }),
            "[deploy::verify_torchscript] tolerance must be > 0, got -1.000000");
}

TEST(TorchScript, SameNetSameOutputTwice) {
  const TemporaryFolder folder;
  const graph::Net net = mixed_net();
  Rng rng(5);
  const FloatTensor input = testing::random_input(net.graph.input_shape(), 2, rng);
  export_torchscript(net, folder / "net.pt");
  EXPECT_EQ(run_torchscript(folder / "net.pt", input), run_torchscript(folder / "net.pt", input));
}

TEST(TorchScript, MissingOrMisshapenWeight) {
  const TemporaryFolder folder;
  graph::Net net = mixed_net();
  net.weights.at("classifier.bias").values.pop_back();
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { export_torchscript(net, folder / "net.pt"); }),
            "[graph::check_weights] parameter classifier.bias must have 10 values, got 9");
  net.weights.erase("classifier.bias");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { export_torchscript(net, folder / "net.pt"); }),
            "[graph::check_weights] missing parameter classifier.bias");
  EXPECT_FALSE(std::filesystem::exists(folder / "net.pt"));
}

TEST(TorchScript, NameThatIsAnothersPrefix) {
  const TemporaryFolder folder;
  graph::Graph g({3, 4, 4});
  g.conv(g.conv(0, "a", {.out_channels = 3}), "a.weight", {.out_channels = 3});
  Rng rng(1);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { export_torchscript(testing::random_net(g, rng), folder / "net.pt"); }),
            "[deploy::export_torchscript] parameter a.weight is another parameter's prefix");
}

TEST(TorchScript, SecondInputIsRejected) {
  const TemporaryFolder folder;
  graph::Graph g({3, 8, 8});
  g.append({.op = graph::Op::kInput, .shape = {3, 8, 8}});
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              export_torchscript({g, {}}, folder / "net.pt");
            }),
            "[deploy::export_torchscript] node 1 is a second input; a net has one");
}

TEST(TorchScript, BadFilesAndPaths) {
  const TemporaryFolder folder;
  const FloatTensor input{{1, 3, 15, 15}, std::vector<float>(675, 0.5F)};
  const std::string missing = (folder / "missing.pt").string();
  EXPECT_NE(text_thrown<Error>([&] { run_torchscript(missing, input); }).find(missing),
            std::string::npos);

  const std::string garbage = (folder / "garbage.pt").string();
  std::ofstream(garbage) << "not a module";
  const std::string text = text_thrown<Error>([&] { run_torchscript(garbage, input); });
  EXPECT_EQ(text.find(garbage + ": must be a TorchScript module, got: "), 0U) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);

  const std::string whole = (folder / "net.pt").string();
  export_torchscript(mixed_net(), whole);
  const std::string bytes = read_file(whole);
  std::ofstream(garbage, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  EXPECT_NE(text_thrown<Error>([&] { run_torchscript(garbage, input); }).find(garbage),
            std::string::npos);

  const FloatTensor narrow{{1, 2, 15, 15}, std::vector<float>(450, 0.5F)};
  EXPECT_EQ(text_thrown<Error>([&] {
              run_torchscript(whole, narrow);
            }).find(whole + ": the module fails to run: "),
            0U);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              run_torchscript(whole, {{1, 3, 15, 15}, {}});
            }),
            "[deploy::run_torchscript] input must have 675 values, got 0");

  const std::filesystem::path below_file = folder / "net.pt" / "below.pt";
  EXPECT_NE(text_thrown<Error>([&] { export_torchscript(mixed_net(), below_file); }).find(whole),
            std::string::npos);
  EXPECT_EQ(read_file(whole), bytes);
}

TEST(MaxRelativeError, ByHand) {
  const auto of = [](std::vector<float> a, std::vector<float> b) {
    return max_relative_error({{}, std::move(a)}, {{}, std::move(b)});
  };
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_DOUBLE_EQ(of({1.0F, -3.0F}, {1.5F, -4.0F}), 0.25);
  EXPECT_DOUBLE_EQ(of({0.0F}, {0.0F}), 0.0);
  EXPECT_DOUBLE_EQ(of({1.0F}, {0.0F}), std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(of({kInf}, {1.0F}), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(of({std::nanf("")}, {1.0F})));
  EXPECT_TRUE(std::isnan(of({1.0F, 2.0F}, {std::nanf(""), 2.0F})));
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              of({1.0F}, {1.0F, 2.0F});
            }),
            "[deploy::max_relative_error] output and reference must have the same number of "
            "values, at least one, got 1 and 2");
  EXPECT_THROW(of({}, {}), std::invalid_argument);
}

}  // namespace
}  // namespace lathe::deploy
