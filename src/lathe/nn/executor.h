// Runs a graph in torch: the one way a net is executed, whether it trains, is calibrated, evaluated
// or timed.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <vector>

#include "lathe/graph/graph.h"
#include "lathe/nn/binding.h"
#include "lathe/nn/fusion.h"
#include "lathe/nn/kernels/norm/normalised.h"
#include "lathe/nn/precision.h"

namespace lathe::nn {

enum class Kernels {
  kLathe,    ///< ours where they are faster (training in channels-last on the CPU)
  kLibrary,  ///< torch's only: what a deployed net runs, so what latency is measured with
};

struct ForwardOptions {
  /// Batch norm uses the batch's statistics and updates the running ones in place; dropout is on.
  bool training = false;
  double momentum = 0.1;                   ///< weight of the batch in the running statistics
  bool dropout = true;                     ///< false: none even when training
  double drop_path = 0;                    ///< rate of kDropPath when training, in [0, 1)
  std::optional<at::Generator> generator;  ///< draws dropout; unset: torch's global one
  Kernels kernels = Kernels::kLathe;
  /// Of layers; batch norm computes in float32 and passes on what it got. TF32 is torch's to use:
  /// see allow_tf32().
  Precision precision = Precision::kFloat32;
  /// Sees the input and each node's output as it is made; of a batch norm and the activation that
  /// alone reads it, only the latter's. If set, no other nodes are joined.
  std::function<void(int node, const at::Tensor& output)> observe = {};
  /// What is read in place of the input and of each node's output, as observe() sees them: the same
  /// shape. If set, no other nodes are joined.
  std::function<at::Tensor(int node, const at::Tensor& output)> replace = {};
};

/// A graph prepared for execution: nodes that run as one operation joined (see fusion.h),
/// intermediate tensors freed after their last reader. Cheap to make (microseconds per node);
/// thread-safe.
class Executor {
 public:
  explicit Executor(graph::Graph graph);

  const graph::Graph& graph() const { return graph_; }

  /// x: [N, C, H, W] float32, C, H and W as the graph's input; gives [N, channels] where the graph
  /// ends in a vector (logits), else [N, C, H, W]. Records for backward when gradients are enabled.
  /// @throws std::invalid_argument if x or the binding doesn't fit the graph.
  at::Tensor forward(const Binding& binding, const at::Tensor& x,
                     const ForwardOptions& options = {}) const;

 private:
  /// A tensor that the binding must have for a node.
  struct Expected {
    int node = 0;
    graph::ParameterSpec spec;
  };
  void check(const Binding& binding, const at::Tensor& x) const;
  Normalised execute(const Operation& operation, const Binding& binding,
                     const std::vector<Normalised>& values, const ForwardOptions& options) const;
  at::Tensor run_node(const Operation& operation, const Binding& binding,
                      const std::vector<Normalised>& values, const ForwardOptions& options) const;
  Normalised convolve_and_normalise(const Operation& operation, const Binding& binding,
                                    const std::vector<Normalised>& values,
                                    const ForwardOptions& options) const;
  at::Tensor mix(const Operation& operation, const Binding& binding,
                 const std::vector<Normalised>& values, const ForwardOptions& options) const;

  graph::Graph graph_;
  std::vector<Operation> trained_;  ///< for our kernels, when training
  std::vector<Operation> joined_;   ///< for our kernels else
  std::vector<Operation> plain_;    ///< for all else
  std::vector<Expected> expected_;
};

}  // namespace lathe::nn
