#include "lathe/search/chain/limited_cost.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lathe::search {

double rounding_of(const space::Trellis& trellis, std::span<const double> costs) {
  constexpr double kRounding = 1e-12;  // relative
  double sum = 0;
  for (std::size_t s = 0; s < trellis.num_steps(); ++s) {
    double most = 0;
    for (std::uint32_t t = trellis.first_transition(s); t < trellis.first_transition(s + 1); ++t) {
      most = std::isfinite(costs[t]) ? std::max(most, std::abs(costs[t])) : most;
    }
    sum += most;
  }
  return kRounding * sum;
}

}  // namespace lathe::search
