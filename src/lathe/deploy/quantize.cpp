#include "lathe/deploy/quantize.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/nn/binding.h"
#include "lathe/nn/executor.h"

namespace lathe::deploy {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Node;
using graph::Op;

constexpr double kLevels = 255;
constexpr double kLargestWeight = 127;
constexpr double kLargestBias = 1 << 30;  ///< room for the products that are added to it
constexpr float kLeastScale = 1e-18F;     ///< a product of two is a normal number still

bool is_relu(const Node& node) {
  return node.op == Op::kActivation &&
         (node.activation == Activation::kRelu || node.activation == Activation::kRelu6);
}

/// Whether runtimes have the operation on 8-bit integers.
bool on_integers(const Node& node) {
  switch (node.op) {
    case Op::kConv:
    case Op::kLinear:
    case Op::kMaxPool:
    case Op::kAvgPool:
    case Op::kGlobalAvgPool:
    case Op::kAdd:
    case Op::kMul:
    case Op::kConcat:
    case Op::kCrop:
      return true;
    case Op::kActivation:
      return is_relu(node);
    default:
      return false;
  }
}

bool keeps_scale(const Node& node) { return node.op == Op::kMaxPool || node.op == Op::kCrop; }

std::vector<std::vector<int>> readers_of(const Graph& graph) {
  std::vector<std::vector<int>> readers(static_cast<std::size_t>(graph.size()));
  for (int i = 0; i < graph.size(); ++i) {
    for (const int input : graph[i].inputs) {
      readers[static_cast<std::size_t>(input)].push_back(i);
    }
  }
  return readers;
}

bool is_quantized(const Graph& graph, int node, const std::vector<int>& readers) {
  const bool is_output = node == graph.size() - 1;
  const bool before_relu = readers.size() == 1 && is_relu(graph[readers.front()]);
  return !is_output && !before_relu &&
         (on_integers(graph[node]) || std::any_of(readers.begin(), readers.end(),
                                                  [&](int r) { return on_integers(graph[r]); }));
}

/// Outside of which the readers can't tell values apart.
struct Relevant {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

Relevant relevant_values(const Graph& graph, const std::vector<int>& readers) {
  const auto all_are = [&](std::initializer_list<Activation> activations) {
    return std::all_of(readers.begin(), readers.end(), [&](int reader) {
      const Node& node = graph[reader];
      return node.op == Op::kActivation && std::find(activations.begin(), activations.end(),
                                                     node.activation) != activations.end();
    });
  };
  Relevant relevant;
  if (all_are({Activation::kHSwish, Activation::kHSigmoid})) relevant.low = -3;
  if (all_are({Activation::kHSigmoid})) relevant.high = 3;
  return relevant;
}

std::string described(const Graph& graph, int node) {
  return "node " + std::to_string(node) +
         (graph[node].name.empty() ? "" : " (" + graph[node].name + ")");
}

/// The scales of all tensors that are quantized.
std::vector<std::optional<ActivationScale>> calibrate(const graph::Net& net,
                                                      const CalibrationBatches& batches,
                                                      RangeRule rule) {
  const c10::NoGradGuard no_grad;
  const Graph& graph = net.graph;
  const std::vector<std::vector<int>> readers = readers_of(graph);
  std::vector<std::optional<ValueHistogram>> histograms(readers.size());
  for (int i = 0; i < graph.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (is_quantized(graph, i, readers[at])) histograms[at].emplace();
  }
  const nn::Executor executor(graph);
  const nn::Binding binding = nn::bind(net);
  nn::ForwardOptions options;
  options.observe = [&](int node, const at::Tensor& output) {
    const auto at = static_cast<std::size_t>(node);
    if (!histograms[at] || keeps_scale(graph[node])) return;
    const Relevant relevant = relevant_values(graph, readers[at]);
    const at::Tensor values = output.contiguous().clamp(relevant.low, relevant.high);
    try {
      histograms[at]->add({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
    } catch (const std::invalid_argument&) {
      throw Error("the net can't be quantized: " + described(graph, node) +
                  " gives values that are not finite");
    }
  };
  bool any = false;
  while (const std::optional<FloatTensor> batch = batches()) {
    executor.forward(binding, nn::to_torch(*batch), options);
    any = true;
  }
  if (!any) throw std::invalid_argument("[deploy::quantize] needs at least one batch");
  std::vector<std::optional<ActivationScale>> scales(readers.size());
  for (int i = 0; i < graph.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (!histograms[at]) continue;
    scales[at] = keeps_scale(graph[i]) ? scales[static_cast<std::size_t>(graph[i].inputs[0])]
                                       : activation_scale(histograms[at]->range(rule));
  }
  return scales;
}

}  // namespace

ActivationScale activation_scale(Range range) {
  const double span = double{range.high} - double{range.low};
  if (!(span > 0)) return {};
  auto scale = static_cast<float>(span / kLevels);
  // Not beyond the range by rounding: runtimes drop a ReLU6 only if no level is above 6.
  if (kLevels * double{scale} > span) scale = std::nextafter(scale, 0.0F);
  scale = std::max(scale, kLeastScale);
  const double zero = std::clamp(std::nearbyint(-double{range.low} / double{scale}), 0.0, kLevels);
  return {scale, static_cast<std::uint8_t>(zero)};
}

IntegerLayer quantize_layer(const FloatTensor& weight, std::span<const float> bias,
                            float input_scale) {
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(weight.values.begin(), weight.values.end(), finite) ||
      !std::all_of(bias.begin(), bias.end(), finite)) {
    throw std::invalid_argument("[deploy::quantize_layer] weights must be finite");
  }
  const auto channels = static_cast<std::size_t>(weight.shape.at(0));
  const std::size_t fan = weight.values.size() / channels;
  IntegerLayer layer;
  for (std::size_t c = 0; c < channels; ++c) {
    const std::span<const float> row(&weight.values[c * fan], fan);
    double largest = 0;
    for (const float w : row) largest = std::max(largest, std::abs(double{w}));
    double step = largest / kLargestWeight;
    if (!bias.empty()) {
      step = std::max(step, std::abs(double{bias[c]}) / (double{input_scale} * kLargestBias));
    }
    const float scale = step > 0 ? std::max(static_cast<float>(step), kLeastScale) : 1.0F;
    layer.scales.push_back(scale);
    for (const float w : row) {
      layer.weights.push_back(static_cast<std::int8_t>(std::nearbyint(double{w} / double{scale})));
    }
    if (!bias.empty()) {
      layer.biases.push_back(static_cast<std::int32_t>(
          std::nearbyint(double{bias[c]} / (double{input_scale} * double{scale}))));
    }
  }
  return layer;
}

QuantizedNet quantize(const graph::Net& net, const CalibrationBatches& batches,
                      const QuantizeOptions& options) {
  QuantizedNet result{graph::fold_batch_norm(net), {}, {}};
  result.activations = calibrate(result.net, batches, options.ranges);
  for (const Node& node : result.net.graph.nodes()) {
    if (node.op != Op::kConv && node.op != Op::kLinear) continue;
    std::span<const float> bias;
    if (node.bias) bias = result.net.weights.at(node.name + ".bias").values;
    const auto& input = result.activations[static_cast<std::size_t>(node.inputs[0])];
    try {
      result.layers[node.name] =
          quantize_layer(result.net.weights.at(node.name + ".weight"), bias, input->scale);
    } catch (const std::invalid_argument&) {
      throw Error("the net can't be quantized: layer " + node.name +
                  " has weights that are not finite");
    }
  }
  return result;
}

}  // namespace lathe::deploy
