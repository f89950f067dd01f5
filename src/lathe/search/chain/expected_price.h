// The price of a cost at which the Boltzmann distribution over nets keeps a limit in expectation.
#pragma once

#include <span>

#include "lathe/space/trellis.h"

namespace lathe::search {

struct ExpectedPrice {
  double price = 0;          ///< what a unit of cost is worth in units of error, >= 0
  double expected_cost = 0;  ///< under it
};

/// The distribution is that of (error + price * cost) / temperature, see ForwardBackward. The price
/// is the maximum of the dual of the free energy, -temperature * log Z(price) - price * limit,
/// which is concave: its derivative is the expected cost minus the limit. So the expected cost
/// falls with the price, and there is one price that makes it the limit, to 1e-4 of it; 0 where the
/// limit binds nobody. `guess`: a price to begin with, such as that of a step before; any answers
/// alike. Some ten to forty times O(transitions).
/// @throws std::invalid_argument unless temperature and limit are > 0 and finite, and there is one
/// error and one cost for each transition; or if the limit is under the least cost of a path that
/// can be taken.
/// @see AOWS (Berman et al., CVPR 2020), section 5. Differs in: the paper takes the price with
/// which the best net at temperature 0 keeps the limit; nets that are drawn then miss it by far
/// while the temperature is high.
ExpectedPrice price_for_expected_cost(const space::Trellis& trellis, std::span<const double> errors,
                                      std::span<const double> costs, double temperature,
                                      double limit, double guess = 0);

}  // namespace lathe::search
