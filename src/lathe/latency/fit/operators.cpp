#include "lathe/latency/fit/operators.h"

namespace lathe::latency {
namespace {

using graph::Node;
using graph::Op;

bool folds(Op op) {
  return op == Op::kBatchNorm || op == Op::kActivation || op == Op::kDropout || op == Op::kDropPath;
}

OperatorKind kind_of(const Node& node) {
  switch (node.op) {
    case Op::kConv:
      if (node.groups > 1) {
        return OperatorKind::kDepthwise;
      }
      if (node.shape.height * node.shape.width == 1) {
        return OperatorKind::kVector;
      }
      return node.kernel > 1 ? OperatorKind::kDense : OperatorKind::kPointwise;
    case Op::kLinear:
      return OperatorKind::kVector;
    case Op::kAdd:
    case Op::kConcat:
      return OperatorKind::kAdd;
    case Op::kMul:
      return OperatorKind::kMul;
    default:
      return OperatorKind::kPool;
  }
}

double weights(const Operator& op) {
  const double area = static_cast<double>(op.kernel) * op.kernel;
  switch (op.kind) {
    case OperatorKind::kDepthwise:
      return op.out_channels * area;
    case OperatorKind::kPointwise:
    case OperatorKind::kDense:
    case OperatorKind::kVector:
      return static_cast<double>(op.in_channels) * op.out_channels * area;
    default:
      return 0.0;
  }
}

double area(int size) { return static_cast<double>(size) * size; }

}  // namespace

double Operator::macs() const { return weights(*this) * area(out_size); }

double Operator::moved() const {
  return in_channels * area(in_size) + out_channels * area(out_size) + weights(*this);
}

std::vector<Operator> operators_of(const space::Block& block) {
  const graph::Graph graph = space::lower({&block, 1});
  std::vector<Operator> operators;
  for (const Node& node : graph.nodes()) {
    if (node.op == Op::kInput || folds(node.op)) {
      continue;
    }
    const graph::Shape& in = graph[node.inputs.front()].shape;
    operators.push_back({.kind = kind_of(node),
                         .in_channels = in.channels,
                         .out_channels = node.shape.channels,
                         .in_size = in.height,
                         .out_size = node.shape.height,
                         .kernel = node.kernel,
                         .hard_activation = block.activation == graph::Activation::kHSwish});
  }
  return operators;
}

}  // namespace lathe::latency
