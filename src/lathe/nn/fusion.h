// Which nodes of a graph are run as one operation.
#pragma once

#include <vector>

#include "lathe/graph/graph.h"
#include "lathe/nn/mixture_plan.h"

namespace lathe::nn {

/// One or more nodes that run together. -1: there is no such node.
struct Operation {
  enum class Kind {
    kNode,           ///< `node` alone
    kNormalise,      ///< batch norm `node`, then `activation`
    kConvolve,       ///< convolution `node`, batch norm `norm`, then `activation`, then `add`
    kSqueezeExcite,  ///< the layers `reduce` and `expand`, and `node`, which applies the gate
    kMixture,        ///< the mixed sum `node`, all of its `branches`, and its `bypass`
  };
  Kind kind = Kind::kNode;
  int node = 0;
  int norm = -1;
  int activation = -1;
  int add = -1;
  int reduce = -1;
  int expand = -1;
  /// kConvolve: batch norm and activation are left to the readers, all of which can do them.
  bool pending = false;
  std::vector<MixtureBranch> branches;
  MixtureBypass bypass;
  int result = 0;           ///< the node whose output this gives
  std::vector<int> inputs;  ///< nodes whose outputs are read
  std::vector<int> last;    ///< of these and earlier ones, those that nothing reads afterwards
};

enum class Joining {
  kActivations,   ///< with the batch norm before them alone
  kConvolutions,  ///< also pointwise and depthwise ones with the batch norm after them; a
                  ///< squeeze-and-excite block is one operation
  kMixtures,      ///< also a mixed sum with its branches, which normalises by the batch: to train
};

/// All nodes but the input, in an order in which they can run.
std::vector<Operation> plan(const graph::Graph& graph, Joining joining);

}  // namespace lathe::nn
