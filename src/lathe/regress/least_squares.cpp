#include "lathe/regress/least_squares.h"

#include <stdexcept>
#include <string>

#include "lathe/core/random.h"

namespace lathe::regress {
namespace {

constexpr double kDependent = 1e-9;

Eigen::MatrixXd penalised(const Eigen::MatrixXd& normal, const Eigen::VectorXd& penalty) {
  if (normal.rows() != normal.cols() || normal.rows() != penalty.size() || penalty.size() == 0 ||
      !(penalty.minCoeff() > 0)) {
    throw std::invalid_argument(
        "[regress::NormalEquations] needs a square matrix and a penalty > 0 for each column, got " +
        std::to_string(normal.cols()) + " columns and " + std::to_string(penalty.size()) +
        " penalties");
  }
  Eigen::MatrixXd sum = normal;
  sum.diagonal() += penalty;
  return sum;
}

}  // namespace

Eigen::MatrixXd normal_matrix(const Eigen::SparseMatrix<double>& rows,
                              const Eigen::VectorXd& weights) {
  if (weights.size() != rows.rows()) {
    throw std::invalid_argument("[regress::normal_matrix] weights must be " +
                                std::to_string(rows.rows()) + ", got " +
                                std::to_string(weights.size()));
  }
  const Eigen::SparseMatrix<double> weighted = weights.asDiagonal() * rows;
  const Eigen::SparseMatrix<double> product = rows.transpose() * weighted;
  return Eigen::MatrixXd(product);
}

int rank_of(const Eigen::MatrixXd& normal) {
  const Eigen::VectorXd pivots = normal.ldlt().vectorD();
  return static_cast<int>((pivots.array() > kDependent * pivots.maxCoeff()).count());
}

NormalEquations::NormalEquations(const Eigen::MatrixXd& normal, const Eigen::VectorXd& penalty)
    : penalty_(penalty), factor_(penalised(normal, penalty)) {}

double NormalEquations::effective_unknowns() const {
  constexpr int kVectors = 32;
  Rng rng(0);
  double by_penalty = 0.0;
  for (int v = 0; v < kVectors; ++v) {
    Eigen::VectorXd signs(penalty_.size());
    for (double& sign : signs) sign = rng.uniform() < 0.5 ? -1.0 : 1.0;
    by_penalty += penalty_.cwiseProduct(signs).dot(solve(signs)) / kVectors;
  }
  return static_cast<double>(penalty_.size()) - by_penalty;
}

double NormalEquations::unidentified(const Eigen::VectorXd& query) const {
  return penalty_.cwiseProduct(solve(query)).norm() / query.norm();
}

}  // namespace lathe::regress
