// Which nodes of a graph are run as one operation.
#pragma once

#include <vector>

#include "lathe/graph/graph.h"

namespace lathe::nn {

/// One or more nodes that run together. -1: there is no such node.
struct Operation {
  enum class Kind {
    kNode,           ///< `node` alone
    kNormalise,      ///< batch norm `node`, then `activation`
    kConvolve,       ///< convolution `node`, batch norm `norm`, then `activation`, then `add`
    kSqueezeExcite,  ///< the layers `reduce` and `expand`, and `node`, which applies the gate
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
  int result = 0;           ///< the node whose output this gives
  std::vector<int> inputs;  ///< nodes whose outputs are read
  std::vector<int> last;    ///< of these and earlier ones, those that nothing reads afterwards
};

/// All nodes but the input, in an order in which they can run. With `convolutions`, pointwise and
/// depthwise ones are joined with the batch norm after them, and squeeze-and-excite blocks become
/// one operation; without, batch norm is joined with its activation alone.
std::vector<Operation> plan(const graph::Graph& graph, bool convolutions);

}  // namespace lathe::nn
