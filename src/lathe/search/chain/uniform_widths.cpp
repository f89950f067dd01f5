#include "lathe/search/chain/uniform_widths.h"

#include <algorithm>
#include <functional>

namespace lathe::search {
namespace {

std::uint32_t nearest(const std::vector<double>& widths, double width) {
  const auto above = std::ranges::lower_bound(widths, width);
  if (above == widths.begin()) {
    return 0;
  }
  const bool below = above == widths.end() || width - *(above - 1) <= *above - width;
  return static_cast<std::uint32_t>((below ? above - 1 : above) - widths.begin());
}

}  // namespace

void uniform_widths(std::span<const std::vector<double>> widths, const VisitNet& visit) {
  std::vector<double> shares;
  for (const std::vector<double>& layer : widths) {
    for (const double width : layer) {
      shares.push_back(width / layer.back());
    }
  }
  std::ranges::sort(shares, std::greater());
  shares.erase(std::unique(shares.begin(), shares.end()), shares.end());
  LayerChoices before;
  for (const double share : shares) {
    LayerChoices net;
    for (const std::vector<double>& layer : widths) {
      net.push_back(nearest(layer, share * layer.back()));
    }
    if (net != before && !visit(net)) {
      return;
    }
    before = std::move(net);
  }
}

}  // namespace lathe::search
