#include "lathe/regress/group_ridge.h"

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

constexpr GroupRidgeOptions kPlain{.huber = 1e9};  // no observation is ever weighed down

TEST(GroupRidgeTest, SolvesThePrimalProblem) {
  Rng rng(1);
  const Index n = 30;
  const MatrixXd x = random_matrix(n, 8, rng);
  const MatrixXd fixed = MatrixXd::Ones(n, 1);
  const VectorXd y = random_matrix(n, 1, rng);
  const VectorXd noise = random_matrix(n, 1, rng).cwiseAbs().array() + 0.5;
  const double variance = 0.7;
  // min |D (y - F b - X w)|^2 + |w|^2 / variance as one least-squares problem.
  MatrixXd a = MatrixXd::Zero(n + 8, 9);
  a.topLeftCorner(n, 1) = noise.cwiseInverse().asDiagonal() * fixed;
  a.topRightCorner(n, 8) = noise.cwiseInverse().asDiagonal() * x;
  a.bottomRightCorner(8, 8) = MatrixXd::Identity(8, 8) / std::sqrt(variance);
  VectorXd right = VectorXd::Zero(n + 8);
  right.head(n) = y.cwiseQuotient(noise);
  const VectorXd expected = a.completeOrthogonalDecomposition().solve(right);

  const DualFit fit = solve_dual_ridge(variance * x * x.transpose(), fixed, y, noise, kPlain);
  EXPECT_NEAR(fit.fixed[0], expected[0], 1e-10);
  EXPECT_LT((variance * x.transpose() * fit.dual - expected.tail(8)).norm(), 1e-10);
}

TEST(GroupRidgeTest, ChoosesTheStrengthsThatMadeTheData) {
  Rng rng(2);
  const Index n = 400;
  const MatrixXd strong = random_matrix(n, 100, rng);
  const MatrixXd weak = random_matrix(n, 100, rng);
  const MatrixXd useless = random_matrix(n, 100, rng);
  const VectorXd scale = random_matrix(n, 1, rng).cwiseAbs().array() + 0.5;
  const VectorXd y =
      5.0 + (strong * random_matrix(100, 1, rng) * 2.0 + weak * random_matrix(100, 1, rng) * 0.3 +
             0.5 * scale.cwiseProduct(random_matrix(n, 1, rng)))
                .array();
  const std::vector<MatrixXd> grams{strong * strong.transpose(), weak * weak.transpose(),
                                    useless * useless.transpose()};
  const GroupStrengths s = choose_strengths(grams, MatrixXd::Ones(n, 1), y, scale, kPlain);
  EXPECT_NEAR(std::sqrt(s.variances[0]), 2.0, 0.4);
  EXPECT_NEAR(std::sqrt(s.variances[1]), 0.3, 0.06);
  EXPECT_LT(std::sqrt(s.variances[2]), 0.05);
  EXPECT_NEAR(s.noise, 0.5, 0.1);
}

TEST(GroupRidgeTest, WildObservationsDontDecide) {
  Rng rng(3);
  const Index n = 60;
  const MatrixXd x = random_matrix(n, 5, rng);
  const VectorXd w = random_matrix(5, 1, rng);
  const VectorXd clean = 3.0 + (x * w + 0.01 * random_matrix(n, 1, rng)).array();
  VectorXd wild = clean;
  for (Index i = 0; i < n; i += 10) {
    wild[i] += 50;
  }
  const MatrixXd gram = x * x.transpose();
  const MatrixXd ones = MatrixXd::Ones(n, 1);
  const VectorXd noise = VectorXd::Constant(n, 0.01);
  const auto weights = [&](const VectorXd& y, double huber) -> VectorXd {
    return x.transpose() *
           solve_dual_ridge(gram, ones, y, noise, {.huber = huber, .rounds = 20}).dual;
  };
  EXPECT_LT((weights(wild, 0.5) - w).norm(), 0.05);
  EXPECT_GT((weights(wild, 1e9) - w).norm(), 1.0);
}

TEST(GroupRidgeTest, AGroupThatVariesNothingGetsNoVariance) {
  Rng rng(4);
  const VectorXd y = random_matrix(20, 1, rng);
  const std::vector<MatrixXd> grams{MatrixXd::Zero(20, 20), MatrixXd::Ones(20, 20)};
  const GroupStrengths s =
      choose_strengths(grams, MatrixXd::Ones(20, 1), y, VectorXd::Ones(20), kPlain);
  EXPECT_EQ(s.variances, (std::vector<double>{0, 0}));
  EXPECT_NEAR(s.noise * s.noise, (y.array() - y.mean()).square().sum() / 19, 1e-9);
}

TEST(GroupRidgeTest, TargetsThatAreAllTheSameAreFitted) {
  const Index n = 20;
  MatrixXd features = MatrixXd::Zero(n, 3);
  for (Index i = 0; i < n; ++i) features(i, i % 3) = 1.0;
  const std::vector<MatrixXd> grams{features * features.transpose()};
  const MatrixXd fixed = MatrixXd::Ones(n, 1);
  const VectorXd targets = VectorXd::Constant(n, 0.4);
  const GroupStrengths strengths = choose_strengths(grams, fixed, targets, targets);
  EXPECT_GT(strengths.noise, 0);
  const DualFit fit = solve_dual_ridge(strengths.variances[0] * grams[0], fixed, targets,
                                       strengths.noise * targets);
  EXPECT_NEAR(fit.fixed[0], 0.4, 1e-6);
}

TEST(GroupRidgeTest, RefusesWhatDoesntFit) {
  const MatrixXd ones = MatrixXd::Ones(3, 1);
  const VectorXd y = VectorXd::Ones(3);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { solve_dual_ridge(MatrixXd::Zero(2, 2), ones, y, y); }),
            "[regress::group_ridge] needs square grams, fixed columns and noise for each target, "
            "and more targets than fixed columns; got 3 targets and 1 columns");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { solve_dual_ridge(MatrixXd::Zero(3, 3), ones, y, VectorXd::Zero(3)); }),
            "[regress::group_ridge] values must be finite, and the noise > 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { solve_dual_ridge(-10 * MatrixXd::Identity(3, 3), ones, y, y); }),
            "[regress::group_ridge] grams must be positive semidefinite");
}

}  // namespace
}  // namespace lathe::regress
