// Ridge regression with one strength, chosen by cross-validation.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

namespace lathe::regress {

struct RidgeFit {
  double constant = 0.0;
  std::vector<double> weights;
  double strength = 0.0;  ///< the chosen one, for columns of unit variance
};

struct RidgeOptions {
  int folds = 5;
  /// Tried ones: strengths[k] * n is added to the diagonal for standardised columns.
  std::vector<double> strengths = {1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0};
  std::uint64_t seed = 0;  ///< of the folds
};

/// Minimises sum of row_weights[i] * (y[i] - constant - x[i] w)^2 + strength * n * |w|^2, the
/// columns standardised first. The strength is the one with the least weighted error on left-out
/// folds; their normal equations are differences of sums, so that it costs folds * strengths
/// factorisations of the size of a row and no more passes over the data.
/// x: [n, p]. O(n p^2 + folds * strengths * p^3).
/// @throws std::invalid_argument if sizes disagree, there are fewer than 2 rows per fold, a value
/// is not finite, a row weight not > 0, or there is no strength or one that is not > 0.
RidgeFit fit_ridge(const Eigen::MatrixXd& x, const Eigen::VectorXd& y,
                   const Eigen::VectorXd& row_weights, const RidgeOptions& options = {});

}  // namespace lathe::regress
