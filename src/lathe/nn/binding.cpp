#include "lathe/nn/binding.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace lathe::nn {

at::Tensor to_torch(const FloatTensor& tensor) {
  at::Tensor copy = at::empty(tensor.shape, at::kFloat);
  std::copy(tensor.values.begin(), tensor.values.end(), copy.data_ptr<float>());
  return copy;
}

FloatTensor from_torch(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = dense.data_ptr<float>();
  return {dense.sizes().vec(), {data, data + dense.numel()}};
}

const at::Tensor& member(const NodeTensors& tensors, graph::ParameterSpec::Role role) {
  using Role = graph::ParameterSpec::Role;
  switch (role) {
    case Role::kWeight:
    case Role::kMixing:
      return tensors.weight;
    case Role::kBias:
      return tensors.bias;
    case Role::kRunningMean:
      return tensors.running_mean;
    case Role::kRunningVar:
      return tensors.running_var;
  }
  throw std::invalid_argument("[nn::member] unknown role");
}

at::Tensor& member(NodeTensors& tensors, graph::ParameterSpec::Role role) {
  return const_cast<at::Tensor&>(member(std::as_const(tensors), role));
}

Binding bind(const graph::Net& net, c10::Device device) {
  graph::check_weights(net);
  Binding binding(static_cast<std::size_t>(net.graph.size()));
  for (int i = 0; i < net.graph.size(); ++i) {
    for (const graph::ParameterSpec& spec : graph::parameters_of(net.graph, i)) {
      member(binding[static_cast<std::size_t>(i)], spec.role) =
          to_torch(net.weights.at(spec.name)).to(device);
    }
  }
  return binding;
}

graph::Net to_net(const graph::Graph& graph, const Binding& binding) {
  if (binding.size() != static_cast<std::size_t>(graph.size())) {
    throw std::invalid_argument("[nn::to_net] the binding is of another graph");
  }
  graph::Net net{graph, {}};
  for (int i = 0; i < graph.size(); ++i) {
    NodeTensors tensors = binding[static_cast<std::size_t>(i)];
    for (const graph::ParameterSpec& spec : graph::parameters_of(graph, i)) {
      net.weights[spec.name] = from_torch(member(tensors, spec.role));
    }
  }
  graph::check_weights(net);
  return net;
}

}  // namespace lathe::nn
