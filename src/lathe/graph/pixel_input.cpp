#include "lathe/graph/pixel_input.h"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace lathe::graph {
namespace {

constexpr const char* kNodeName = "normalization";

void require(bool holds, const std::string& what) {
  if (!holds) throw std::invalid_argument("[graph::take_pixels] " + what);
}

/// Divides the weights of a convolution or linear layer by its input channels' `stddev`.
void scale_inputs(const Node& node, std::span<const float> stddev, FloatTensor& weight) {
  const auto outputs = static_cast<std::size_t>(weight.shape[0]);
  const auto fan = static_cast<std::size_t>(weight.shape[1]);  // channels that an output reads
  const std::size_t window = weight.values.size() / (outputs * fan);
  const std::size_t outputs_per_group = outputs / static_cast<std::size_t>(node.groups);
  for (std::size_t i = 0; i < weight.values.size(); ++i) {
    const std::size_t output = i / (fan * window);
    const std::size_t channel = output / outputs_per_group * fan + i / window % fan;
    weight.values[i] = static_cast<float>(double{weight.values[i]} / double{stddev[channel]});
  }
}

}  // namespace

Net take_pixels(const Net& net, std::span<const float> mean, std::span<const float> stddev) {
  check_weights(net);
  const int channels = net.graph.input_shape().channels;
  const auto count = static_cast<std::size_t>(channels);
  require(mean.size() == count && stddev.size() == count,
          "mean and stddev must have " + std::to_string(channels) + " values, got " +
              std::to_string(mean.size()) + " and " + std::to_string(stddev.size()));
  const auto bad = std::find_if(stddev.begin(), stddev.end(), [](float s) { return !(s > 0); });
  require(bad == stddev.end(),
          "stddev must be > 0, got " + (bad == stddev.end() ? "" : std::to_string(*bad)));
  Net result{Graph(net.graph.input_shape()), net.weights};
  result.graph.shift(0, kNodeName);
  FloatTensor shift{{channels, 1, 1}, {mean.begin(), mean.end()}};
  for (float& value : shift.values) value = -value;
  require(result.weights.emplace(std::string(kNodeName) + ".bias", std::move(shift)).second,
          std::string("the net has a parameter ") + kNodeName + ".bias already");
  for (int i = 1; i < net.graph.size(); ++i) {
    Node node = net.graph[i];
    if (std::find(node.inputs.begin(), node.inputs.end(), 0) != node.inputs.end()) {
      require(node.op == Op::kConv || node.op == Op::kLinear,
              "node " + std::to_string(i) + " reads the input and has no weights to scale");
      scale_inputs(node, stddev, result.weights.at(node.name + ".weight"));
    }
    for (int& input : node.inputs) ++input;
    result.graph.append(std::move(node));
  }
  return result;
}

}  // namespace lathe::graph
