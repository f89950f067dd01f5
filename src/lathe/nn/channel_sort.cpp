#include "lathe/nn/channel_sort.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <map>
#include <set>
#include <string>

#include "lathe/graph/channel_groups.h"

namespace lathe::nn {
namespace {

using graph::ChannelGroup;
using graph::ParameterAxis;

/// The sizes of a net's parameters by name.
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

Shapes shapes_of(const graph::Graph& graph) {
  Shapes shapes;
  for (graph::ParameterSpec& spec : graph::parameters_of(graph)) {
    shapes[spec.name] = std::move(spec.shape);
  }
  return shapes;
}

/// How many of a group's channels a net has: all where it lacks the layers.
std::int64_t width_in(const Shapes& shapes, const ChannelGroup& group) {
  for (const ParameterAxis& axis : group.axes) {
    const auto found = shapes.find(axis.name);
    if (found != shapes.end()) {
      return found->second[static_cast<std::size_t>(axis.dim)];
    }
  }
  return group.channels;
}

/// The nets that differ from the largest in one decision, which takes its first choice.
std::vector<Shapes> narrowed_in_one_decision(const space::Space& space) {
  std::vector<Shapes> nets;
  const space::Arch largest = space.largest();
  for (std::size_t i = 0; i < largest.choices.size(); ++i) {
    space::Arch arch = largest;
    arch.choices[i] = 0;
    nets.push_back(shapes_of(space.graph(space.canonical(arch))));
  }
  return nets;
}

bool is_elastic(const ChannelGroup& group, const std::vector<Shapes>& narrowed) {
  for (const Shapes& shapes : narrowed) {
    if (width_in(shapes, group) < group.channels) {
      return true;
    }
  }
  return false;
}

at::Tensor importance(const SharedWeights& weights, const ChannelGroup& group) {
  const Parameters& parameters = weights.parameters();
  at::Tensor sum;
  for (const ParameterAxis& reader : group.readers) {
    const at::Tensor weight = parameters.part(parameters.values(), reader.name);
    const at::Tensor norms = weight.dim() == 4 ? weight.abs().sum({0, 2, 3}) : weight.abs().sum(0);
    sum = sum.defined() ? sum + norms : norms;
  }
  return sum;
}

/// The channels in descending order of importance, each within its part: [0, e0), [e0, e1), ...
at::Tensor order_within(const at::Tensor& importances, const std::set<std::int64_t>& ends) {
  std::vector<at::Tensor> parts;
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    parts.push_back(at::argsort(importances.narrow(0, begin, end - begin), /*stable=*/true,
                                /*dim=*/0, /*descending=*/true) +
                    begin);
    begin = end;
  }
  return at::cat(parts);
}

void permute(SharedWeights& weights, const std::vector<at::Tensor>& companions,
             const ParameterAxis& axis, const at::Tensor& order) {
  const auto reorder = [&](const at::Tensor& tensor) {
    tensor.copy_(tensor.index_select(axis.dim, order));
  };
  const auto statistic = weights.statistics().find(axis.name);
  if (statistic != weights.statistics().end()) {
    reorder(statistic->second);
    return;
  }
  const Parameters& parameters = weights.parameters();
  reorder(parameters.part(parameters.values(), axis.name));
  for (const at::Tensor& companion : companions) {
    reorder(parameters.part(companion, axis.name));
  }
}

}  // namespace

void sort_channels(SharedWeights& weights, const space::Space& space,
                   const std::vector<space::Arch>& trained,
                   const std::vector<at::Tensor>& companions) {
  const c10::NoGradGuard no_grad;
  const std::vector<Shapes> narrowed = narrowed_in_one_decision(space);
  std::vector<Shapes> kept;
  for (const space::Arch& arch : trained) {
    kept.push_back(shapes_of(space.graph(arch)));
  }
  for (const ChannelGroup& group : graph::channel_groups(space.graph(space.largest()))) {
    if (!group.movable || group.readers.empty() || !is_elastic(group, narrowed)) {
      continue;
    }
    std::set<std::int64_t> ends{group.channels};
    for (const Shapes& shapes : kept) {
      ends.insert(width_in(shapes, group));
    }
    const at::Tensor order = order_within(importance(weights, group), ends);
    for (const ParameterAxis& axis : group.axes) {
      permute(weights, companions, axis, order);
    }
  }
}

}  // namespace lathe::nn
