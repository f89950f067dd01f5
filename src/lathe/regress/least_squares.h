// Least squares over sparse rows by their normal equations, and what of the unknowns they tell.
#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/SparseCore>

namespace lathe::regress {

/// A^T diag(weights) A, dense. `rows` = A: [n, p].
/// @throws std::invalid_argument if the weights are not as many as the rows.
Eigen::MatrixXd normal_matrix(const Eigen::SparseMatrix<double>& rows,
                              const Eigen::VectorXd& weights);

/// The rank of A from A^T A: pivots above 1e-9 of the largest. Right for counts, where columns are
/// either dependent or clearly not. O(p^3).
int rank_of(const Eigen::MatrixXd& normal);

/// A factor of `normal` + diag(`penalty`), by Cholesky.
class NormalEquations {
 public:
  /// @throws std::invalid_argument if sizes disagree, or a penalty is not > 0.
  NormalEquations(const Eigen::MatrixXd& normal, const Eigen::VectorXd& penalty);

  /// x of (normal + penalty) x = right.
  Eigen::VectorXd solve(const Eigen::VectorXd& right) const { return factor_.solve(right); }

  /// query^T (normal + penalty)^-1 query: times the noise's variance, that of the answer.
  double leverage(const Eigen::VectorXd& query) const { return query.dot(solve(query)); }

  /// How many unknowns the rows decide rather than the penalty: the trace of (normal + penalty)^-1
  /// normal, estimated with 32 random vectors of signs (Hutchinson), always the same. O(p^2).
  double effective_unknowns() const;

  /// The share of `query` that the rows say nothing about, so that the penalty answers alone: from
  /// 0 (in the rows' span) to 1 (orthogonal to it), if the penalty is small and the same for all.
  double unidentified(const Eigen::VectorXd& query) const;

 private:
  Eigen::VectorXd penalty_;
  Eigen::LLT<Eigen::MatrixXd> factor_;
};

}  // namespace lathe::regress
