// The torch tensors that the nodes of a graph read: where a net's structure meets its weights.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <vector>

#include "lathe/graph/fold.h"

namespace lathe::nn {

/// What one node reads; undefined where it has no such parameter.
struct NodeTensors {
  at::Tensor weight;  ///< of a mixed sum what it mixes by
  at::Tensor bias;
  at::Tensor running_mean;
  at::Tensor running_var;
};

/// One entry per node of the graph it was made for.
using Binding = std::vector<NodeTensors>;

/// Copies of a static net's weights as tensors without gradients, on `device`.
/// @throws std::invalid_argument as graph::check_weights.
Binding bind(const graph::Net& net, c10::Device device = c10::kCPU);

/// The tensors of `binding` copied out of torch, as a net of its own: slices become whole tensors.
/// @throws std::invalid_argument if the binding is of another graph.
graph::Net to_net(const graph::Graph& graph, const Binding& binding);

/// Copies between the two worlds.
at::Tensor to_torch(const FloatTensor& tensor);
FloatTensor from_torch(const at::Tensor& tensor);

/// The member of `tensors` that plays `role`.
at::Tensor& member(NodeTensors& tensors, graph::ParameterSpec::Role role);
const at::Tensor& member(const NodeTensors& tensors, graph::ParameterSpec::Role role);

}  // namespace lathe::nn
