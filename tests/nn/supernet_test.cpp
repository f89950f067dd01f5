// What a subnet reads of the shared tensors, by loops over plain arrays; and what flows back.
#include "lathe/nn/supernet.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/nn/executor.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/families/bottleneck_family.h"
#include "nn/small_space.h"
#include "nn/supernet_state.h"

namespace lathe::nn {
namespace {

using lathe::testing::is_transform;
using lathe::testing::random_state;
using lathe::testing::small_space;
using lathe::testing::subnet_weights;
using lathe::testing::text_thrown;
using SpacePointer = std::shared_ptr<const space::Space>;

SpacePointer small_bottleneck_space() {
  return space::make_bottleneck_space(
      {.name = "small_bottleneck",
       .task = {.in_channels = 3, .num_classes = 4, .input_size = 16},
       .stem_channels = 16,
       .stages = {{32, 1, 1}, {64, 2, 2}},
       .extra_depths = {0, 1},
       .expansions = {0.25, 0.5},
       .widths = {0.5, 1.0}});
}

/// The two extreme archs, then random ones.
std::vector<space::Arch> archs_of(const space::Space& space, int count, Rng& rng) {
  std::vector<space::Arch> archs{space.smallest(), space.largest()};
  while (static_cast<int>(archs.size()) < count) {
    archs.push_back(space.sample(rng));
  }
  return archs;
}

Supernet random_supernet(const SpacePointer& space, Rng& rng) {
  Supernet supernet(space, {.seed = 1});
  supernet.load_state(random_state(supernet, rng), "test");
  return supernet;
}

TEST(Supernet, BindSlicesAsByHand) {
  Rng rng(1);
  for (const SpacePointer& space : {small_space(), small_bottleneck_space()}) {
    const Supernet supernet = random_supernet(space, rng);
    const TensorMap state = supernet.state();
    for (const space::Arch& arch : archs_of(*space, 20, rng)) {
      const graph::Graph graph = space->graph(arch);
      const TensorMap got = to_net(graph, supernet.bind(graph)).weights;
      const TensorMap expected = subnet_weights(state, graph, space->elastic_kernels());
      ASSERT_EQ(got.size(), expected.size());
      for (const auto& [name, tensor] : expected) {
        const FloatTensor& other = got.at(name);
        ASSERT_EQ(other.shape, tensor.shape) << name;
        if (tensor.shape.size() == 4 && tensor.shape[2] > 1) {  // perhaps through a matrix
          for (std::size_t i = 0; i < tensor.values.size(); ++i) {
            ASSERT_NEAR(other.values[i], tensor.values[i], 1e-5) << name;
          }
        } else {
          ASSERT_EQ(other.values, tensor.values) << name;
        }
      }
    }
  }
}

TEST(Supernet, KernelsAreCentreCropsAtFirst) {
  const SpacePointer space = small_space();
  const Supernet supernet(space, {.seed = 3});
  const graph::Graph smallest = space->graph(space->smallest());
  const TensorMap full = supernet.state();
  int shrunk = 0;
  for (const auto& [name, tensor] : to_net(smallest, supernet.bind(smallest)).weights) {
    const FloatTensor& large = full.at(name);
    if (tensor.shape.size() != 4 || tensor.shape[2] == large.shape[2]) {
      continue;
    }
    ++shrunk;
    const std::int64_t from = large.shape[2], to = tensor.shape[2], margin = (from - to) / 2;
    for (std::int64_t i = 0; i < tensor.shape[0] * to * to; ++i) {
      const std::int64_t c = i / (to * to), row = i / to % to, column = i % to;
      EXPECT_EQ(tensor.values[static_cast<std::size_t>(i)],
                large.values[static_cast<std::size_t>((c * from + margin + row) * from + margin +
                                                      column)]);
    }
  }
  EXPECT_EQ(shrunk, 2);  // 7 to 3 and 5 to 3: one block a stage
}

/// How many elements of each gradient are not zero.
std::map<std::string, std::int64_t> touched(const Supernet& supernet) {
  std::map<std::string, std::int64_t> counts;
  const Parameters& p = supernet.parameters();
  for (const std::string& name : p.names()) {
    counts[name] = p.part(p.grads(), name).ne(0).sum().item<std::int64_t>();
  }
  return counts;
}

TEST(Supernet, GradientFlowsIntoTheSubnetsRegionOnly) {
  Rng rng(4);
  for (const SpacePointer& space : {small_space(), small_bottleneck_space()}) {
    const Supernet supernet = random_supernet(space, rng);
    const Parameters& p = supernet.parameters();
    for (const space::Arch& arch : archs_of(*space, 8, rng)) {
      p.grads().zero_();
      const graph::Graph graph = space->graph(arch);
      const Binding binding = supernet.bind(graph);
      at::Tensor sum = at::zeros({});
      for (const NodeTensors& t : binding) {  // every element read counts once
        if (t.weight.defined()) sum = sum + t.weight.sum();
        if (t.bias.defined()) sum = sum + t.bias.sum();
      }
      sum.backward();
      for (const graph::ParameterSpec& spec : graph::parameters_of(graph)) {
        const FloatTensor grad =
            p.contains(spec.name) ? from_torch(p.part(p.grads(), spec.name)) : FloatTensor{};
        if (grad.values.empty() || (spec.shape.size() == 4 && grad.shape[2] != spec.shape[2])) {
          continue;  // a statistic, or shrunk: below
        }
        FloatTensor inside = testing::first_of_each(grad, spec.shape);
        EXPECT_EQ(inside.values, std::vector<float>(inside.values.size(), 1.0F)) << spec.name;
        EXPECT_EQ(touched(supernet).at(spec.name), static_cast<std::int64_t>(inside.values.size()))
            << spec.name;
      }
      std::map<std::string, std::int64_t> counts = touched(supernet);
      for (const graph::ParameterSpec& spec : graph::parameters_of(graph)) {
        counts.erase(spec.name);
        if (spec.shape.size() == 4 && p.contains(spec.name) &&
            p.leaf(spec.name).size(2) > spec.shape[2]) {
          const at::Tensor grad = p.part(p.grads(), spec.name);
          // Through a matrix for each step; the first reads the centre that is one size smaller.
          const std::int64_t to = spec.shape[2], read = grad.size(2) - 2;
          const at::Tensor outside = grad.clone();
          outside.narrow(0, 0, spec.shape[0]).narrow(2, 1, read).narrow(3, 1, read).zero_();
          EXPECT_TRUE(outside.equal(at::zeros_like(outside))) << spec.name;
          for (int from = static_cast<int>(grad.size(2)); from > to; from -= 2) {
            const std::string matrix = kernel_transform_name(spec.name, from, from - 2);
            EXPECT_GT(counts.at(matrix), 0) << matrix;
            counts.erase(matrix);
          }
        }
      }
      for (const auto& [name, count] : counts) {  // what the subnet doesn't have
        EXPECT_EQ(count, 0) << name;
      }
    }
  }
}

TEST(Supernet, RunningStatisticsAreUpdatedThroughTheViews) {
  Rng rng(5);
  const SpacePointer space = small_space();
  const Supernet supernet = random_supernet(space, rng);
  const TensorMap before = supernet.state();
  const graph::Graph graph = space->graph(space->smallest());
  Binding binding = supernet.bind(graph);
  const Binding own = bind(to_net(graph, binding));  // the static net, trained likewise
  const at::Tensor x = to_torch(testing::random_input(graph.input_shape(), 4, rng));
  const Executor executor(graph);
  executor.forward(binding, x, {.training = true, .dropout = false});
  executor.forward(own, x, {.training = true, .dropout = false});

  const TensorMap after = supernet.state();
  TensorMap expected = before;
  int changed = 0;
  for (const auto& [name, tensor] : to_net(graph, own).weights) {
    if (name.find(".running_") == std::string::npos) {
      continue;
    }
    std::copy(tensor.values.begin(), tensor.values.end(), expected.at(name).values.begin());
    EXPECT_NE(after.at(name).values.front(), before.at(name).values.front()) << name;
    ++changed;
  }
  EXPECT_GT(changed, 10);
  EXPECT_EQ(after, expected);  // the rest of each, and every other tensor, is as before
}

TEST(Supernet, ReplicasHaveGradientsAndStatisticsOfTheirOwn) {
  Rng rng(10);
  const SpacePointer space = small_space();
  const Supernet supernet(space, {.seed = 1, .replicas = 2});
  EXPECT_EQ(supernet.state(), Supernet(space, {.seed = 1}).state());
  const TensorMap before = supernet.state();
  const Executor net(space->graph(space->smallest()));
  const at::Tensor x = to_torch(testing::random_input(net.graph().input_shape(), 4, rng));
  const Binding second = supernet.bind(net.graph(), 1);
  net.forward(second, x, {.training = true, .dropout = false}).sum().backward();
  EXPECT_EQ(supernet.state(), before) << "only the first replica's statistics are kept";
  EXPECT_EQ(supernet.parameters().grads(0).abs().max().item<float>(), 0);
  EXPECT_GT(supernet.parameters().grads(1).abs().max().item<float>(), 0);
  const Binding first = supernet.bind(net.graph());
  EXPECT_EQ(first[1].weight.data_ptr(), second[1].weight.data_ptr());
  EXPECT_FALSE(first[2].running_mean.equal(second[2].running_mean));
}

TEST(Supernet, RefusesSpacesWhoseWeightsDoNotNest) {
  EXPECT_EQ(testing::text_thrown<std::invalid_argument>(
                [] { Supernet(space::make_space("darts_c4_l3")); }),
            "[nn::Supernet] the nets of space darts_c4_l3 don't share weights by slicing");
}

TEST(Supernet, StartsAsDocumented) {
  const SpacePointer space = space::make_space("mbv3_28");
  const Supernet supernet(space, {.seed = 6});
  const TensorMap state = supernet.state();
  const graph::Graph graph = space->graph(space->largest());
  for (int i = 0; i < graph.size(); ++i) {
    const graph::Node& node = graph[i];
    for (const graph::ParameterSpec& spec : graph::parameters_of(graph, i)) {
      const std::vector<float>& values = state.at(spec.name).values;
      const auto size = static_cast<double>(values.size());
      double mean = 0, square = 0, largest = 0;
      for (const float value : values) {
        mean += value / size;
        square += double{value} * value / size;
        largest = std::max(largest, std::abs(double{value}));
      }
      using Role = graph::ParameterSpec::Role;
      if (spec.role == Role::kBias || spec.role == Role::kRunningMean) {
        EXPECT_EQ(largest, 0) << spec.name;
      } else if (spec.op == graph::Op::kBatchNorm) {
        EXPECT_EQ(values, std::vector<float>(values.size(), 1.0F)) << spec.name;
      } else if (spec.op == graph::Op::kLinear) {
        const double bound = 1 / std::sqrt(static_cast<double>(spec.shape[1]));
        EXPECT_LE(largest, bound);
        EXPECT_NEAR(square, bound * bound / 3, 0.1 * bound * bound);
      } else {
        const int fan_out = node.shape.channels / node.groups * node.kernel * node.kernel;
        const double variance = 2.0 / fan_out;
        EXPECT_NEAR(mean, 0, 5 * std::sqrt(variance / size)) << spec.name;
        EXPECT_NEAR(square / variance, 1, 6 * std::sqrt(2 / size)) << spec.name;
      }
    }
  }
  EXPECT_EQ(Supernet(space, {.seed = 6}).state(), state);
  EXPECT_NE(Supernet(space, {.seed = 7}).state(), state);
}

TEST(Supernet, OnlyWeightsOfConvolutionsAndLinearLayersDecay) {
  const SpacePointer space = small_space();
  const Supernet supernet(space, {.seed = 1});
  const Parameters& p = supernet.parameters();
  const at::Tensor marks = at::zeros_like(p.values());
  marks.narrow(0, 0, p.num_decayed()).fill_(1);
  for (const std::string& name : p.names()) {
    const bool decays = name.ends_with(".weight") && name.find(".bn.") == std::string::npos;
    const at::Tensor part = p.part(marks, name);
    EXPECT_TRUE(part.equal(at::full_like(part, decays ? 1 : 0))) << name;
  }
  int transforms = 0;
  for (const std::string& name : p.names()) {
    transforms += is_transform(name) ? 1 : 0;
  }
  EXPECT_EQ(transforms, 2 * 2 + 3 * 1);  // 7 -> 5 -> 3 in two blocks, 5 -> 3 in three
  EXPECT_EQ(kernel_transform_name("a.depthwise.conv.weight", 7, 5),
            "a.depthwise.conv.transform_7_to_5");
  EXPECT_EQ(p.leaf("stages.0.blocks.1.depthwise.conv.transform_7_to_5").sizes(),
            at::IntArrayRef({25, 25}));
}

TEST(Supernet, StateRoundTrips) {
  Rng rng(8);
  const SpacePointer space = small_space();
  const Supernet first = random_supernet(space, rng);
  const TensorMap state = first.state();
  Supernet second(space, {.seed = 2});
  second.parameters().grads().fill_(3);
  second.load_state(state, "test");
  EXPECT_EQ(second.state(), state);
  EXPECT_EQ(second.parameters().grads().min().item<float>(), 3);
  // Still views of the flat array.
  second.parameters().values().zero_();
  EXPECT_EQ(second.parameters().leaf("classifier.linear.weight").abs().max().item<float>(), 0);
}

TEST(Supernet, RefusesAnotherState) {
  Rng rng(9);
  const SpacePointer space = small_space();
  Supernet supernet(space, {.seed = 1});
  const TensorMap before = supernet.state();
  const TensorMap good = random_state(supernet, rng);
  const auto text = [&](const TensorMap& state) {
    const std::string what =
        text_thrown<Error>([&] { supernet.load_state(state, "a/b.safetensors"); });
    EXPECT_EQ(supernet.state(), before) << "something was changed";
    return what;
  };
  TensorMap bad = good;
  bad.erase("head.bn.running_var");
  EXPECT_EQ(text(bad),
            "a/b.safetensors: tensor head.bn.running_var is missing, are these weights "
            "of small?");
  bad = good;
  bad["stem.conv.weight"].shape = {8, 2, 9};
  EXPECT_EQ(text(bad),
            "a/b.safetensors: tensor stem.conv.weight is of another shape, are these "
            "weights of small?");
  bad = good;
  bad["zzz"] = {{1}, {1}};
  EXPECT_EQ(text(bad), "a/b.safetensors: unknown tensor zzz, are these weights of small?");
}

}  // namespace
}  // namespace lathe::nn
