#include "lathe/nn/executor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/nn/kernels/convolution/depthwise_conv.h"
#include "lathe/nn/kernels/convolution/pointwise_conv.h"
#include "lathe/nn/kernels/mixing/mixed_ops.h"
#include "lathe/nn/kernels/mixing/mixed_sum.h"
#include "lathe/nn/kernels/norm/batch_norm_act.h"
#include "lathe/nn/kernels/scale_channels.h"
#include "lathe/nn/kernels/squeeze_excite.h"

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

/// A parameter as a layer of x multiplies it: gradients come back as the parameter is.
at::Tensor as(const at::Tensor& x, const at::Tensor& parameter) {
  if (!parameter.defined() || parameter.scalar_type() == x.scalar_type()) return parameter;
  return parameter.to(x.scalar_type());
}

/// What a convolution or linear layer multiplies.
struct Factors {
  at::Tensor x;
  at::Tensor weight;
  at::Tensor bias;
};

/// x and parameters, rounded to what x is kept in. On the CPU numbers of bfloat16 are multiplied as
/// float32: torch's own kernels, which run where a processor lacks AVX-512, sum a batch's gradients
/// in bfloat16.
Factors factors_of(const NodeTensors& t, const at::Tensor& x) {
  const at::Tensor weight = as(x, t.weight), bias = as(x, t.bias);
  if (!x.is_cpu() || x.scalar_type() != at::kBFloat16) return {x, weight, bias};
  const at::Tensor wide = x.to(at::kFloat);
  return {wide, as(wide, weight), as(wide, bias)};
}

at::Tensor convolve(const Node& node, const Factors& of, std::int64_t stride, Kernels kernels) {
  if (kernels == Kernels::kLathe && !node.bias && node.groups > 1 &&
      node.groups == node.shape.channels && node.padding == node.dilation * (node.kernel / 2)) {
    return depthwise_conv(of.x, of.weight, {stride, node.dilation});
  }
  if (kernels == Kernels::kLathe && !node.bias && node.groups == 1 && node.kernel == 1 &&
      stride == 1 && node.padding == 0 && kernels_run(of.x)) {
    return pointwise_conv({of.x}, of.weight, /*with_moments=*/false).z;
  }
  return at::conv2d(of.x, of.weight, of.bias, stride, node.padding, node.dilation, node.groups);
}

at::Tensor convolve(const Node& node, const NodeTensors& t, const at::Tensor& x, Kernels kernels) {
  Factors of = factors_of(t, x);
  std::int64_t stride = node.stride;
  if (node.kernel == 1 && node.padding == 0 && stride > 1) {
    // Only the pixels that it sees: given a stride, oneDNN 2.6 writes past the gradient of fewer
    // channels than a register of AVX2 holds.
    of.x = of.x.slice(2, 0, c10::nullopt, stride).slice(3, 0, c10::nullopt, stride);
    stride = 1;
  }
  return convolve(node, of, stride, kernels).to(x.scalar_type());
}

/// Scale and shift of a batch norm.
struct Affine {
  at::Tensor weight;
  at::Tensor bias;
};

Affine affine_of(const Node& node, const NodeTensors& t) {
  if (node.affine) return {t.weight, t.bias};
  return {at::ones_like(t.running_var), at::zeros_like(t.running_mean)};
}

at::Tensor normalise(const Node& node, Activation activation, const NodeTensors& t,
                     const at::Tensor& x, const ForwardOptions& options) {
  if (options.kernels == Kernels::kLathe) {
    const Affine affine = affine_of(node, t);
    return batch_norm_act(x, affine.weight, affine.bias, t.running_mean, t.running_var,
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

/// x times `kept` filled with 0 at that rate, else with what keeps the mean.
at::Tensor drop_by(const at::Tensor& x, const at::Tensor& kept, double rate,
                   const std::optional<at::Generator>& generator) {
  kept.bernoulli_(1.0 - rate,
                  generator.has_value() ? c10::optional<at::Generator>(*generator) : c10::nullopt);
  return x * kept.div_(1.0 - rate);
}

/// torch's dropout with a generator of the caller's, which the library's function doesn't take.
at::Tensor drop(const at::Tensor& x, double rate, const std::optional<at::Generator>& generator) {
  return drop_by(x, at::empty_like(x, x.options().requires_grad(false)), rate, generator);
}

at::Tensor drop_images(const at::Tensor& x, double rate,
                       const std::optional<at::Generator>& generator) {
  return drop_by(x, at::empty({x.size(0), 1, 1, 1}, x.options().requires_grad(false)), rate,
                 generator);
}

/// As at::channel_shuffle, which has no derivative; in channels-last, for it permutes a pixel's
/// numbers.
at::Tensor shuffle_channels(const at::Tensor& x, std::int64_t groups) {
  const at::Tensor pixels = x.permute({0, 2, 3, 1});
  return pixels.reshape({x.size(0), x.size(2), x.size(3), groups, x.size(1) / groups})
      .transpose(3, 4)
      .reshape(pixels.sizes())
      .permute({0, 3, 1, 2});
}

}  // namespace

Executor::Executor(graph::Graph graph)
    : graph_(std::move(graph)),
      trained_(plan(graph_, Joining::kMixtures)),
      joined_(plan(graph_, Joining::kConvolutions)),
      plain_(plan(graph_, Joining::kActivations)) {
  for (int i = 1; i < graph_.size(); ++i) {
    for (graph::ParameterSpec& spec : graph::parameters_of(graph_, i)) {
      expected_.push_back({i, std::move(spec)});
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

Normalised Executor::convolve_and_normalise(const Operation& operation, const Binding& binding,
                                            const std::vector<Normalised>& values,
                                            const ForwardOptions& options) const {
  const Node& node = graph_[operation.node];
  const NodeTensors& conv = binding[static_cast<std::size_t>(operation.node)];
  const NodeTensors& norm = binding[static_cast<std::size_t>(operation.norm)];
  const auto input = [&](std::size_t i) -> const Normalised& {
    return values[static_cast<std::size_t>(operation.inputs[i])];
  };
  const ConvResult result =
      node.groups > 1 ? depthwise_conv(input(0), conv.weight, {node.stride}, options.training)
                      : pointwise_conv(input(0), conv.weight, options.training);
  if (options.training) {
    update_running(result.moments, result.z.numel() / result.z.size(1), options.momentum,
                   norm.running_mean, norm.running_var);
  }
  const Affine affine = affine_of(graph_[operation.norm], norm);
  const Normalised y{
      result.z,
      options.training ? result.moments : at::stack({norm.running_mean, norm.running_var}),
      affine.weight,
      affine.bias,
      graph_[operation.norm].eps,
      operation.activation < 0 ? Activation::kNone : graph_[operation.activation].activation};
  if (operation.pending) return y;
  return {apply(y, operation.add < 0 ? at::Tensor() : input(1).z)};
}

at::Tensor Executor::mix(const Operation& operation, const Binding& binding,
                         const std::vector<Normalised>& values,
                         const ForwardOptions& options) const {
  const auto weight = [&](int node) { return binding[static_cast<std::size_t>(node)].weight; };
  MixedOps call{.weights = weight(operation.node)};
  if (operation.bypass.sum >= 0) {
    call.channel_parts = graph_[operation.bypass.result].groups;
    call.bypass_weights = weight(operation.bypass.sum);
    for (std::size_t i = 0; i < operation.bypass.states.size(); ++i) call.bypassing.push_back(i);
  }
  for (const int input : operation.inputs) {
    call.inputs.push_back(values[static_cast<std::size_t>(input)].z);
  }
  std::vector<int> norms;
  for (const MixtureBranch& branch : operation.branches) {
    const auto input = std::find(operation.inputs.begin(), operation.inputs.end(), branch.input);
    MixedOp op{.input = static_cast<std::size_t>(input - operation.inputs.begin())};
    if (branch.pool >= 0) {
      const Node& pool = graph_[branch.pool];
      op.kind = pool.op == Op::kMaxPool ? MixedOp::Kind::kMaxPool : MixedOp::Kind::kAvgPool;
      op.stride = pool.stride;
      op.eps = graph_[branch.norm].eps;
      norms.push_back(branch.norm);
    }
    for (const SeparableNodes& conv : branch.convs) {
      const Node& depthwise = graph_[conv.depthwise];
      op.kind = MixedOp::Kind::kSeparable;
      op.convs.push_back({weight(conv.depthwise),
                          weight(conv.pointwise),
                          {depthwise.stride, depthwise.dilation},
                          graph_[conv.norm].eps});
      norms.push_back(conv.norm);
    }
    call.ops.push_back(std::move(op));
  }
  MixedOpsResult result = mixed_ops(call);
  const std::int64_t count = result.y.numel() / result.y.size(1);  // values a channel
  for (std::size_t i = 0; i < norms.size(); ++i) {
    const NodeTensors& norm = binding[static_cast<std::size_t>(norms[i])];
    update_running(result.moments[i], count, options.momentum, norm.running_mean, norm.running_var);
  }
  return result.y;
}

Normalised Executor::execute(const Operation& operation, const Binding& binding,
                             const std::vector<Normalised>& values,
                             const ForwardOptions& options) const {
  switch (operation.kind) {
    case Operation::Kind::kConvolve:
      return convolve_and_normalise(operation, binding, values, options);
    case Operation::Kind::kSqueezeExcite: {
      const NodeTensors& reduce = binding[static_cast<std::size_t>(operation.reduce)];
      const NodeTensors& expand = binding[static_cast<std::size_t>(operation.expand)];
      return {squeeze_excite(values[static_cast<std::size_t>(operation.inputs[0])],
                             {reduce.weight, reduce.bias, expand.weight, expand.bias})};
    }
    case Operation::Kind::kMixture:
      return {mix(operation, binding, values, options)};
    case Operation::Kind::kNormalise:
    case Operation::Kind::kNode:
      break;
  }
  return {run_node(operation, binding, values, options)};
}

at::Tensor Executor::run_node(const Operation& operation, const Binding& binding,
                              const std::vector<Normalised>& values,
                              const ForwardOptions& options) const {
  const Node& node = graph_[operation.node];
  const NodeTensors& t = binding[static_cast<std::size_t>(operation.node)];
  const auto input = [&](std::size_t i) -> const at::Tensor& {
    return values[static_cast<std::size_t>(node.inputs[i])].z;
  };
  switch (node.op) {
    case Op::kInput:
      break;
    case Op::kConv:
      return convolve(node, t, input(0), options.kernels);
    case Op::kBatchNorm: {
      const Activation activation =
          operation.activation < 0 ? Activation::kNone : graph_[operation.activation].activation;
      return normalise(node, activation, t, input(0), options);
    }
    case Op::kShift:
      return at::add(input(0), as(input(0), t.bias));
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
    case Op::kLinear: {  // a vector is a map of one pixel, as everywhere in the graph
      const Factors f = factors_of(t, input(0));
      const at::Tensor y = at::linear(f.x.flatten(1), f.weight, f.bias);
      return y.to(input(0).scalar_type()).unsqueeze(2).unsqueeze(3);
    }
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
    case Op::kSlice:
      return input(0).narrow(1, node.offset, node.shape.channels);
    case Op::kShuffle:
      return shuffle_channels(input(0), node.groups);
    case Op::kMixedSum: {
      std::vector<MixedInput> terms;
      for (const int i : node.inputs) {
        const Normalised& term = values[static_cast<std::size_t>(i)];
        terms.push_back({term.z, term.moments, term.eps});
      }
      return options.kernels == Kernels::kLathe ? mixed_sum(terms, t.weight)
                                                : mixed_sum_by_library(terms, t.weight);
    }
    case Op::kDropPath:
      return options.training && options.drop_path > 0
                 ? drop_images(input(0), options.drop_path, options.generator)
                 : input(0);
  }
  throw std::invalid_argument("[nn::Executor] unknown operation");
}

at::Tensor Executor::forward(const Binding& binding, const at::Tensor& x,
                             const ForwardOptions& options) const {
  check(binding, x);
  std::vector<Normalised> values(static_cast<std::size_t>(graph_.size()));
  values[0].z = options.precision == Precision::kBfloat16 ? x.to(at::kBFloat16) : x;
  const bool joined = options.kernels == Kernels::kLathe && kernels_run(values[0].z) &&
                      !options.observe && !options.replace;
  const auto made = [&](int node) {
    at::Tensor& value = values[static_cast<std::size_t>(node)].z;
    if (options.observe) options.observe(node, value);
    if (options.replace) value = options.replace(node, value);
  };
  made(0);
  for (const Operation& operation : !joined ? plain_ : options.training ? trained_ : joined_) {
    values[static_cast<std::size_t>(operation.result)] =
        execute(operation, binding, values, options);
    made(operation.result);
    for (int i : operation.last) {
      values[static_cast<std::size_t>(i)] = {};
    }
  }
  const graph::Shape out = graph_.output_shape();
  const at::Tensor& last = values.back().z;
  const at::Tensor y = options.precision == Precision::kBfloat16 ? last.to(at::kFloat) : last;
  return out.height == 1 && out.width == 1 ? y.flatten(1) : y;
}

}  // namespace lathe::nn
