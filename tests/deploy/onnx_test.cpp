#include "lathe/deploy/onnx.h"

#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <fstream>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "deploy/nets.h"
#include "deploy/onnx_interpreter.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/deploy/torchscript.h"
#include "naive_executor.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

using testing::TemporaryFolder;
using testing::text_thrown;

graph::Net small_net(const std::string& name) {
  for (const testing::NamedGraph& named : testing::small_graphs()) {
    if (named.name == name) {
      Rng rng(7);
      return testing::random_net(named.graph, rng);
    }
  }
  throw std::logic_error("no small graph named " + name);
}

onnx::ModelProto read_model(const std::filesystem::path& path) {
  onnx::ModelProto model;
  if (!model.ParseFromString(read_file(path))) {
    throw std::runtime_error("not an ONNX file");
  }
  return model;
}

std::set<std::string> operators(const onnx::ModelProto& model) {
  std::set<std::string> names;
  for (const onnx::NodeProto& node : model.graph().node()) {
    names.insert(node.op_type());
  }
  return names;
}

const onnx::NodeProto& node_of(const onnx::ModelProto& model, const std::string& op) {
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (node.op_type() == op) {
      return node;
    }
  }
  throw std::runtime_error("no node " + op);
}

std::vector<std::int64_t> ints(const onnx::NodeProto& node, const std::string& name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) {
      return {attribute.ints().begin(), attribute.ints().end()};
    }
  }
  return {};
}

class SmallGraph : public ::testing::TestWithParam<testing::NamedGraph> {};

TEST_P(SmallGraph, OnnxComputesWhatTheGraphSays) {
  const TemporaryFolder folder;
  Rng rng(1);
  const graph::Net net = testing::random_net(GetParam().graph, rng);
  for (bool dynamic_batch : {true, false}) {
    const int batch = dynamic_batch ? 3 : 1;
    const FloatTensor input = testing::random_input(net.graph.input_shape(), batch, rng);
    const FloatTensor expected = testing::execute_naively(net, input);
    export_onnx(net, folder / "net.onnx", {.dynamic_batch = dynamic_batch});
    const FloatTensor output = testing::interpret_onnx(folder / "net.onnx", input);
    EXPECT_EQ(output.shape, expected.shape);
    EXPECT_LE(max_relative_error(output, expected), 1e-5);
  }
}

TEST_P(SmallGraph, EveryOpsetIsAccepted) {
  const TemporaryFolder folder;
  Rng rng(2);
  const graph::Net net = testing::random_net(GetParam().graph, rng);
  const FloatTensor input = testing::random_input(net.graph.input_shape(), 1, rng);
  const FloatTensor expected = testing::execute_naively(net, input);
  for (int opset = 11; opset <= 17; ++opset) {
    export_onnx(net, folder / "net.onnx", {.opset = opset});
    const onnx::ModelProto model = read_model(folder / "net.onnx");
    EXPECT_NO_THROW(onnx::checker::check_model(model));
    EXPECT_EQ(model.opset_import(0).version(), opset);
    EXPECT_LE(max_relative_error(testing::interpret_onnx(folder / "net.onnx", input), expected),
              1e-5)
        << opset;
  }
}

INSTANTIATE_TEST_SUITE_P(Deploy, SmallGraph, ::testing::ValuesIn(testing::small_graphs()),
                         [](const auto& param) { return param.param.name; });

TEST(Onnx, FoldedNetIsTheSameFunctionWithoutBatchNorm) {
  const TemporaryFolder folder;
  const graph::Net net = small_net("mixed");
  Rng rng(3);
  const FloatTensor input = testing::random_input(net.graph.input_shape(), 1, rng);
  export_onnx(graph::fold_batch_norm(net), folder / "net.onnx");
  EXPECT_FALSE(operators(read_model(folder / "net.onnx")).contains("BatchNormalization"));
  const FloatTensor output = testing::interpret_onnx(folder / "net.onnx", input);
  EXPECT_LE(max_relative_error(output, testing::execute_naively(net, input)), 1e-5);
}

TEST(Onnx, BatchIsSymbolicOrOne) {
  const TemporaryFolder folder;
  const graph::Net net = small_net("mixed");
  for (bool dynamic_batch : {true, false}) {
    export_onnx(net, folder / "net.onnx", {.dynamic_batch = dynamic_batch});
    const onnx::ModelProto model = read_model(folder / "net.onnx");
    for (const auto* value : {&model.graph().input(0), &model.graph().output(0)}) {
      const onnx::TensorShapeProto& shape = value->type().tensor_type().shape();
      EXPECT_EQ(shape.dim(0).dim_param(), dynamic_batch ? "N" : "");
      EXPECT_EQ(shape.dim(0).dim_value(), dynamic_batch ? 0 : 1);
    }
  }
}

TEST(Onnx, NamesAndMetadata) {
  const TemporaryFolder folder;
  const graph::Net net = small_net("mixed");
  export_onnx(net, folder / "net.onnx",
              {.producer = "a test",
               .doc = "for 2 ms",
               .metadata = {{"input_range", "[0, 1]"}, {"unit", "1"}}});
  const onnx::ModelProto model = read_model(folder / "net.onnx");
  EXPECT_EQ(model.producer_name(), "a test");
  EXPECT_EQ(model.doc_string(), "for 2 ms");
  ASSERT_EQ(model.metadata_props_size(), 2);
  EXPECT_EQ(model.metadata_props(0).key(), "input_range");
  EXPECT_EQ(model.metadata_props(0).value(), "[0, 1]");
  ASSERT_EQ(model.graph().input_size(), 1);
  ASSERT_EQ(model.graph().output_size(), 1);
  EXPECT_EQ(model.graph().input(0).name(), "input");
  EXPECT_EQ(model.graph().output(0).name(), "logits");
  const auto& in = model.graph().input(0).type().tensor_type().shape();
  ASSERT_EQ(in.dim_size(), 4);
  EXPECT_EQ(in.dim(1).dim_value(), 3);
  EXPECT_EQ(in.dim(2).dim_value(), 15);
  EXPECT_EQ(in.dim(3).dim_value(), 15);
  const auto& out = model.graph().output(0).type().tensor_type().shape();
  ASSERT_EQ(out.dim_size(), 2);
  EXPECT_EQ(out.dim(1).dim_value(), 10);
  std::set<std::string> initializers;
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    initializers.insert(tensor.name());
  }
  for (const auto& [name, tensor] : net.weights) {
    EXPECT_TRUE(initializers.contains(name)) << name;
  }
  EXPECT_FALSE(operators(model).contains("Dropout"));
}

TEST(Onnx, HardSwishIsOneOperatorFromOpset14) {
  const TemporaryFolder folder;
  const graph::Net net = small_net("hswish");
  export_onnx(net, folder / "net.onnx", {.opset = 14});
  EXPECT_EQ(operators(read_model(folder / "net.onnx")),
            (std::set<std::string>{"Conv", "HardSwish"}));
  export_onnx(net, folder / "net.onnx", {.opset = 13});
  EXPECT_EQ(operators(read_model(folder / "net.onnx")),
            (std::set<std::string>{"Conv", "HardSigmoid", "Mul"}));
}

TEST(Onnx, CeilModeBecomesPaddingAtTheEnd) {
  const TemporaryFolder folder;
  export_onnx(small_net("avg_pool_2_2_0_ceil"), folder / "net.onnx");  // 7x8 to 4x4
  const onnx::ModelProto model = read_model(folder / "net.onnx");
  EXPECT_EQ(ints(node_of(model, "AveragePool"), "pads"), (std::vector<std::int64_t>{0, 0, 1, 0}));
}

TEST(Onnx, SameNetSameBytes) {
  const TemporaryFolder folder;
  const graph::Net net = small_net("mixed");
  export_onnx(net, folder / "a.onnx");
  export_onnx(net, folder / "b.onnx");
  EXPECT_EQ(read_file(folder / "a.onnx"), read_file(folder / "b.onnx"));
}

TEST(Onnx, UnsupportedOpset) {
  const TemporaryFolder folder;
  const graph::Net net = small_net("conv_map");
  for (int opset : {-1, 10, 18}) {
    EXPECT_EQ(text_thrown<std::invalid_argument>(
                  [&] { export_onnx(net, folder / "net.onnx", {.opset = opset}); }),
              "[deploy::export_onnx] opset must be in [11, 17], got " + std::to_string(opset));
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "net.onnx"));
}

TEST(Onnx, MissingOrMisshapenWeight) {
  const TemporaryFolder folder;
  graph::Net net = small_net("mixed");
  net.weights.at("classifier.bias").values.pop_back();
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { export_onnx(net, folder / "net.onnx"); }),
            "[graph::check_weights] parameter classifier.bias must have 10 values, got 9");
  net.weights.at("classifier.bias").shape = {9};
  EXPECT_NE(text_thrown<std::invalid_argument>([&] {
              export_onnx(net, folder / "net.onnx");
            }).find("classifier.bias"),
            std::string::npos);
  net.weights.erase("classifier.bias");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { export_onnx(net, folder / "net.onnx"); }),
            "[graph::check_weights] missing parameter classifier.bias");
  EXPECT_FALSE(std::filesystem::exists(folder / "net.onnx"));
}

TEST(Onnx, WrongShapeInTheGraphIsFoundBeforeWriting) {
  const TemporaryFolder folder;
  graph::Graph g({3, 8, 8});
  g.append({.op = graph::Op::kGlobalAvgPool, .inputs = {0}, .shape = {4, 1, 1}});
  const std::string path = (folder / "net.onnx").string();
  EXPECT_EQ(text_thrown<Error>([&] {
              export_onnx({g, {}}, path);
            }),
            path +
                ": value global_avg_pool_1 must have shape 4x1x1 as in the graph, ONNX infers "
                "3x1x1");
  graph::Graph cat({3, 8, 8});
  cat.append(
      {.op = graph::Op::kAdd, .inputs = {0, cat.avg_pool(0, 2, 2, 0, false)}, .shape = {3, 8, 8}});
  const std::string text = text_thrown<Error>([&] { export_onnx({cat, {}}, path); });
  EXPECT_EQ(text.find(path + ": ONNX shape inference rejects the model: "), 0U) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Onnx, SecondInputIsRejected) {
  const TemporaryFolder folder;
  graph::Graph g({3, 8, 8});
  g.append({.op = graph::Op::kInput, .shape = {3, 8, 8}});
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              export_onnx({g, {}}, folder / "net.onnx");
            }),
            "[deploy::export_onnx] node 1 is a second input; a net has one");
}

TEST(Onnx, UnwritablePathKeepsWhatIsThere) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "kept";
  const std::filesystem::path path = folder / "file" / "net.onnx";
  const std::string text = text_thrown<Error>([&] { export_onnx(small_net("conv_map"), path); });
  EXPECT_NE(text.find((folder / "file").string()), std::string::npos) << text;
  EXPECT_EQ(read_file(folder / "file"), "kept");
}

}  // namespace
}  // namespace lathe::deploy
