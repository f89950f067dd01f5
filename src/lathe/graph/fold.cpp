#include "lathe/graph/fold.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lathe::graph {
namespace {

/// For each batch norm that folds, the convolutions whose outputs it sees, by their order along its
/// channels; nothing for other nodes.
std::vector<std::vector<int>> folding_convs(const Graph& graph) {
  const auto count = static_cast<std::size_t>(graph.size());
  std::vector<int> readers(count, 0);
  for (const Node& node : graph.nodes()) {
    for (int input : node.inputs) {
      ++readers[static_cast<std::size_t>(input)];
    }
  }
  const auto read_once = [&](int i) { return readers[static_cast<std::size_t>(i)] == 1; };
  std::vector<std::vector<int>> folds(count);
  for (int i = 0; i < graph.size(); ++i) {
    if (graph[i].op != Op::kBatchNorm || !graph[i].affine || !read_once(graph[i].inputs[0])) {
      continue;
    }
    const Node& source = graph[graph[i].inputs[0]];
    const std::vector<int>& convs = source.op == Op::kConcat ? source.inputs : graph[i].inputs;
    if (std::all_of(convs.begin(), convs.end(),
                    [&](int conv) { return graph[conv].op == Op::kConv && read_once(conv); })) {
      folds[static_cast<std::size_t>(i)] = convs;
    }
  }
  return folds;
}

/// For each node, whether the last one depends on it. A dead node has to go: where the last node
/// is folded away, it would be the output instead.
std::vector<bool> reaching_output(const Graph& graph) {
  std::vector<bool> reaches(static_cast<std::size_t>(graph.size()), false);
  reaches.back() = true;
  for (int i = graph.size() - 1; i >= 0; --i) {
    for (int input : graph[i].inputs) {
      reaches[static_cast<std::size_t>(input)] =
          reaches[static_cast<std::size_t>(input)] || reaches[static_cast<std::size_t>(i)];
    }
  }
  return reaches;
}

std::string text(const std::vector<std::int64_t>& shape) {
  std::string list;
  for (std::int64_t extent : shape) {
    list += (list.empty() ? "" : ", ") + std::to_string(extent);
  }
  return "[" + list + "]";
}

/// conv's output y becomes y * scale + shift, per output channel; its first channel is the batch
/// norm's channel `first`.
void fold_into(const Net& net, const Node& conv, const Node& norm, std::size_t first,
               TensorMap& out) {
  FloatTensor weight = net.weights.at(conv.name + ".weight");
  const auto channels = static_cast<std::size_t>(conv.shape.channels);
  FloatTensor bias{{conv.shape.channels}, std::vector<float>(channels, 0.0F)};
  if (conv.bias) {
    bias = net.weights.at(conv.name + ".bias");
  }
  const auto& gamma = net.weights.at(norm.name + ".weight").values;
  const auto& beta = net.weights.at(norm.name + ".bias").values;
  const auto& mean = net.weights.at(norm.name + ".running_mean").values;
  const auto& var = net.weights.at(norm.name + ".running_var").values;
  const std::size_t fan = weight.values.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    const std::size_t n = first + c;
    const double scale = double{gamma[n]} / std::sqrt(double{var[n]} + norm.eps);
    for (std::size_t i = c * fan; i < (c + 1) * fan; ++i) {
      weight.values[i] = static_cast<float>(weight.values[i] * scale);
    }
    bias.values[c] = static_cast<float>(beta[n] + (double{bias.values[c]} - mean[n]) * scale);
  }
  out[conv.name + ".weight"] = std::move(weight);
  out[conv.name + ".bias"] = std::move(bias);
}

}  // namespace

void check_weights(const Net& net) {
  for (const ParameterSpec& spec : parameters_of(net.graph)) {
    const auto found = net.weights.find(spec.name);
    if (found == net.weights.end()) {
      throw std::invalid_argument("[graph::check_weights] missing parameter " + spec.name);
    }
    if (found->second.shape != spec.shape) {
      throw std::invalid_argument("[graph::check_weights] parameter " + spec.name +
                                  " must have shape " + text(spec.shape) + ", got " +
                                  text(found->second.shape));
    }
    std::int64_t size = 1;
    for (std::int64_t extent : spec.shape) {
      size *= extent;
    }
    if (found->second.values.size() != static_cast<std::size_t>(size)) {
      throw std::invalid_argument("[graph::check_weights] parameter " + spec.name + " must have " +
                                  std::to_string(size) + " values, got " +
                                  std::to_string(found->second.values.size()));
    }
  }
}

Net fold_batch_norm(const Net& net) {
  check_weights(net);
  const std::vector<std::vector<int>> folds = folding_convs(net.graph);
  std::vector<bool> gets_bias(folds.size(), false);
  for (const std::vector<int>& convs : folds) {
    for (int conv : convs) {
      gets_bias[static_cast<std::size_t>(conv)] = true;
    }
  }
  const std::vector<bool> reaches = reaching_output(net.graph);
  Net folded{Graph(net.graph.input_shape()), {}};
  std::vector<int> moved(folds.size(), 0);
  for (int i = 1; i < net.graph.size(); ++i) {
    const Node& node = net.graph[i];
    const auto at = static_cast<std::size_t>(i);
    if (!reaches[at]) {
      continue;
    }
    const auto source = static_cast<std::size_t>(node.inputs[0]);
    if (node.op == Op::kDropout || node.op == Op::kDropPath || !folds[at].empty()) {
      std::size_t first = 0;
      for (int conv : folds[at]) {
        fold_into(net, net.graph[conv], node, first, folded.weights);
        first += static_cast<std::size_t>(net.graph[conv].shape.channels);
      }
      moved[at] = moved[source];
      continue;
    }
    Node copy = node;
    for (int& input : copy.inputs) {
      input = moved[static_cast<std::size_t>(input)];
    }
    copy.bias = copy.bias || gets_bias[at];
    moved[at] = folded.graph.append(std::move(copy));
    for (const ParameterSpec& spec : parameters_of(net.graph, i)) {
      folded.weights.emplace(spec.name, net.weights.at(spec.name));
    }
  }
  return folded;
}

}  // namespace lathe::graph
