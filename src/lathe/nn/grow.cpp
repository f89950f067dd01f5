#include "lathe/nn/grow.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <map>
#include <set>
#include <stdexcept>
#include <string>

namespace lathe::nn {
namespace {

using graph::Op;
using graph::ParameterSpec;

/// What a smaller net has of the parameters: their sizes by name.
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

/// Flat values as named tensors.
class Values {
 public:
  Values(const SharedWeights& weights, const at::Tensor& flat) : weights_(weights), flat_(flat) {}
  at::Tensor operator[](const std::string& name) const {
    return weights_.parameters().part(flat_, name);
  }
  const SharedWeights& weights() const { return weights_; }

 private:
  const SharedWeights& weights_;
  const at::Tensor& flat_;
};

/// The first outputs stop reading all but the first inputs.
void silence_new_inputs(const at::Tensor& weight, const std::vector<std::int64_t>& trained) {
  const std::int64_t inputs = weight.size(1), kept = trained[1];
  if (kept < inputs) {
    weight.narrow(0, 0, trained[0]).narrow(1, kept, inputs - kept).zero_();
  }
}

/// The trained kernel in the middle of the larger one, zeros around it.
void embed_kernel(const Values& values, const std::string& name,
                  const std::vector<std::int64_t>& trained) {
  const at::Tensor weight = values[name];
  const std::int64_t size = weight.size(2), kept = trained[2];
  if (kept == size) {
    return;
  }
  at::Tensor kernel = weight.narrow(0, 0, trained[0]).clone();
  for (const auto& [from, to] : values.weights().kernel_steps(static_cast<int>(size))) {
    if (from <= kept) {
      break;
    }
    const at::Tensor transform = values[kernel_transform_name(name, from, to)];
    const std::int64_t margin = (from - to) / 2;
    kernel = at::linear(kernel.narrow(2, margin, to)
                            .narrow(3, margin, to)
                            .reshape({trained[0], std::int64_t{to} * to}),
                        transform)
                 .view({trained[0], 1, to, to});
    transform.copy_(at::eye(transform.size(0), transform.options()));
  }
  const std::int64_t margin = (size - kept) / 2;
  weight.narrow(0, 0, trained[0]).zero_();
  weight.narrow(0, 0, trained[0]).narrow(2, margin, kept).narrow(3, margin, kept).copy_(kernel);
}

// Of a branch that ends in a rectifier, whose gradient at 0 is 0: nearly silent, but alive.
constexpr double kAlmostSilent = 1e-3;

/// The batch norm that ends the branch of an addition, its activation left aside (of 0 it is 0);
/// null if the branch ends otherwise. What is added to a shortcut is an addition's first input.
const graph::Node* end_of_branch(const graph::Graph& graph, const graph::Node& node) {
  if (node.op != Op::kAdd) {
    return nullptr;
  }
  const graph::Node* end = &graph[node.inputs[0]];
  if (end->op == Op::kActivation && end->activation != graph::Activation::kHSigmoid) {
    end = &graph[end->inputs[0]];
  }
  return end->op == Op::kBatchNorm ? end : nullptr;
}

/// Branches of blocks that the trained net lacks.
void silence_new_branches(const graph::Graph& largest, const Shapes& trained,
                          const Values& values) {
  for (const graph::Node& node : largest.nodes()) {
    const graph::Node* end = end_of_branch(largest, node);
    if (end != nullptr && !trained.contains(end->name + ".weight")) {
      const bool rectified = largest[node.inputs[0]].op == Op::kActivation;
      values[end->name + ".weight"].fill_(rectified ? kAlmostSilent : 0.0);
      values[end->name + ".bias"].zero_();
    }
  }
}

/// Every layer that the trained net lacks is in a residual branch, or nothing could silence it.
void require_residual(const graph::Graph& largest, const Shapes& trained) {
  std::set<std::string> silenced;  // nodes upstream of a new branch's end, and that end
  for (int i = 0; i < largest.size(); ++i) {
    const graph::Node& add = largest[i];
    const graph::Node* end = end_of_branch(largest, add);
    if (end == nullptr || trained.contains(end->name + ".weight")) {
      continue;
    }
    for (int n = add.inputs[0]; n > add.inputs[1]; --n) {
      silenced.insert(largest[n].name);
    }
  }
  for (int i = 0; i < largest.size(); ++i) {
    for (const ParameterSpec& spec : graph::parameters_of(largest, i)) {
      if (!trained.contains(spec.name) && !silenced.contains(largest[i].name)) {
        throw std::invalid_argument("[nn::grow] the trained net lacks " + largest[i].name +
                                    ", which has no residual branch");
      }
    }
  }
}

void grow_values(const graph::Graph& largest, const Shapes& trained, const Values& values) {
  silence_new_branches(largest, trained, values);
  for (int i = 0; i < largest.size(); ++i) {
    for (const ParameterSpec& spec : graph::parameters_of(largest, i)) {
      const auto of_trained = trained.find(spec.name);
      if (of_trained == trained.end() || spec.role != ParameterSpec::Role::kWeight ||
          spec.op == Op::kBatchNorm) {
        continue;
      }
      if (spec.op == Op::kConv && largest[i].groups > 1) {
        embed_kernel(values, spec.name, of_trained->second);
      } else {
        silence_new_inputs(values[spec.name], of_trained->second);
      }
    }
  }
}

}  // namespace

void grow(SharedWeights& weights, const space::Space& space, const space::Arch& trained,
          const std::vector<at::Tensor>& averages) {
  const c10::NoGradGuard no_grad;
  const graph::Graph largest = space.graph(space.largest());
  Shapes shapes;
  for (ParameterSpec& spec : graph::parameters_of(space.graph(trained))) {
    shapes[spec.name] = std::move(spec.shape);
  }
  require_residual(largest, shapes);
  grow_values(largest, shapes, {weights, weights.parameters().values()});
  for (const at::Tensor& average : averages) {
    grow_values(largest, shapes, {weights, average});
  }
}

}  // namespace lathe::nn
