#include "lathe/nn/shared_weights.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

#include "lathe/core/error.h"
#include "lathe/core/random.h"

namespace lathe::nn {
namespace {

using graph::Op;
using graph::ParameterSpec;
using Role = ParameterSpec::Role;

bool is_statistic(const ParameterSpec& spec) {
  return spec.role == Role::kRunningMean || spec.role == Role::kRunningVar;
}
bool is_kept(const ParameterSpec& spec) { return spec.role != Role::kMixing; }

/// By the node: a weight [out, 1, k, k] may also be a stem's on grey images.
bool is_depthwise(const graph::Node& node) { return node.op == Op::kConv && node.groups > 1; }

/// Each parameter that a net keeps, and the node that owns it.
template <typename Visit>
void each_parameter(const graph::Graph& graph, const Visit& visit) {
  for (int i = 0; i < graph.size(); ++i) {
    for (const ParameterSpec& spec : graph::parameters_of(graph, i)) {
      if (is_kept(spec)) {
        visit(spec, graph[i]);
      }
    }
  }
}

std::vector<std::pair<int, int>> steps_between(const std::vector<int>& elastic, int kernel) {
  std::vector<std::pair<int, int>> steps;
  for (std::size_t i = elastic.size(); i-- > 1;) {
    if (elastic[i] <= kernel) {
      steps.emplace_back(elastic[i], elastic[i - 1]);
    }
  }
  return steps;
}

std::vector<Parameters::Declaration> declarations(const graph::Graph& largest,
                                                  const std::vector<int>& elastic_kernels) {
  std::vector<Parameters::Declaration> all;
  each_parameter(largest, [&](const ParameterSpec& spec, const graph::Node& node) {
    if (is_statistic(spec)) {
      return;
    }
    all.push_back({.name = spec.name,
                   .shape = spec.shape,
                   .decays = spec.role == Role::kWeight && spec.op != Op::kBatchNorm});
    if (is_depthwise(node)) {
      for (const auto& [from, to] : steps_between(elastic_kernels, node.kernel)) {
        const std::int64_t taps = std::int64_t{to} * to;
        all.push_back({.name = kernel_transform_name(spec.name, from, to),
                       .shape = {taps, taps},
                       .decays = false});
      }
    }
  });
  return all;
}

/// The scales of the batch norms that end a residual branch: what is added to a shortcut is an
/// addition's first input.
std::vector<std::string> residual_gammas(const graph::Graph& graph) {
  std::vector<std::string> names;
  for (const graph::Node& node : graph.nodes()) {
    if (node.op == Op::kAdd && graph[node.inputs[0]].op == Op::kBatchNorm) {
      names.push_back(graph[node.inputs[0]].name + ".weight");
    }
  }
  return names;
}

/// The initial value of a parameter, on the CPU.
at::Tensor initial(const ParameterSpec& spec, const graph::Node& node, Rng& rng) {
  at::Tensor tensor = at::empty(spec.shape, at::kFloat);
  float* data = tensor.data_ptr<float>();
  if (spec.role == Role::kBias) {
    tensor.zero_();
  } else if (spec.op == Op::kBatchNorm) {
    tensor.fill_(1.0);
  } else if (spec.op == Op::kLinear) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(spec.shape[1]));
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      data[i] = static_cast<float>((2 * rng.uniform() - 1) * bound);
    }
  } else {
    // A depthwise filter has one output per input channel, hence fan-out k * k.
    const std::int64_t fan_out = spec.shape[0] / node.groups * node.kernel * node.kernel;
    const double deviation = std::sqrt(2.0 / static_cast<double>(fan_out));
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      data[i] = static_cast<float>(rng.normal() * deviation);
    }
  }
  return tensor;
}

at::Tensor first_of_each(at::Tensor tensor, const std::vector<std::int64_t>& shape) {
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const auto dim = static_cast<std::int64_t>(d);
    if (tensor.size(dim) != shape[d]) {
      tensor = tensor.narrow(dim, 0, shape[d]);
    }
  }
  return tensor;
}

}  // namespace

std::string kernel_transform_name(const std::string& weight_name, int from, int to) {
  return weight_name.substr(0, weight_name.rfind('.')) + ".transform_" + std::to_string(from) +
         "_to_" + std::to_string(to);
}

SharedWeights::SharedWeights(std::string name, const graph::Graph& largest,
                             std::vector<int> elastic_kernels, const WeightOptions& options)
    : name_(std::move(name)),
      elastic_kernels_(std::move(elastic_kernels)),
      parameters_(declarations(largest, elastic_kernels_), options.replicas, options.device),
      statistics_(static_cast<std::size_t>(options.replicas)) {
  const at::Tensor& values = parameters_.values();
  Rng rng(options.seed);
  each_parameter(largest, [&](const ParameterSpec& spec, const graph::Node& node) {
    if (is_statistic(spec)) {
      for (std::map<std::string, at::Tensor>& statistics : statistics_) {
        statistics[spec.name] =
            at::full(spec.shape, spec.role == Role::kRunningMean ? 0.0 : 1.0, values.options());
      }
    } else {
      parameters_.part(values, spec.name).copy_(initial(spec, node, rng));
    }
  });
  for (const std::string& parameter : parameters_.names()) {
    if (parameter.find(".transform_") != std::string::npos) {
      const at::Tensor matrix = parameters_.part(values, parameter);
      matrix.copy_(at::eye(matrix.size(0)));
    }
  }
  if (options.zero_residual_gamma) {
    for (const std::string& gamma : residual_gammas(largest)) {
      parameters_.part(values, gamma).zero_();
    }
  }
}

std::vector<std::pair<int, int>> SharedWeights::kernel_steps(int kernel) const {
  return steps_between(elastic_kernels_, kernel);
}

Binding SharedWeights::bind(const graph::Graph& subnet, int replica) const {
  Binding binding(static_cast<std::size_t>(subnet.size()));
  for (int i = 0; i < subnet.size(); ++i) {
    for (const ParameterSpec& spec : graph::parameters_of(subnet, i)) {
      if (is_kept(spec)) {
        member(binding[static_cast<std::size_t>(i)], spec.role) = slice(spec, replica);
      }
    }
  }
  return binding;
}

at::Tensor SharedWeights::slice(const ParameterSpec& spec, int replica) const {
  if (is_statistic(spec)) {
    const auto& statistics = statistics_.at(static_cast<std::size_t>(replica));
    return first_of_each(statistics.at(spec.name), spec.shape);
  }
  const at::Tensor& full = parameters_.leaf(spec.name, replica);
  if (spec.op == Op::kConv && spec.role == Role::kWeight && full.size(2) != spec.shape[2]) {
    return shrink_kernel(spec.name, full.narrow(0, 0, spec.shape[0]), spec.shape[2], replica);
  }
  return first_of_each(full, spec.shape);
}

at::Tensor SharedWeights::shrink_kernel(const std::string& name, at::Tensor weight,
                                        std::int64_t size, int replica) const {
  const std::int64_t channels = weight.size(0);
  for (const auto& [from, to] : kernel_steps(static_cast<int>(weight.size(2)))) {
    if (weight.size(2) == size) {
      break;
    }
    const std::int64_t margin = (from - to) / 2;
    const at::Tensor centre = weight.narrow(2, margin, to).narrow(3, margin, to);
    weight = at::linear(centre.reshape({channels, std::int64_t{to} * to}),
                        parameters_.leaf(kernel_transform_name(name, from, to), replica))
                 .view({channels, 1, to, to});
  }
  return weight;
}

TensorMap SharedWeights::state() const {
  TensorMap state;
  for (const std::string& name : parameters_.names()) {
    state[name] = from_torch(parameters_.leaf(name));
  }
  for (const auto& [name, tensor] : statistics()) {
    state[name] = from_torch(tensor);
  }
  return state;
}

void SharedWeights::check_state(const TensorMap& state, const std::string& where) const {
  std::map<std::string, std::vector<std::int64_t>> expected;
  for (const std::string& name : parameters_.names()) {
    expected[name] = parameters_.leaf(name).sizes().vec();
  }
  for (const auto& [name, tensor] : statistics()) {
    expected[name] = tensor.sizes().vec();
  }
  for (const auto& [name, shape] : expected) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.shape != shape) {
      throw Error(where + ": tensor " + name + " is " +
                  (found == state.end() ? "missing" : "of another shape") +
                  ", are these weights of " + name_ + "?");
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!expected.contains(name)) {
      throw Error(where + ": unknown tensor " + name + ", are these weights of " + name_ + "?");
    }
  }
}

void SharedWeights::load_state(const TensorMap& state, const std::string& where) {
  check_state(state, where);
  for (const auto& [name, tensor] : state) {
    const auto statistic = statistics().find(name);
    const at::Tensor target = statistic != statistics().end()
                                  ? statistic->second
                                  : parameters_.part(parameters_.values(), name);
    target.copy_(to_torch(tensor));
  }
}

}  // namespace lathe::nn
