// One multiplier for all layers' widths (MobileNet).
#pragma once

#include <span>
#include <vector>

#include "lathe/search/chain/greedy_shrink.h"

namespace lathe::search {

/// Visits the nets whose layers all have the same share of their greatest width, as near as their
/// choices come to it (the narrower of two equally near), from the widest to the narrowest; for
/// each share that some choice has. `widths`: the choices of each layer, ascending, > 0.
/// @see Howard et al., "MobileNets" (2017), section 3.3.
void uniform_widths(std::span<const std::vector<double>> widths, const VisitNet& visit);

}  // namespace lathe::search
