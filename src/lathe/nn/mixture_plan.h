// The operations that a mixed sum adds up, found in a graph.
#pragma once

#include <vector>

#include "lathe/graph/graph.h"

namespace lathe::nn {

/// Nodes of ReLU, depthwise convolution, pointwise convolution and batch norm; the ReLU may have
/// other readers.
struct SeparableNodes {
  int relu = 0;
  int depthwise = 0;
  int pointwise = 0;
  int norm = 0;
};

/// What leads to one term of a mixed sum.
struct MixtureBranch {
  int input = 0;  ///< the node that it begins with: the term itself where the rest is empty
  int pool = -1;
  int norm = -1;  ///< of the pool
  std::vector<SeparableNodes> convs;

  bool empty() const { return pool < 0 && convs.empty(); }
  /// All nodes after the input that nothing but the branch reads.
  std::vector<int> inner() const;
};

/// What bypasses the branches of a mixed sum whose inputs are parts of channels (PC-DARTS).
struct MixtureBypass {
  int sum = -1;             ///< the mixed sum of what bypasses; -1: there is none
  int result = -1;          ///< the shuffle of both sums
  std::vector<int> states;  ///< the whole maps, one for each term of that sum
  std::vector<int> inner;   ///< nodes that nothing else reads, with the result
};

/// The bypass beside the mixed sum `node`, if there is one; branches then begin with whole maps
/// where they began with parts of them.
MixtureBypass bypass_of(const graph::Graph& graph, const std::vector<std::vector<int>>& readers,
                        int node, std::vector<MixtureBranch>& branches);

/// One branch for each term of the mixed sum `node`: 3 x 3 pools, and one or two separable
/// convolutions, each with a batch norm without scale and shift; anything else is an input.
/// `readers` are those of each node.
std::vector<MixtureBranch> branches_of(const graph::Graph& graph,
                                       const std::vector<std::vector<int>>& readers, int node);

}  // namespace lathe::nn
