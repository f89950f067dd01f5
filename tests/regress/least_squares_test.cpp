#include "lathe/regress/least_squares.h"

#include <gtest/gtest.h>

#include <Eigen/LU>
#include <Eigen/QR>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe::regress {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;
using lathe::testing::text_thrown;

/// One-hots of three factors with 4, 3 and 5 levels: rank 4 + 3 + 5 - 2.
Eigen::SparseMatrix<double> one_hots(int rows) {
  Rng rng(1);
  std::vector<Eigen::Triplet<double>> entries;
  for (int i = 0; i < rows; ++i) {
    int offset = 0;
    for (const std::uint32_t levels : {4U, 3U, 5U}) {
      entries.emplace_back(i, offset + static_cast<int>(rng.below(levels)), 1.0);
      offset += static_cast<int>(levels);
    }
  }
  Eigen::SparseMatrix<double> matrix(rows, 12);
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

TEST(LeastSquaresTest, AgreesWithAnOrthogonalDecomposition) {
  const auto rows = one_hots(50);
  Rng rng(2);
  VectorXd weights(50), targets(50);
  for (Eigen::Index i = 0; i < 50; ++i) {
    weights[i] = 0.5 + rng.uniform();
    targets[i] = rng.normal();
  }
  const VectorXd root = weights.cwiseSqrt();
  const MatrixXd dense = root.asDiagonal() * MatrixXd(rows);
  const auto oracle = dense.completeOrthogonalDecomposition();
  const MatrixXd normal = normal_matrix(rows, weights);
  EXPECT_EQ(rank_of(normal), 10);
  EXPECT_EQ(oracle.rank(), 10);
  const NormalEquations equations(normal, VectorXd::Constant(12, 1e-7));
  const VectorXd right = rows.transpose() * weights.cwiseProduct(targets);
  // Both take the shortest of the solutions.
  EXPECT_LT((equations.solve(right) - oracle.solve(root.cwiseProduct(targets))).norm(), 1e-5);

  const VectorXd in_span = MatrixXd(rows).row(0);
  VectorXd outside = VectorXd::Zero(12);
  outside[0] = 1;
  EXPECT_LT(equations.unidentified(in_span), 1e-5);
  EXPECT_GT(equations.unidentified(outside), 0.1);
  EXPECT_NEAR(equations.leverage(in_span),
              (oracle.pseudoInverse().transpose() * in_span).squaredNorm(), 1e-5);
}

TEST(LeastSquaresTest, CountsTheUnknownsThatTheRowsDecide) {
  const MatrixXd normal = normal_matrix(one_hots(50), VectorXd::Ones(50));
  for (const double penalty : {1e-6, 1.0, 30.0}) {
    const MatrixXd whole = normal + penalty * MatrixXd::Identity(12, 12);
    const double exact = (whole.inverse() * normal).trace();
    EXPECT_NEAR(NormalEquations(normal, VectorXd::Constant(12, penalty)).effective_unknowns(),
                exact, 0.5)
        << penalty;
  }
}

TEST(LeastSquaresTest, RefusesWhatDoesntFit) {
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([] { normal_matrix(one_hots(5), VectorXd::Ones(4)); }),
      "[regress::normal_matrix] weights must be 5, got 4");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { NormalEquations(MatrixXd::Identity(3, 3), VectorXd::Zero(3)); }),
            "[regress::NormalEquations] needs a square matrix and a penalty > 0 for each column, "
            "got 3 columns and 3 penalties");
}

}  // namespace
}  // namespace lathe::regress
