// Recalibrated statistics against sums in double over what plain loops compute.
#include "lathe/nn/calibrate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/nn/supernet.h"
#include "naive_executor.h"
#include "nn/small_space.h"
#include "nn/supernet_state.h"

namespace lathe::nn {
namespace {

using lathe::testing::text_thrown;
namespace naive = lathe::testing::naive;

BatchSource source_of(const std::vector<FloatTensor>& batches) {
  return [&batches, next = std::size_t{0}]() mutable -> std::optional<at::Tensor> {
    if (next == batches.size()) return std::nullopt;
    return to_torch(batches[next++]);
  };
}

struct Statistics {
  std::vector<double> mean;
  std::vector<double> variance;
};

/// One batch through `net`, each batch norm normalising by the batch: its statistics by name.
std::map<std::string, Statistics> batch_statistics(const graph::Net& net,
                                                   const FloatTensor& batch) {
  const auto images = static_cast<std::size_t>(batch.shape[0]);
  const auto size = static_cast<std::size_t>(net.graph.input_shape().size());
  std::map<std::string, Statistics> all;
  std::vector<std::vector<naive::Map>> maps(images);  // per image, the output of each node
  for (std::size_t n = 0; n < images; ++n) {
    maps[n].emplace_back(net.graph.input_shape());
    for (std::size_t i = 0; i < size; ++i) {
      maps[n][0].values[i] = double{batch.values[n * size + i]};
    }
  }
  for (int i = 1; i < net.graph.size(); ++i) {
    const graph::Node& node = net.graph[i];
    const auto input = static_cast<std::size_t>(node.inputs[0]);
    if (node.op == graph::Op::kBatchNorm) {
      Statistics& s = all[node.name];
      const auto pixels = static_cast<std::size_t>(node.shape.height * node.shape.width);
      const double count = static_cast<double>(images * pixels);
      for (std::size_t c = 0; c < static_cast<std::size_t>(node.shape.channels); ++c) {
        double mean = 0, variance = 0;
        for (const auto& image : maps) {
          for (std::size_t p = 0; p < pixels; ++p) {
            mean += image[input].values[c * pixels + p] / count;
          }
        }
        for (const auto& image : maps) {
          for (std::size_t p = 0; p < pixels; ++p) {
            variance += std::pow(image[input].values[c * pixels + p] - mean, 2) / count;
          }
        }
        s.mean.push_back(mean);
        s.variance.push_back(variance);
      }
    }
    for (auto& image : maps) {
      if (node.op != graph::Op::kBatchNorm) {
        std::vector<const naive::Map*> inputs;
        for (const int from : node.inputs) inputs.push_back(&image[static_cast<std::size_t>(from)]);
        naive::Map out = naive::execute(net, node, inputs);
        image.push_back(std::move(out));
        continue;
      }
      const Statistics& s = all.at(node.name);
      const auto& scale = net.weights.at(node.name + ".weight").values;
      const auto& shift = net.weights.at(node.name + ".bias").values;
      naive::Map out = naive::filled(node.shape, [&](int c, int y, int x) {
        const auto at = static_cast<std::size_t>(c);
        return (image[input].at(c, y, x) - s.mean[at]) / std::sqrt(s.variance[at] + node.eps) *
                   double{scale[at]} +
               double{shift[at]};
      });
      image.push_back(std::move(out));
    }
  }
  return all;
}

TEST(CalibrateBatchNorm, AveragesTheBatchesStatistics) {
  Rng rng(1);
  const auto space = lathe::testing::small_space();
  Supernet supernet(space, {.seed = 1});
  supernet.load_state(lathe::testing::random_state(supernet, rng), "test");
  for (const space::Arch& arch : {space->smallest(), space->sample(rng), space->largest()}) {
    const graph::Graph graph = space->graph(arch);
    std::vector<FloatTensor> batches;
    for (const int images : {5, 3, 4}) {  // weighted by size
      batches.push_back(lathe::testing::random_input(graph.input_shape(), images, rng));
    }
    const Executor executor(graph);
    Binding binding = supernet.bind(graph);
    const graph::Net net = to_net(graph, binding);
    calibrate_batch_norm(executor, binding, source_of(batches));

    std::map<std::string, Statistics> expected;
    for (const FloatTensor& batch : batches) {
      for (const auto& [name, s] : batch_statistics(net, batch)) {
        Statistics& sum = expected[name];
        sum.mean.resize(s.mean.size());
        sum.variance.resize(s.mean.size());
        const double share = static_cast<double>(batch.shape[0]) / 12;
        for (std::size_t c = 0; c < s.mean.size(); ++c) {
          sum.mean[c] += share * s.mean[c];
          sum.variance[c] += share * s.variance[c];
        }
      }
    }
    for (int i = 0; i < graph.size(); ++i) {
      if (graph[i].op != graph::Op::kBatchNorm) continue;
      const NodeTensors& t = binding[static_cast<std::size_t>(i)];
      const Statistics& s = expected.at(graph[i].name);
      for (std::size_t c = 0; c < s.mean.size(); ++c) {
        const auto channel = static_cast<std::int64_t>(c);
        EXPECT_NEAR(t.running_mean[channel].item<double>(), s.mean[c],
                    1e-4 * (1 + std::sqrt(s.variance[c])))
            << graph[i].name;
        EXPECT_NEAR(t.running_var[channel].item<double>(), s.variance[c],
                    1e-4 * (1 + s.variance[c]))
            << graph[i].name;
      }
    }
  }
}

TEST(CalibrateBatchNorm, LeavesSharedTensorsAlone) {
  Rng rng(2);
  const auto space = lathe::testing::small_space();
  Supernet supernet(space, {.seed = 1});
  supernet.load_state(lathe::testing::random_state(supernet, rng), "test");
  const TensorMap before = supernet.state();
  const graph::Graph graph = space->graph(space->largest());
  Binding binding = supernet.bind(graph);
  const Binding bound = binding;
  const std::vector<FloatTensor> batches{lathe::testing::random_input(graph.input_shape(), 4, rng)};
  calibrate_batch_norm(Executor(graph), binding, source_of(batches));
  EXPECT_EQ(supernet.state(), before);
  for (std::size_t i = 0; i < binding.size(); ++i) {
    EXPECT_TRUE(binding[i].weight.is_same(bound[i].weight));
    EXPECT_TRUE(binding[i].bias.is_same(bound[i].bias));
    if (bound[i].running_mean.defined()) {
      EXPECT_NE(binding[i].running_mean.data_ptr(), bound[i].running_mean.data_ptr());
      EXPECT_NE(binding[i].running_var.data_ptr(), bound[i].running_var.data_ptr());
      EXPECT_FALSE(binding[i].running_var.equal(bound[i].running_var));
    }
  }
}

TEST(CalibrateBatchNorm, OneBatchGivesTheOutputOfThatBatch) {
  Rng rng(3);
  const auto space = lathe::testing::small_space();
  const Supernet supernet(space, {.seed = 1});
  const Executor executor(space->graph(space->largest()));
  const std::vector<FloatTensor> batches{
      lathe::testing::random_input(executor.graph().input_shape(), 8, rng)};
  Binding binding = supernet.bind(executor.graph());
  calibrate_batch_norm(executor, binding, source_of(batches));
  const at::Tensor x = to_torch(batches[0]);
  const at::Tensor calibrated = executor.forward(binding, x).detach();
  const at::Tensor training =
      executor.forward(binding, x, {.training = true, .dropout = false}).detach();
  EXPECT_LT((calibrated - training).abs().max().item<double>(),
            1e-4 * training.abs().max().item<double>());
}

TEST(CalibrateBatchNorm, NeedsABatch) {
  const auto space = lathe::testing::small_space();
  const Supernet supernet(space, {.seed = 1});
  const Executor executor(space->graph(space->smallest()));
  Binding binding = supernet.bind(executor.graph());
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { calibrate_batch_norm(executor, binding, source_of({})); }),
            "[nn::calibrate_batch_norm] needs at least one batch");
}

}  // namespace
}  // namespace lathe::nn
