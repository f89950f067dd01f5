#include "lathe/regress/ridge.h"

#include <gtest/gtest.h>

#include <Eigen/QR>
#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"
#include "regress/random_matrix.h"

namespace lathe::regress {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using lathe::testing::random_matrix;
using lathe::testing::text_thrown;

TEST(RidgeTest, MinimisesThePenalisedSquares) {
  Rng rng(1);
  const Index n = 40;
  const MatrixXd x = (3.0 * random_matrix(n, 6, rng)).array() + 1.0;
  const VectorXd y = random_matrix(n, 1, rng);
  VectorXd w = random_matrix(n, 1, rng).cwiseAbs().array() + 0.1;
  w /= w.mean();
  const double strength = 0.2;
  // With standardised columns, as one least-squares problem.
  const Eigen::RowVectorXd center = x.colwise().mean();
  MatrixXd z = x.rowwise() - center;
  const VectorXd scale = (z.colwise().squaredNorm() / double(n)).cwiseSqrt();
  z = z * scale.cwiseInverse().asDiagonal();
  MatrixXd a = MatrixXd::Zero(n + 6, 7);
  a.topLeftCorner(n, 6) = w.cwiseSqrt().asDiagonal() * z;
  a.col(6).head(n) = w.cwiseSqrt();
  a.bottomLeftCorner(6, 6) = std::sqrt(strength * n) * MatrixXd::Identity(6, 6);
  VectorXd right = VectorXd::Zero(n + 6);
  right.head(n) = w.cwiseSqrt().cwiseProduct(y);
  const VectorXd expected = a.completeOrthogonalDecomposition().solve(right);

  const RidgeFit fit = fit_ridge(x, y, 7.0 * w, {.strengths = {strength}});
  EXPECT_EQ(fit.strength, strength);
  double constant = expected[6];
  for (Index i = 0; i < 6; ++i) {
    EXPECT_NEAR(fit.weights[static_cast<std::size_t>(i)], expected[i] / scale[i], 1e-10);
    constant -= expected[i] / scale[i] * center[i];
  }
  EXPECT_NEAR(fit.constant, constant, 1e-10);
}

TEST(RidgeTest, ChoosesByLeftOutFolds) {
  Rng rng(2);
  const MatrixXd x = random_matrix(60, 50, rng);
  const VectorXd noise = random_matrix(60, 1, rng);
  const VectorXd ones = VectorXd::Ones(60);
  EXPECT_EQ(fit_ridge(x, noise, ones).strength, 1.0);
  const VectorXd exact = x * random_matrix(50, 1, rng);
  EXPECT_LT(fit_ridge(x, exact, ones).strength, 0.1);
}

TEST(RidgeTest, AColumnThatNeverVariesIsNoMatter) {
  Rng rng(3);
  MatrixXd x = random_matrix(30, 2, rng);
  x.col(1).setConstant(4.0);
  const VectorXd y = 2.0 + (3.0 * x.col(0)).array();
  const RidgeFit fit = fit_ridge(x, y, VectorXd::Ones(30));
  EXPECT_NEAR(fit.weights[0], 3.0, 1e-3);
  EXPECT_NEAR(fit.weights[1], 0.0, 1e-9);
  EXPECT_NEAR(fit.constant, 2.0, 1e-2);
}

TEST(RidgeTest, RefusesWhatDoesntFit) {
  const MatrixXd x = MatrixXd::Ones(9, 1);
  const VectorXd y = VectorXd::Ones(9);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fit_ridge(x, y, y); }),
            "[regress::fit_ridge] needs a row and a weight for each target, and 2 rows for each of "
            "at least 2 folds; got 9 rows, 9 targets, 9 weights and 5 folds");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { fit_ridge(x, y, 0 * y, {.folds = 2}); }),
            "[regress::fit_ridge] values must be finite, and row weights > 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { fit_ridge(x, y, y, {.folds = 2, .strengths = {0.0}}); }),
            "[regress::fit_ridge] strengths must be > 0, at least one");
}

}  // namespace
}  // namespace lathe::regress
