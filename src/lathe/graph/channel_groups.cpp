#include "lathe/graph/channel_groups.h"

#include <cstddef>
#include <map>
#include <numeric>
#include <utility>

namespace lathe::graph {
namespace {

bool mixes_channels(const Node& node) {
  return node.op == Op::kLinear || (node.op == Op::kConv && node.groups == 1);
}

/// Sets of nodes whose outputs have the same channels, as a forest.
class Sets {
 public:
  explicit Sets(int count) : parents_(static_cast<std::size_t>(count)) {
    std::iota(parents_.begin(), parents_.end(), 0);
  }
  /// The set's earliest node.
  int find(int node) {
    int& parent = parents_[static_cast<std::size_t>(node)];
    return parent == node ? node : parent = find(parent);
  }
  void join(int a, int b) {
    a = find(a);
    b = find(b);
    parents_[static_cast<std::size_t>(a > b ? a : b)] = a > b ? b : a;
  }

 private:
  std::vector<int> parents_;
};

struct Reader {
  int source;  ///< a node whose channels are read
  ParameterAxis axis;
  bool of_means;
};

/// Joins a node with those inputs whose channels it passes on; the sets whose order is fixed go to
/// `fixed`.
void join_inputs(const Graph& graph, int index, Sets& sets, std::vector<int>& fixed) {
  const Node& node = graph[index];
  if (mixes_channels(node)) {
    return;
  }
  const bool grouped =
      node.op == Op::kConv &&
      (node.groups != node.shape.channels || node.groups != graph[node.inputs[0]].shape.channels);
  for (int input : node.inputs) {
    if (node.op == Op::kConcat || node.op == Op::kSlice || node.op == Op::kShuffle || grouped) {
      fixed.insert(fixed.end(), {index, input});
    } else {
      sets.join(index, input);
    }
  }
}

}  // namespace

std::vector<ChannelGroup> channel_groups(const Graph& graph) {
  Sets sets(graph.size());
  std::vector<int> fixed{0, graph.size() - 1};
  std::vector<bool> is_mean(static_cast<std::size_t>(graph.size()), false);
  std::vector<Reader> readers;
  for (int i = 1; i < graph.size(); ++i) {
    const Node& node = graph[i];
    join_inputs(graph, i, sets, fixed);
    const bool reads_means = is_mean[static_cast<std::size_t>(node.inputs[0])];
    if (mixes_channels(node)) {
      readers.push_back({node.inputs[0], {node.name + ".weight", 1}, reads_means});
    } else {
      is_mean[static_cast<std::size_t>(i)] =
          node.op == Op::kGlobalAvgPool || (reads_means && node.inputs.size() == 1);
    }
  }
  std::vector<ChannelGroup> groups;
  std::map<int, std::size_t> group_of;  // by the set's earliest node
  for (int i = 0; i < graph.size(); ++i) {
    const auto [entry, is_new] = group_of.emplace(sets.find(i), groups.size());
    if (is_new) {
      groups.push_back({.channels = graph[i].shape.channels});
    }
    for (const ParameterSpec& spec : parameters_of(graph, i)) {
      groups[entry->second].axes.push_back({spec.name, 0});
    }
    if (mixes_channels(graph[i])) {
      groups[group_of.at(sets.find(graph[i].inputs[0]))].axes.push_back(
          {graph[i].name + ".weight", 1});
    }
  }
  for (const bool of_means : {false, true}) {
    std::vector<std::vector<ParameterAxis>> found(groups.size());
    for (const Reader& reader : readers) {
      if (reader.of_means == of_means) {
        found[group_of.at(sets.find(reader.source))].push_back(reader.axis);
      }
    }
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (groups[g].readers.empty()) {
        groups[g].readers = std::move(found[g]);
      }
    }
  }
  for (int node : fixed) {
    groups[group_of.at(sets.find(node))].movable = false;
  }
  return groups;
}

}  // namespace lathe::graph
