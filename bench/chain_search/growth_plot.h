// How a time grows, as a picture with logarithmic axes.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lathe::bench {

struct GrowthSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< size, milliseconds; both > 0
};

/// A whole SVG file.
std::string growth_svg(const std::string& title, const std::string& size_label,
                       const std::vector<GrowthSeries>& series);

}  // namespace lathe::bench
