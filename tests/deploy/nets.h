// Small nets that between them have every operation, and the corners of each.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "lathe/graph/graph.h"

namespace lathe::testing {

struct NamedGraph {
  std::string name;
  graph::Graph graph;
};

inline std::ostream& operator<<(std::ostream& out, const NamedGraph& named) {
  return out << named.name;
}

std::vector<NamedGraph> small_graphs();

}  // namespace lathe::testing
