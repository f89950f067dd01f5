#include "lathe/nn/supernet.h"

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

/// By the node: a weight [out, 1, k, k] may also be a stem's on grey images.
bool is_depthwise(const graph::Node& node) { return node.op == Op::kConv && node.groups > 1; }

/// Each parameter of the largest net, and the node that owns it.
template <typename Visit>
void each_parameter(const space::Space& space, const Visit& visit) {
  const graph::Graph graph = space.graph(space.largest());
  for (int i = 0; i < graph.size(); ++i) {
    for (const ParameterSpec& spec : graph::parameters_of(graph, i)) {
      visit(spec, graph[i]);
    }
  }
}

/// The steps (from, to), largest first, by which an elastic kernel of size `kernel` shrinks.
std::vector<std::pair<int, int>> kernel_steps(const std::vector<int>& elastic, int kernel) {
  std::vector<std::pair<int, int>> steps;
  for (std::size_t i = elastic.size(); i-- > 1;) {
    if (elastic[i] <= kernel) {
      steps.emplace_back(elastic[i], elastic[i - 1]);
    }
  }
  return steps;
}

std::vector<Parameters::Declaration> declarations(const space::Space& space) {
  if (!space.weights_nest()) {
    throw std::invalid_argument("[nn::Supernet] the nets of space " + space.name() +
                                " don't share weights by slicing");
  }
  std::vector<Parameters::Declaration> all;
  const std::vector<int> elastic = space.elastic_kernels();
  each_parameter(space, [&](const ParameterSpec& spec, const graph::Node& node) {
    if (is_statistic(spec)) {
      return;
    }
    all.push_back({.name = spec.name,
                   .shape = spec.shape,
                   .decays = spec.role == Role::kWeight && spec.op != Op::kBatchNorm});
    if (is_depthwise(node)) {
      for (const auto& [from, to] : kernel_steps(elastic, node.kernel)) {
        const std::int64_t taps = std::int64_t{to} * to;
        all.push_back({.name = kernel_transform_name(spec.name, from, to),
                       .shape = {taps, taps},
                       .decays = false});
      }
    }
  });
  return all;
}

void initialise(const at::Tensor& tensor, const ParameterSpec& spec, const graph::Node& node,
                Rng& rng) {
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

Supernet::Supernet(std::shared_ptr<const space::Space> space, std::uint64_t seed, int replicas)
    : space_(std::move(space)),
      parameters_(declarations(*space_), replicas),
      statistics_(static_cast<std::size_t>(replicas)) {
  Rng rng(seed);
  each_parameter(*space_, [&](const ParameterSpec& spec, const graph::Node& node) {
    if (is_statistic(spec)) {
      for (std::map<std::string, at::Tensor>& statistics : statistics_) {
        statistics[spec.name] = spec.role == Role::kRunningMean ? at::zeros(spec.shape, at::kFloat)
                                                                : at::ones(spec.shape, at::kFloat);
      }
    } else {
      initialise(parameters_.part(parameters_.values(), spec.name), spec, node, rng);
    }
  });
  for (const std::string& name : parameters_.names()) {
    if (name.find(".transform_") != std::string::npos) {
      const at::Tensor matrix = parameters_.part(parameters_.values(), name);
      matrix.copy_(at::eye(matrix.size(0)));
    }
  }
}

Binding Supernet::bind(const graph::Graph& subnet, int replica) const {
  Binding binding(static_cast<std::size_t>(subnet.size()));
  for (int i = 0; i < subnet.size(); ++i) {
    for (const ParameterSpec& spec : graph::parameters_of(subnet, i)) {
      member(binding[static_cast<std::size_t>(i)], spec.role) = slice(spec, replica);
    }
  }
  return binding;
}

at::Tensor Supernet::slice(const ParameterSpec& spec, int replica) const {
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

at::Tensor Supernet::shrink_kernel(const std::string& name, at::Tensor weight, std::int64_t size,
                                   int replica) const {
  const std::int64_t channels = weight.size(0);
  for (const auto& [from, to] :
       kernel_steps(space_->elastic_kernels(), static_cast<int>(weight.size(2)))) {
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

TensorMap Supernet::state() const {
  TensorMap state;
  for (const std::string& name : parameters_.names()) {
    state[name] = from_torch(parameters_.leaf(name));
  }
  for (const auto& [name, tensor] : statistics()) {
    state[name] = from_torch(tensor);
  }
  return state;
}

void Supernet::load_state(const TensorMap& state, const std::string& where) {
  const TensorMap current = this->state();
  for (const auto& [name, tensor] : current) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.shape != tensor.shape) {
      throw Error(where + ": tensor " + name + " is " +
                  (found == state.end() ? "missing" : "of another shape") +
                  ", is this a supernet of " + space_->name() + "?");
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!current.contains(name)) {
      throw Error(where + ": unknown tensor " + name + ", is this a supernet of " + space_->name() +
                  "?");
    }
  }
  for (const auto& [name, tensor] : state) {
    const auto statistic = statistics().find(name);
    const at::Tensor target = statistic != statistics().end()
                                  ? statistic->second
                                  : parameters_.part(parameters_.values(), name);
    target.copy_(to_torch(tensor));
  }
}

}  // namespace lathe::nn
