#include "lathe/search/chain/greedy_shrink.h"

#include <algorithm>

namespace lathe::search {

void greedy_shrink(std::span<const std::uint32_t> sizes, const ShrinkCosts& costs,
                   const VisitNet& visit) {
  LayerChoices net;
  for (const std::uint32_t size : sizes) {
    net.push_back(size - 1);
  }
  std::vector<std::size_t> open;
  while (visit(net)) {
    open.clear();
    for (std::size_t layer = 0; layer < net.size(); ++layer) {
      if (net[layer] > 0) {
        open.push_back(layer);
      }
    }
    if (open.empty()) {
      return;
    }
    const std::vector<double> hurt = costs(net, open);
    --net[open[static_cast<std::size_t>(std::ranges::min_element(hurt) - hurt.begin())]];
  }
}

}  // namespace lathe::search
