#include "lathe/deploy/rounded_net.h"

#include <ATen/ATen.h>

#include <utility>

namespace lathe::deploy {
namespace {

constexpr int kHighestLevel = 255;

graph::Net dequantized(const QuantizedNet& quantized) {
  graph::Net net = quantized.net;
  for (const graph::Node& node : net.graph.nodes()) {
    const auto found = quantized.layers.find(node.name);
    if (found == quantized.layers.end()) continue;
    const IntegerLayer& layer = found->second;
    std::vector<float>& weights = net.weights.at(node.name + ".weight").values;
    const std::size_t fan = weights.size() / layer.scales.size();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = static_cast<float>(layer.weights[i]) * layer.scales[i / fan];
    }
    if (layer.biases.empty()) continue;
    const float input = quantized.activations[static_cast<std::size_t>(node.inputs[0])]->scale;
    std::vector<float>& biases = net.weights.at(node.name + ".bias").values;
    for (std::size_t c = 0; c < biases.size(); ++c) {
      biases[c] = static_cast<float>(layer.biases[c]) * (input * layer.scales[c]);
    }
  }
  return net;
}

}  // namespace

RoundedNet rounded_net(const QuantizedNet& net, c10::Device device) {
  RoundedNet result{nn::Executor(net.net.graph), nn::bind(dequantized(net), device), {}};
  result.options.replace = [activations = net.activations](int node, const at::Tensor& output) {
    const auto& stored = activations[static_cast<std::size_t>(node)];
    return stored ? at::fake_quantize_per_tensor_affine(output, stored->scale, stored->zero_point,
                                                        0, kHighestLevel)
                  : output;
  };
  return result;
}

}  // namespace lathe::deploy
