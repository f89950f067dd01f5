#include "lathe/nn/fusion.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

namespace lathe::nn {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Node;
using graph::Op;

class Planner {
 public:
  Planner(const Graph& graph, Joining joining)
      : graph_(graph),
        convolutions_(joining != Joining::kActivations),
        readers_(static_cast<std::size_t>(graph.size())),
        done_(static_cast<std::size_t>(graph.size())) {
    for (int i = 0; i < graph.size(); ++i) {
      for (const int input : graph[i].inputs)
        readers_[static_cast<std::size_t>(input)].push_back(i);
    }
    if (joining == Joining::kMixtures) find_mixtures();
  }

  std::vector<Operation> run() {
    if (convolutions_) {
      for (int i = 1; i < graph_.size(); ++i) find_squeeze_excite(i);
    }
    std::vector<Operation> plan;
    for (int i = 1; i < graph_.size(); ++i) {
      if (!done(i)) plan.push_back(operation_at(i));
    }
    std::vector<bool> seen(readers_.size(), false);
    for (auto operation = plan.rbegin(); operation != plan.rend(); ++operation) {
      for (const int input : operation->inputs) {
        if (!seen[static_cast<std::size_t>(input)]) {
          seen[static_cast<std::size_t>(input)] = true;
          operation->last.push_back(input);
        }
      }
    }
    return plan;
  }

 private:
  bool done(int node) const { return done_[static_cast<std::size_t>(node)]; }
  void mark(int node) { done_[static_cast<std::size_t>(node)] = true; }

  /// The only reader of `node`, or -1.
  int only_reader(int node) const {
    const std::vector<int>& readers = readers_[static_cast<std::size_t>(node)];
    return readers.size() == 1 ? readers.front() : -1;
  }
  /// The only reader of `node` if it is an `op`, else -1.
  int only_reader(int node, Op op) const {
    const int reader = only_reader(node);
    return reader >= 0 && graph_[reader].op == op ? reader : -1;
  }

  bool is_depthwise(const Node& node) const {
    return node.groups > 1 && node.groups == node.shape.channels &&
           graph_[node.inputs[0]].shape.channels == node.groups && node.kernel >= 3 &&
           node.kernel <= 7 && node.kernel % 2 == 1 && node.stride <= 2;
  }
  static bool is_pointwise(const Node& node) {
    return node.groups == 1 && node.kernel == 1 && node.stride == 1;
  }
  /// A convolution that our kernels run together with its batch norm.
  bool is_joined(int i) const {
    const Node& node = graph_[i];
    return node.op == Op::kConv && !node.bias && node.dilation == 1 &&
           node.padding == node.kernel / 2 && (is_pointwise(node) || is_depthwise(node)) &&
           only_reader(i, Op::kBatchNorm) >= 0;
  }

  /// The one input of `node` if that is an `op` with no other reader, else -1.
  int before(int node, Op op) const {
    const int input = graph_[node].inputs[0];
    return graph_[input].op == op && only_reader(input) == node ? input : -1;
  }

  /// Records a squeeze-and-excite block that ends in `mul`.
  void find_squeeze_excite(int mul) {
    if (graph_[mul].op != Op::kMul) return;
    const int x = graph_[mul].inputs[0];
    const int sigmoid = graph_[mul].inputs[1];
    if (graph_[sigmoid].op != Op::kActivation || only_reader(sigmoid) != mul ||
        graph_[sigmoid].activation != Activation::kHSigmoid) {
      return;
    }
    const int expand = before(sigmoid, Op::kConv);
    const int relu = expand < 0 ? -1 : before(expand, Op::kActivation);
    const int reduce = relu < 0 ? -1 : before(relu, Op::kConv);
    const int pool = reduce < 0 ? -1 : before(reduce, Op::kGlobalAvgPool);
    if (pool < 0 || graph_[pool].inputs[0] != x || graph_[relu].activation != Activation::kRelu) {
      return;
    }
    for (const int layer : {reduce, expand}) {
      if (!graph_[layer].bias || !is_pointwise(graph_[layer]) || graph_[layer].padding != 0) return;
    }
    for (const int node : {pool, reduce, relu, expand, sigmoid}) mark(node);
    squeeze_excites_[mul] = {.kind = Operation::Kind::kSqueezeExcite,
                             .node = mul,
                             .reduce = reduce,
                             .expand = expand,
                             .result = mul,
                             .inputs = {x}};
  }

  /// Records the mixed sums that have branches, and leaves out activations that nothing else reads.
  void find_mixtures() {
    for (int i = 1; i < graph_.size(); ++i) {
      if (graph_[i].op != Op::kMixedSum) continue;
      Operation mixture{.kind = Operation::Kind::kMixture, .node = i, .result = i};
      mixture.branches = branches_of(graph_, readers_, i);
      if (std::all_of(mixture.branches.begin(), mixture.branches.end(),
                      [](const MixtureBranch& branch) { return branch.empty(); })) {
        continue;
      }
      for (const MixtureBranch& branch : mixture.branches) {
        for (const int node : branch.inner()) mark(node);
      }
      mixture.bypass = bypass_of(graph_, readers_, i, mixture.branches);
      for (const int node : mixture.bypass.inner) mark(node);
      if (mixture.bypass.sum >= 0) mixture.result = mixture.bypass.result;
      mixture.inputs = mixture.bypass.states;
      for (const MixtureBranch& branch : mixture.branches) {
        if (std::find(mixture.inputs.begin(), mixture.inputs.end(), branch.input) ==
            mixture.inputs.end()) {
          mixture.inputs.push_back(branch.input);
        }
      }
      mixtures_[i] = std::move(mixture);
    }
    leave_out_unread();
  }

  /// Leaves out activations and slices that mixtures alone read, which begin with what is before.
  void leave_out_unread() {
    for (int i = graph_.size() - 1; i > 0; --i) {
      if (graph_[i].op != Op::kActivation && graph_[i].op != Op::kSlice) continue;
      const std::vector<int>& readers = readers_[static_cast<std::size_t>(i)];
      if (!readers.empty() && std::all_of(readers.begin(), readers.end(), [&](int reader) {
            return done(reader) || reads_before(reader, i);
          })) {
        mark(i);
      }
    }
  }

  /// Whether `reader` is a mixture that begins with what is before `node`.
  bool reads_before(int reader, int node) const {
    const auto mixture = mixtures_.find(reader);
    if (mixture == mixtures_.end()) return false;
    const std::vector<int>& inputs = mixture->second.inputs;
    return std::find(inputs.begin(), inputs.end(), node) == inputs.end();
  }

  /// Whether `reader` can take `node` with its batch norm pending.
  bool takes_pending(int reader, int node) const {
    if (is_joined(reader)) return true;
    if (graph_[reader].op == Op::kMixedSum) {
      return mixtures_.count(reader) == 0 && graph_[node].op == Op::kBatchNorm &&
             !graph_[node].affine;
    }
    return std::any_of(squeeze_excites_.begin(), squeeze_excites_.end(), [&](const auto& entry) {
      const Operation& block = entry.second;
      // Its first reader is the pooling, which is part of the block.
      return block.inputs[0] == node &&
             (reader == block.node || (graph_[reader].op == Op::kGlobalAvgPool && done(reader)));
    });
  }

  Operation convolve(int conv) {
    Operation operation{.kind = Operation::Kind::kConvolve,
                        .node = conv,
                        .norm = only_reader(conv),
                        .inputs = graph_[conv].inputs};
    operation.result = operation.norm;
    operation.activation = only_reader(operation.result, Op::kActivation);
    if (operation.activation >= 0) operation.result = operation.activation;
    const std::vector<int>& readers = readers_[static_cast<std::size_t>(operation.result)];
    operation.pending =
        !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](int reader) {
          return takes_pending(reader, operation.result);
        });
    const int add = only_reader(operation.result, Op::kAdd);
    if (add >= 0) {
      const std::vector<int>& terms = graph_[add].inputs;
      const int other = terms[0] == operation.result ? terms[1] : terms[0];
      if (other < conv) {
        operation.add = add;
        operation.result = add;
        operation.inputs.push_back(other);
      }
    }
    for (const int node : {operation.norm, operation.activation, operation.add}) {
      if (node >= 0) mark(node);
    }
    return operation;
  }

  Operation operation_at(int i) {
    if (const auto block = squeeze_excites_.find(i); block != squeeze_excites_.end()) {
      return block->second;
    }
    if (const auto mixture = mixtures_.find(i); mixture != mixtures_.end()) {
      return mixture->second;
    }
    if (convolutions_ && is_joined(i)) return convolve(i);
    Operation operation{.node = i, .result = i, .inputs = graph_[i].inputs};
    if (graph_[i].op == Op::kBatchNorm) {
      operation.kind = Operation::Kind::kNormalise;
      operation.activation = only_reader(i, Op::kActivation);
      if (operation.activation >= 0) {
        operation.result = operation.activation;
        mark(operation.activation);
      }
    }
    return operation;
  }

  const Graph& graph_;
  bool convolutions_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> done_;
  std::map<int, Operation> squeeze_excites_;  // by the node that applies the gate
  std::map<int, Operation> mixtures_;         // by the sum
};

}  // namespace

std::vector<Operation> plan(const graph::Graph& graph, Joining joining) {
  return Planner(graph, joining).run();
}

}  // namespace lathe::nn
