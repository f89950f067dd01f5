#include "lathe/nn/mixture_plan.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace lathe::nn {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Node;
using graph::Op;

class Matcher {
 public:
  Matcher(const Graph& graph, const std::vector<std::vector<int>>& readers)
      : graph_(graph), readers_(readers) {}

  /// `node`'s only reader if that is an `op`, else -1.
  int reader(int node, Op op) const {
    if (!only_read_once(node)) return -1;
    const int reader = readers_[static_cast<std::size_t>(node)].front();
    return graph_[reader].op == op ? reader : -1;
  }

  MixtureBypass bypass(int node) const {
    const int concat = reader(node, Op::kConcat);
    const int shuffle = concat < 0 ? -1 : reader(concat, Op::kShuffle);
    if (shuffle < 0 || graph_[concat].inputs.size() != 2 || graph_[concat].inputs[0] != node) {
      return {};
    }
    const int channels = graph_[node].shape.channels;
    MixtureBypass bypass{.sum = graph_[concat].inputs[1], .result = shuffle};
    if (graph_[bypass.sum].op != Op::kMixedSum || !only_read_once(bypass.sum) ||
        graph_[shuffle].groups * channels != graph_[shuffle].shape.channels) {
      return {};
    }
    bypass.inner = {concat, bypass.sum, shuffle};
    for (int term : graph_[bypass.sum].inputs) {
      if (is_halving(term)) {
        bypass.inner.push_back(term);
        term = graph_[term].inputs[0];
      }
      const int state = whole(term, channels);
      if (state < 0 || std::count(bypass.states.begin(), bypass.states.end(), state) > 0) return {};
      bypass.states.push_back(state);
    }
    return bypass;
  }

  /// The map whose channels from `offset` on `slice` is, to its end or up to that many; or -1.
  int whole(int slice, int offset) const {
    const Node& node = graph_[slice];
    if (node.op != Op::kSlice || node.offset != offset) return -1;
    const int rest = graph_[node.inputs[0]].shape.channels - offset;
    return offset == 0 || node.shape.channels == rest ? node.inputs[0] : -1;
  }

  MixtureBranch branch(int term) const {
    MixtureBranch plain{.input = term};
    if (!is_norm(term)) return plain;
    const int before = graph_[term].inputs[0];
    if (is_pool(before)) {
      return {.input = graph_[before].inputs[0], .pool = before, .norm = term};
    }
    const std::optional<SeparableNodes> last = separable(term);
    if (!last) return plain;
    const int middle = graph_[last->relu].inputs[0];
    if (graph_[last->depthwise].stride == 1 && only_read_once(last->relu) && is_norm(middle)) {
      if (const std::optional<SeparableNodes> first = separable(middle)) {
        return {.input = graph_[first->relu].inputs[0], .convs = {*first, *last}};
      }
    }
    return {.input = middle, .convs = {*last}};
  }

 private:
  bool only_read_once(int node) const {
    return readers_[static_cast<std::size_t>(node)].size() == 1;
  }
  bool is_norm(int node) const {
    return graph_[node].op == Op::kBatchNorm && !graph_[node].affine && only_read_once(node);
  }
  bool is_pool(int i) const {
    const Node& node = graph_[i];
    return (node.op == Op::kMaxPool || (node.op == Op::kAvgPool && !node.ceil_mode)) &&
           node.kernel == 3 && node.padding == 1 && node.stride <= 2 && only_read_once(i);
  }
  bool is_halving(int i) const {
    const Node& node = graph_[i];
    return node.op == Op::kMaxPool && node.kernel == 2 && node.stride == 2 && node.padding == 0 &&
           only_read_once(i);
  }
  /// That of a plain convolution that keeps the number of channels.
  bool is_conv(int i) const {
    const Node& node = graph_[i];
    return node.op == Op::kConv && !node.bias && only_read_once(i) &&
           node.shape.channels == graph_[node.inputs[0]].shape.channels;
  }
  bool is_depthwise(int i) const {
    const Node& node = graph_[i];
    return is_conv(i) && node.groups == node.shape.channels && node.kernel >= 3 &&
           node.kernel <= 7 && node.kernel % 2 == 1 && node.stride <= 2 && node.dilation <= 2 &&
           node.padding == node.dilation * (node.kernel / 2);
  }
  bool is_pointwise(int i) const {
    const Node& node = graph_[i];
    return is_conv(i) && node.groups == 1 && node.kernel == 1 && node.stride == 1 &&
           node.padding == 0;
  }
  std::optional<SeparableNodes> separable(int norm) const {
    SeparableNodes nodes{.norm = norm};
    nodes.pointwise = graph_[norm].inputs[0];
    if (!is_pointwise(nodes.pointwise)) return std::nullopt;
    nodes.depthwise = graph_[nodes.pointwise].inputs[0];
    if (!is_depthwise(nodes.depthwise)) return std::nullopt;
    nodes.relu = graph_[nodes.depthwise].inputs[0];
    if (graph_[nodes.relu].op != Op::kActivation ||
        graph_[nodes.relu].activation != Activation::kRelu) {
      return std::nullopt;
    }
    return nodes;
  }

  const Graph& graph_;
  const std::vector<std::vector<int>>& readers_;
};

}  // namespace

std::vector<int> MixtureBranch::inner() const {
  std::vector<int> nodes;
  if (pool >= 0) nodes = {pool, norm};
  for (const SeparableNodes& conv : convs) {
    if (&conv != &convs.front()) nodes.push_back(conv.relu);
    nodes.insert(nodes.end(), {conv.depthwise, conv.pointwise, conv.norm});
  }
  return nodes;
}

MixtureBypass bypass_of(const Graph& graph, const std::vector<std::vector<int>>& readers, int node,
                        std::vector<MixtureBranch>& branches) {
  const Matcher matcher(graph, readers);
  const MixtureBypass bypass = matcher.bypass(node);
  if (bypass.sum < 0) return bypass;
  std::vector<MixtureBranch> from_whole = branches;
  for (MixtureBranch& branch : from_whole) {
    const int state = matcher.whole(branch.input, 0);
    const bool bypasses = std::count(bypass.states.begin(), bypass.states.end(), state) > 0 &&
                          graph[branch.input].shape.channels == graph[node].shape.channels;
    if (bypasses) branch.input = state;
    // A whole map is no input of an operation.
    if (graph[branch.input].shape.channels != graph[node].shape.channels && !bypasses) return {};
  }
  branches = std::move(from_whole);
  return bypass;
}

std::vector<MixtureBranch> branches_of(const Graph& graph,
                                       const std::vector<std::vector<int>>& readers, int node) {
  const Matcher matcher(graph, readers);
  std::vector<MixtureBranch> branches;
  for (const int term : graph[node].inputs) branches.push_back(matcher.branch(term));
  return branches;
}

}  // namespace lathe::nn
