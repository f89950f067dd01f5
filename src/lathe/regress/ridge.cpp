#include "lathe/regress/ridge.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>

#include "lathe/core/random.h"

namespace lathe::regress {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

void check(const MatrixXd& x, const VectorXd& y, const VectorXd& w, const RidgeOptions& o) {
  if (x.rows() != y.size() || w.size() != y.size() || o.folds < 2 || y.size() < 2 * o.folds) {
    throw std::invalid_argument(
        "[regress::fit_ridge] needs a row and a weight for each target, and 2 rows for each of at "
        "least 2 folds; got " +
        std::to_string(x.rows()) + " rows, " + std::to_string(y.size()) + " targets, " +
        std::to_string(w.size()) + " weights and " + std::to_string(o.folds) + " folds");
  }
  if (!x.allFinite() || !y.allFinite() || !w.allFinite() || !(w.minCoeff() > 0)) {
    throw std::invalid_argument("[regress::fit_ridge] values must be finite, and row weights > 0");
  }
  if (o.strengths.empty() || !(*std::ranges::min_element(o.strengths) > 0)) {
    throw std::invalid_argument("[regress::fit_ridge] strengths must be > 0, at least one");
  }
}

/// Sums over rows from which a fit follows; the last column of `product` is the constant's.
struct Sums {
  MatrixXd product;
  VectorXd right;
  double rows = 0;

  Sums(const MatrixXd& x, const VectorXd& y, const VectorXd& w)
      : product(x.transpose() * w.asDiagonal() * x),
        right(x.transpose() * w.cwiseProduct(y)),
        rows(static_cast<double>(x.rows())) {}

  VectorXd solve(double strength) const {
    MatrixXd system = product;
    // The constant is not shrunk.
    system.diagonal().head(system.rows() - 1).array() += strength * rows;
    return system.ldlt().solve(right);
  }
};

Sums operator-(Sums a, const Sums& b) {
  a.product -= b.product;
  a.right -= b.right;
  a.rows -= b.rows;
  return a;
}

MatrixXd rows_of(const MatrixXd& x, std::span<const Index> rows) {
  return x(std::vector<Index>(rows.begin(), rows.end()), Eigen::all);
}

}  // namespace

RidgeFit fit_ridge(const MatrixXd& x, const VectorXd& y, const VectorXd& row_weights,
                   const RidgeOptions& options) {
  check(x, y, row_weights, options);
  const Index n = x.rows();
  const Index p = x.cols();
  const VectorXd w = row_weights / row_weights.mean();
  const VectorXd center = x.colwise().mean();
  MatrixXd z(n, p + 1);
  z.leftCols(p) = x.rowwise() - center.transpose();
  VectorXd scale = (z.leftCols(p).colwise().squaredNorm() / static_cast<double>(n)).cwiseSqrt();
  scale = (scale.array() > 1e-12).select(scale, 1.0);
  z.leftCols(p) = z.leftCols(p) * scale.cwiseInverse().asDiagonal();
  z.col(p).setOnes();

  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  Rng rng(options.seed);
  shuffle(std::span(order), rng);
  const Sums all(z, y, w);
  std::vector<double> errors(options.strengths.size(), 0.0);
  for (int fold = 0; fold < options.folds; ++fold) {
    const auto begin = static_cast<std::size_t>(n * fold / options.folds);
    const auto end = static_cast<std::size_t>(n * (fold + 1) / options.folds);
    const auto left_out = std::span(order).subspan(begin, end - begin);
    const MatrixXd z_out = rows_of(z, left_out);
    const VectorXd y_out = rows_of(y, left_out);
    const VectorXd w_out = rows_of(w, left_out);
    const Sums rest = all - Sums(z_out, y_out, w_out);
    for (std::size_t s = 0; s < errors.size(); ++s) {
      const VectorXd residual = y_out - z_out * rest.solve(options.strengths[s]);
      errors[s] += residual.cwiseAbs2().dot(w_out);
    }
  }
  const auto best = std::ranges::min_element(errors) - errors.begin();
  RidgeFit fit{.strength = options.strengths[static_cast<std::size_t>(best)]};
  const VectorXd solution = all.solve(fit.strength);
  const VectorXd weights = solution.head(p).cwiseQuotient(scale);
  fit.constant = solution[p] - weights.dot(center);
  fit.weights.assign(weights.begin(), weights.end());
  return fit;
}

}  // namespace lathe::regress
