#include "lathe/nn/executor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/nn/kernels/batch_norm_act.h"
#include "lathe/nn/kernels/depthwise_conv.h"
#include "lathe/nn/kernels/scale_channels.h"

namespace lathe::nn {
namespace {

using graph::Activation;
using graph::Node;
using graph::Op;

std::string text(at::IntArrayRef shape) {
  std::string text = "[";
  for (std::size_t d = 0; d < shape.size(); ++d) {
    text += (d > 0 ? ", " : "") + std::to_string(shape[d]);
  }
  return text + "]";
}

std::string shape_text(const at::Tensor& tensor) {
  return tensor.defined() ? text(tensor.sizes()) : "nothing";
}

at::Tensor convolve(const Node& node, const NodeTensors& t, const at::Tensor& x, Kernels kernels) {
  if (kernels == Kernels::kLathe && node.dilation == 1 && !node.bias &&
      node.padding == node.kernel / 2) {
    if (node.groups > 1 && node.groups == node.shape.channels) {
      return depthwise_conv(x, t.weight, node.stride);
    }
  }
  return at::conv2d(x, t.weight, t.bias, node.stride, node.padding, node.dilation, node.groups);
}

at::Tensor normalise(const Node& node, Activation activation, const NodeTensors& t,
                     const at::Tensor& x, const ForwardOptions& options) {
  if (options.kernels == Kernels::kLathe) {
    return batch_norm_act(x, t.weight, t.bias, t.running_mean, t.running_var,
                          {.training = options.training,
                           .momentum = options.momentum,
                           .eps = node.eps,
                           .activation = activation});
  }
  return activate(at::batch_norm(x, t.weight, t.bias, t.running_mean, t.running_var,
                                 options.training, options.momentum, node.eps,
                                 /*cudnn_enabled=*/true),
                  activation);
}

/// torch's dropout with a generator of the caller's, which the library's function doesn't take.
at::Tensor drop(const at::Tensor& x, double rate, const std::optional<at::Generator>& generator) {
  const at::Tensor kept = at::empty_like(x, x.options().requires_grad(false));
  kept.bernoulli_(1.0 - rate,
                  generator.has_value() ? c10::optional<at::Generator>(*generator) : c10::nullopt);
  return x * kept.div_(1.0 - rate);
}

}  // namespace

Executor::Executor(graph::Graph graph) : graph_(std::move(graph)) {
  const auto count = static_cast<std::size_t>(graph_.size());
  std::vector<int> readers(count, 0);
  for (const Node& node : graph_.nodes()) {
    for (int input : node.inputs) {
      ++readers[static_cast<std::size_t>(input)];
    }
  }
  for (int i = 1; i < graph_.size(); ++i) {
    const Node& node = graph_[i];
    const bool fused = node.op == Op::kActivation && !steps_.empty() &&
                       steps_.back().node == node.inputs[0] &&
                       graph_[node.inputs[0]].op == Op::kBatchNorm &&
                       readers[static_cast<std::size_t>(node.inputs[0])] == 1;
    for (graph::ParameterSpec& spec : graph::parameters_of(graph_, i)) {
      expected_.push_back({i, std::move(spec)});
    }
    if (fused) {
      steps_.back().activation = i;
    } else {
      steps_.push_back({.node = i});
    }
  }
  std::vector<bool> seen(count, false);
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    for (int input : graph_[step->node].inputs) {
      if (!seen[static_cast<std::size_t>(input)]) {
        seen[static_cast<std::size_t>(input)] = true;
        step->last.push_back(input);
      }
    }
  }
}

void Executor::check(const Binding& binding, const at::Tensor& x) const {
  const graph::Shape in = graph_.input_shape();
  if (!x.defined() || x.dim() != 4 || x.size(1) != in.channels || x.size(2) != in.height ||
      x.size(3) != in.width) {
    throw std::invalid_argument("[nn::Executor] input must be [N, " + std::to_string(in.channels) +
                                ", " + std::to_string(in.height) + ", " + std::to_string(in.width) +
                                "], got " + shape_text(x));
  }
  if (binding.size() != static_cast<std::size_t>(graph_.size())) {
    throw std::invalid_argument("[nn::Executor] the binding is of another graph: it has " +
                                std::to_string(binding.size()) + " nodes, expected " +
                                std::to_string(graph_.size()));
  }
  for (const Expected& expected : expected_) {
    const at::Tensor& tensor =
        member(binding[static_cast<std::size_t>(expected.node)], expected.spec.role);
    if (!tensor.defined() || tensor.sizes() != at::IntArrayRef(expected.spec.shape)) {
      throw std::invalid_argument("[nn::Executor] parameter " + expected.spec.name +
                                  " must have shape " + text(expected.spec.shape) + ", got " +
                                  shape_text(tensor));
    }
  }
}

at::Tensor Executor::execute(const Step& step, const Binding& binding,
                             const std::vector<at::Tensor>& values,
                             const ForwardOptions& options) const {
  const Node& node = graph_[step.node];
  const NodeTensors& t = binding[static_cast<std::size_t>(step.node)];
  const auto input = [&](std::size_t i) -> const at::Tensor& {
    return values[static_cast<std::size_t>(node.inputs[i])];
  };
  switch (node.op) {
    case Op::kInput:
      break;
    case Op::kConv:
      return convolve(node, t, input(0), options.kernels);
    case Op::kBatchNorm: {
      const Activation activation =
          step.activation < 0 ? Activation::kNone : graph_[step.activation].activation;
      return normalise(node, activation, t, input(0), options);
    }
    case Op::kActivation:
      return activate(input(0), node.activation);
    case Op::kMaxPool:
      return at::max_pool2d(input(0), node.kernel, node.stride, node.padding);
    case Op::kAvgPool:
      return at::avg_pool2d(input(0), node.kernel, node.stride, node.padding, node.ceil_mode,
                            /*count_include_pad=*/false);
    case Op::kGlobalAvgPool:
      return options.kernels == Kernels::kLathe ? global_avg_pool(input(0))
                                                : at::mean(input(0), {2, 3}, /*keepdim=*/true);
    case Op::kDropout:
      return options.training && options.dropout ? drop(input(0), node.rate, options.generator)
                                                 : input(0);
    case Op::kLinear:  // a vector is a map of one pixel, as everywhere in the graph
      return at::linear(input(0).flatten(1), t.weight, t.bias).unsqueeze(2).unsqueeze(3);
    case Op::kAdd:
      return at::add(input(0), input(1));
    case Op::kMul:
      return options.kernels == Kernels::kLathe ? scale_channels(input(0), input(1))
                                                : at::mul(input(0), input(1));
    case Op::kConcat: {
      std::vector<at::Tensor> parts;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        parts.push_back(input(i));
      }
      return at::cat(parts, 1);
    }
    case Op::kCrop:
      return input(0).slice(2, node.offset).slice(3, node.offset);
  }
  throw std::invalid_argument("[nn::Executor] unknown operation");
}

at::Tensor Executor::forward(const Binding& binding, const at::Tensor& x,
                             const ForwardOptions& options) const {
  check(binding, x);
  std::vector<at::Tensor> values(static_cast<std::size_t>(graph_.size()));
  values[0] = x;
  for (const Step& step : steps_) {
    const int result = step.activation < 0 ? step.node : step.activation;
    values[static_cast<std::size_t>(result)] = execute(step, binding, values, options);
    for (int i : step.last) {
      values[static_cast<std::size_t>(i)].reset();
    }
  }
  const graph::Shape out = graph_.output_shape();
  return out.height == 1 && out.width == 1 ? values.back().flatten(1) : values.back();
}

}  // namespace lathe::nn
