// Summary statistics and agreement measures that latency and accuracy reports share.
#pragma once

#include <span>
#include <vector>

namespace lathe {

/// The q-quantile with linear interpolation between order statistics; q in [0, 1].
/// @throws std::invalid_argument if `values` is empty or q is outside [0, 1].
double quantile(std::span<const double> values, double q);
double median(std::span<const double> values);

/// The median absolute distance from `center`, scaled to be the standard deviation if the values
/// are normal: outliers hardly move it. @throws std::invalid_argument if `values` is empty.
double robust_deviation(std::span<const double> values, double center);
double mean(std::span<const double> values);
/// The standard deviation that the population is estimated to have: squares over one value less.
/// 0 of a single value. @throws std::invalid_argument if `values` is empty.
double sample_deviation(std::span<const double> values);

/// Mean of |predicted - measured| / measured, a fraction.
double mean_absolute_percentage_error(std::span<const double> predicted,
                                      std::span<const double> measured);
double root_mean_square_error(std::span<const double> predicted, std::span<const double> measured);
/// Spearman's rank correlation, ties at their mean rank. 0 when either side is constant.
double spearman(std::span<const double> a, std::span<const double> b);
/// Kendall's tau-b. O(n^2). 0 when either side is constant.
double kendall_tau(std::span<const double> a, std::span<const double> b);

}  // namespace lathe
