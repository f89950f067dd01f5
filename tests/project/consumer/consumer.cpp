// What another project can do with the installed package: the MACs of the largest net of a space.
#include <iostream>

#include "lathe/graph/counts.h"
#include "lathe/space/builtin_spaces.h"

int main() {
  const auto space = lathe::space::make_space("mbv3_28");
  std::cout << "largest mbv3_28: " << lathe::graph::macs(space->graph(space->largest()))
            << " macs\n";
}
