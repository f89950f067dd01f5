// A machine is not equally fast all day: an anchor, measured again with everything, shows it.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace lathe::latency {

/// What each measurement is to be multiplied with so that all are of the same speed of the machine.
/// `anchors_ms[i]`: the turns' medians of the anchor that was timed in turns with measurement i;
/// empty where there was none (its factor is 1). Factors are (typical anchor / own anchor)^w with
/// the anchors' medians; w in [0, 1] is the share of their spread that the turns' own noise does
/// not explain, so that a steady machine's figures are left as they are. O(n log n).
/// @throws std::invalid_argument if a time is not finite and > 0.
std::vector<double> drift_factors(std::span<const std::vector<double>> anchors_ms);
/// By what factor the machine was slower in `after` than in `before`, two files' anchors as above:
/// the ratio of their typical ones. Empty if either file has none. They must be of the same net.
/// @throws as drift_factors().
std::optional<double> drift_between(std::span<const std::vector<double>> before_ms,
                                    std::span<const std::vector<double>> after_ms);

}  // namespace lathe::latency
