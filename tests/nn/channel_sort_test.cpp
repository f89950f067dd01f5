// Sorting moves channels and nothing else: the function stays, every value finds its new place.
#include "lathe/nn/channel_sort.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "lathe/deploy/torchscript.h"
#include "lathe/graph/channel_groups.h"
#include "lathe/nn/executor.h"
#include "lathe/space/builtin_spaces.h"
#include "nn/small_space.h"
#include "nn/supernet_state.h"

namespace lathe::nn {
namespace {

using lathe::testing::small_space;
using Order = std::vector<std::size_t>;

/// A 1x1 convolution's weight: the L1 norm of what each input channel contributes.
std::vector<double> importance(const FloatTensor& weight) {
  const auto inputs = static_cast<std::size_t>(weight.shape[1]);
  std::vector<double> sums(inputs, 0.0);
  for (std::size_t i = 0; i < weight.values.size(); ++i) {
    sums[i % inputs] += std::abs(double{weight.values[i]});
  }
  return sums;
}

Order descending(const std::vector<double>& values) {
  Order order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  return order;
}

/// out[..., i, ...] = in[..., order[i], ...] along `dim`.
FloatTensor permuted(const FloatTensor& in, std::size_t dim, const Order& order) {
  const auto product = [&](std::size_t begin, std::size_t end) {
    std::size_t size = 1;
    for (std::size_t d = begin; d < end; ++d) size *= static_cast<std::size_t>(in.shape[d]);
    return size;
  };
  const std::size_t outer = product(0, dim), inner = product(dim + 1, in.shape.size());
  FloatTensor out = in;
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t k = 0; k < order.size(); ++k) {
      for (std::size_t i = 0; i < inner; ++i) {
        out.values[(o * order.size() + k) * inner + i] =
            in.values[(o * order.size() + order[k]) * inner + i];
      }
    }
  }
  return out;
}

/// Whether a block's squeeze-and-excite has a narrower middle at its smallest expansion.
bool has_elastic_middle(const space::Space& space, const std::string& block) {
  space::Arch narrow = space.largest();
  for (std::size_t i = 0; i < narrow.choices.size(); ++i) {
    if (space.decisions()[i].group == "e") narrow.choices[i] = 0;
  }
  const auto width = [&](const space::Arch& arch) {
    for (const graph::ParameterSpec& spec : graph::parameters_of(space.graph(arch))) {
      if (spec.name == block + ".se.reduce.weight") return spec.shape[0];
    }
    return std::int64_t{0};
  };
  return width(narrow) < width(space.largest());
}

/// What sorting by the importances in `weights` must make of `state`, the tensors of that layout.
/// Momentum has no statistics.
TensorMap expected_state(const space::Space& space, const TensorMap& weights, TensorMap state) {
  const auto reorder = [&](const std::string& name, std::size_t dim, const Order& order) {
    if (state.contains(name)) state[name] = permuted(state[name], dim, order);
  };
  for (const space::Block& block : space.blocks(space.largest())) {
    const bool expands = weights.contains(block.name + ".expand.conv.weight");
    if (block.kind != space::BlockKind::kMbconv || !expands) continue;
    const Order order = descending(importance(weights.at(block.name + ".project.conv.weight")));
    for (const std::string layer : {".expand", ".depthwise"}) {
      reorder(block.name + layer + ".conv.weight", 0, order);
      for (const std::string part : {"weight", "bias", "running_mean", "running_var"}) {
        reorder(block.name + layer + ".bn." + part, 0, order);
      }
    }
    reorder(block.name + ".project.conv.weight", 1, order);
    if (block.squeeze_excite) {
      const std::string se = block.name + ".se";
      const Order middle = descending(importance(weights.at(se + ".expand.weight")));
      reorder(se + ".expand.weight", 0, order);
      reorder(se + ".expand.bias", 0, order);
      reorder(se + ".reduce.weight", 1, order);
      if (!has_elastic_middle(space, block.name)) continue;
      reorder(se + ".expand.weight", 1, middle);
      reorder(se + ".reduce.weight", 0, middle);
      reorder(se + ".reduce.bias", 0, middle);
    }
  }
  return state;
}

TensorMap by_name(const Parameters& parameters, const at::Tensor& flat) {
  TensorMap map;
  for (const std::string& name : parameters.names()) {
    map[name] = from_torch(parameters.part(flat, name));
  }
  return map;
}

TEST(SortChannels, MovesWeightsStatisticsAndMomentumAlike) {
  Rng rng(1);
  Supernet supernet(small_space(), {.seed = 1});
  const TensorMap before = lathe::testing::random_state(supernet, rng);
  supernet.load_state(before, "test");
  const Parameters& p = supernet.parameters();
  // Each value of the momentum is its own number, exact in float.
  const at::Tensor momentum = at::arange(p.size(), at::kFloat);
  const at::Tensor second = -momentum;
  const TensorMap marks = by_name(p, momentum);

  sort_channels(supernet, supernet.space(), {}, {momentum, second});

  const TensorMap expected = expected_state(supernet.space(), before, before);
  EXPECT_EQ(supernet.state(), expected);
  EXPECT_NE(expected, before);
  EXPECT_EQ(by_name(p, momentum), expected_state(supernet.space(), before, marks));
  EXPECT_TRUE(second.equal(-momentum));
  for (const std::string name : {"first.depthwise.conv.weight", "first.project.conv.weight",
                                 "stem.conv.weight", "head.conv.weight"}) {
    EXPECT_EQ(supernet.state().at(name), before.at(name)) << name;
  }
}

TEST(SortChannels, LeavesImportanceDescending) {
  Rng rng(2);
  Supernet supernet(small_space(), {.seed = 1});
  supernet.load_state(lathe::testing::random_state(supernet, rng), "test");
  sort_channels(supernet, supernet.space(), {}, {});
  const TensorMap state = supernet.state();
  int sorted = 0;
  for (const auto& [name, tensor] : state) {
    const bool projects = name.starts_with("stages.") && name.ends_with(".project.conv.weight");
    const std::string suffix = ".se.expand.weight";
    const bool elastic_middle =
        name.ends_with(suffix) &&
        has_elastic_middle(*small_space(), name.substr(0, name.size() - suffix.size()));
    if (projects || elastic_middle) {
      const std::vector<double> values = importance(tensor);
      for (std::size_t i = 1; i < values.size(); ++i) {
        EXPECT_LE(values[i], values[i - 1] * (1 + 1e-5)) << name << " " << i;
      }
      ++sorted;
    }
  }
  EXPECT_GT(sorted, 5);
  const TensorMap once = state;
  sort_channels(supernet, supernet.space(), {}, {});
  EXPECT_EQ(supernet.state(), once) << "sorting twice is sorting once";
}

TEST(SortChannels, KeepsTheLargestNetsFunctionAtEveryKernel) {
  const c10::NoGradGuard no_grad;
  Rng rng(3);
  for (const auto& space :
       {small_space(), std::shared_ptr<const space::Space>(space::make_space("mbv3_28"))}) {
    Supernet supernet(space, {.seed = 1});
    supernet.load_state(lathe::testing::random_state(supernet, rng), "test");
    const auto outputs = [&](const FloatTensor& input) {
      std::vector<FloatTensor> all;
      for (const std::uint8_t kernel : {0, 1}) {
        space::Arch arch = space->largest();  // full width, with another kernel in every block
        for (std::size_t i = 0; i < arch.choices.size(); ++i) {
          if (space->decisions()[i].group == "ks") arch.choices[i] = kernel;
        }
        const Executor net(space->graph(arch));
        all.push_back(from_torch(net.forward(supernet.bind(net.graph()), to_torch(input))));
      }
      return all;
    };
    const FloatTensor input =
        lathe::testing::random_input(space->graph(space->largest()).input_shape(), 4, rng);
    const std::vector<FloatTensor> before = outputs(input);
    const TensorMap state = supernet.state();
    sort_channels(supernet, supernet.space(), {}, {});
    EXPECT_NE(supernet.state(), state);
    const std::vector<FloatTensor> after = outputs(input);
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_LT(deploy::max_relative_error(after[i], before[i]), 1e-5);
    }
  }
}

TEST(SortChannels, KeepsEveryFamilysFunction) {
  const c10::NoGradGuard no_grad;
  Rng rng(4);
  for (const std::string name : {"ofa_resnet50d", "mobilenet_v1_widths", "resnet18_widths_x0.25"}) {
    SCOPED_TRACE(name);
    const std::shared_ptr<const space::Space> space =
        space::make_space(name, {.num_classes = 3, .input_size = 32});
    Supernet supernet(space, {.seed = 1});
    supernet.load_state(lathe::testing::random_state(supernet, rng), "test");
    const Executor net(space->graph(space->largest()));
    const at::Tensor input =
        to_torch(lathe::testing::random_input(net.graph().input_shape(), 2, rng));
    const FloatTensor before = from_torch(net.forward(supernet.bind(net.graph()), input));
    const at::Tensor values = supernet.parameters().values().clone();
    const at::Tensor momentum = values.clone();
    sort_channels(supernet, *space, {}, {momentum});
    EXPECT_FALSE(supernet.parameters().values().equal(values));
    EXPECT_TRUE(supernet.parameters().values().equal(momentum)) << "moved alike";
    const FloatTensor after = from_torch(net.forward(supernet.bind(net.graph()), input));
    EXPECT_LT(deploy::max_relative_error(after, before), 1e-4);
    for (const graph::ChannelGroup& group : graph::channel_groups(net.graph())) {
      if (!group.movable || group.readers.size() != 1) continue;
      const at::Tensor weight =
          supernet.parameters().part(supernet.parameters().values(), group.readers[0].name);
      if (weight.dim() != 4 || weight.size(2) != 1) continue;
      const std::vector<double> values_of = importance(from_torch(weight));
      for (std::size_t i = 1; i < values_of.size(); ++i) {
        EXPECT_LE(values_of[i], values_of[i - 1] * (1 + 1e-5)) << group.readers[0].name;
      }
    }
  }
}

TEST(SortChannels, StaysWithinTrainedWidths) {
  Rng rng(5);
  const auto space = small_space();
  Supernet supernet(space, {.seed = 1});
  const TensorMap before = lathe::testing::random_state(supernet, rng);
  supernet.load_state(before, "test");
  space::Arch narrow = space->largest();  // every block at its first expansion
  for (std::size_t i = 0; i < narrow.choices.size(); ++i) {
    if (space->decisions()[i].group == "e") narrow.choices[i] = 0;
  }
  // The narrow net keeps its channels: its output is what it was.
  const c10::NoGradGuard no_grad;
  const Executor net(space->graph(narrow));
  const at::Tensor input =
      to_torch(lathe::testing::random_input(net.graph().input_shape(), 3, rng));
  const FloatTensor output = from_torch(net.forward(supernet.bind(net.graph()), input));
  sort_channels(supernet, *space, {narrow}, {});
  EXPECT_NE(supernet.state(), before);
  EXPECT_LT(deploy::max_relative_error(from_torch(net.forward(supernet.bind(net.graph()), input)),
                                       output),
            1e-5);
  // Without the limit it isn't.
  supernet.load_state(before, "test");
  sort_channels(supernet, *space, {}, {});
  EXPECT_GT(deploy::max_relative_error(from_torch(net.forward(supernet.bind(net.graph()), input)),
                                       output),
            1e-2);
}

}  // namespace
}  // namespace lathe::nn
