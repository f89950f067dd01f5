#include "lathe/regress/line.h"

#include <stdexcept>
#include <string>

#include "lathe/core/statistics.h"

namespace lathe::regress {

Line fit_line(std::span<const double> x, std::span<const double> y) {
  if (x.empty() || x.size() != y.size()) {
    throw std::invalid_argument("[regress::fit_line] needs as many x as y, at least one, got " +
                                std::to_string(x.size()) + " and " + std::to_string(y.size()));
  }
  const double mean_x = mean(x);
  const double mean_y = mean(y);
  double xx = 0.0;
  double xy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  const double slope = xx > 0 ? xy / xx : 0.0;
  return {.intercept = mean_y - slope * mean_x, .slope = slope};
}

}  // namespace lathe::regress
