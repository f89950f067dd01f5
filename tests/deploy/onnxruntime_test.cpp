// Nets of every family as they are handed over, in ONNX Runtime and in LibTorch: the table in
// docs/using_a_net.md.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "deploy/small_spaces.h"
#include "lathe/core/file.h"
#include "lathe/deploy/onnx.h"
#include "lathe/deploy/torchscript.h"
#include "lathe/graph/fold.h"
#include "lathe/graph/pixel_input.h"
#include "net_fixtures.h"

namespace lathe::deploy {
namespace {

struct Family {
  std::string name;
  std::vector<std::string> spaces;
};

std::vector<Family> families() {
  const std::string examples = LATHE_EXAMPLES;
  return {
      {"mobile", {"mbv3_28", "ofa_mbv3_w1.0", "ofa_proxyless_w1.3"}},
      {"bottleneck", {"ofa_resnet50d"}},
      {"chain", {"mobilenet_v1_widths", "resnet18_widths"}},
      {"cells", {"darts"}},
      {"user-defined", {examples + "/spaces/edge_28.json", examples + "/spaces/compofa_28.json"}}};
}

constexpr int kNetsOfASpace = 8;
constexpr int kImages = 4;

void write_floats(const std::filesystem::path& path, const FloatTensor& tensor) {
  const auto* bytes = reinterpret_cast<const char*>(tensor.values.data());
  write_file_atomic(path, std::string(bytes, tensor.values.size() * sizeof(float)));
}

/// Writes a random net that takes pixels, batch norm folded, with pixels and LibTorch's logits.
void write_net(const std::filesystem::path& path, const space::Space& space, int number) {
  Rng rng = Rng::derived(17, {static_cast<std::uint64_t>(number)});
  const graph::Graph graph = space.graph(testing::small_arch(space, number, rng));
  const auto channels = static_cast<std::size_t>(graph.input_shape().channels);
  const graph::Net net = graph::fold_batch_norm(
      graph::take_pixels(testing::random_net(graph, rng), std::vector<float>(channels, 0.45F),
                         std::vector<float>(channels, 0.25F)));
  FloatTensor pixels = testing::random_input(graph.input_shape(), kImages, rng);
  for (float& value : pixels.values) {
    value = testing::uniform(rng, 0, 1);
  }
  export_onnx(net, path.string() + ".onnx");
  export_torchscript(net, path.string() + ".pt");
  write_floats(path.string() + ".pixels", pixels);
  write_floats(path.string() + ".logits", run_torchscript(path.string() + ".pt", pixels));
}

TEST(OnnxRuntime, AgreesWithLibTorchOnEveryFamily) {
  const std::string package = LATHE_EXAMPLES "/runners/onnxruntime_node";
  if (std::system("node --version > /dev/null 2>&1") != 0 ||
      !std::filesystem::exists(package + "/node_modules/onnxruntime-node")) {
    GTEST_SKIP() << "needs node, and npm install --ignore-scripts --prefix " << package;
  }
  const testing::TemporaryFolder folder;
  nlohmann::json nets;
  for (const Family& family : families()) {
    for (const std::string& name : family.spaces) {
      const auto space = testing::small_space(name);
      for (int i = 0; i < kNetsOfASpace; ++i) {
        const std::string file = std::to_string(nets.size());
        write_net(folder / file, *space, i);
        nets.push_back({{"family", family.name}, {"file", file}});
      }
    }
  }
  write_json(folder / "nets.json", nets);
  const std::string command = "node '" LATHE_TESTS "/deploy/onnxruntime_logits.mjs' '" +
                              folder.path().string() + "' '" + package + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace lathe::deploy
