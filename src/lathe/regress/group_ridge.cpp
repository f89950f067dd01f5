#include "lathe/regress/group_ridge.h"

#include <Eigen/Cholesky>
#include <cmath>
#include <stdexcept>
#include <string>

#include "lathe/regress/huber.h"

namespace lathe::regress {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Strengths move by factors; one that keeps falling is as good as none.
constexpr double kNoVariance = 1e-12;
// Of the targets' spread: less than that, and rounding decides about the Cholesky factor.
constexpr double kMinNoiseVariance = 1e-9;

void check(const MatrixXd& gram, const MatrixXd& fixed, const VectorXd& targets,
           const VectorXd& noise) {
  const Index n = targets.size();
  if (gram.rows() != n || gram.cols() != n || fixed.rows() != n || noise.size() != n ||
      n <= fixed.cols()) {
    throw std::invalid_argument(
        "[regress::group_ridge] needs square grams, fixed columns and noise for each target, and "
        "more targets than fixed columns; got " +
        std::to_string(n) + " targets and " + std::to_string(fixed.cols()) + " columns");
  }
  if (!gram.allFinite() || !fixed.allFinite() || !targets.allFinite() || !(noise.minCoeff() > 0) ||
      !noise.allFinite()) {
    throw std::invalid_argument("[regress::group_ridge] values must be finite, and the noise > 0");
  }
}

/// K^-1 with the fixed columns projected out, and what follows from it.
class Solver {
 public:
  Solver(const MatrixXd& covariance, const MatrixXd& fixed)
      : cholesky_(covariance), solved_fixed_(cholesky_.solve(fixed)) {
    if (cholesky_.info() != Eigen::Success) {
      throw std::invalid_argument("[regress::group_ridge] grams must be positive semidefinite");
    }
    information_.compute(fixed.transpose() * solved_fixed_);
  }

  DualFit fit(const VectorXd& targets, const MatrixXd& fixed) const {
    DualFit fit;
    fit.fixed = information_.solve(solved_fixed_.transpose() * targets);
    fit.dual = cholesky_.solve(targets - fixed * fit.fixed);
    return fit;
  }

  MatrixXd projection() const {
    const Index n = solved_fixed_.rows();
    return cholesky_.solve(MatrixXd::Identity(n, n)) -
           solved_fixed_ * information_.solve(solved_fixed_.transpose());
  }

 private:
  Eigen::LLT<MatrixXd> cholesky_;
  MatrixXd solved_fixed_;
  Eigen::LDLT<MatrixXd> information_;
};

VectorXd weights_of(const VectorXd& relative_errors, double k) {
  const std::vector<double> weights =
      huber_weights({relative_errors.data(), static_cast<std::size_t>(relative_errors.size())}, k);
  return Eigen::Map<const VectorXd>(weights.data(), relative_errors.size());
}

constexpr double kLeastSpread = 1e-12;  // of the mean square

/// The state of choose_strengths().
struct Components {
  std::span<const MatrixXd> grams;
  std::vector<double> variances;
  double noise_variance;
  double min_noise_variance;

  MatrixXd covariance(const VectorXd& noise) const {
    MatrixXd sum = MatrixXd::Zero(noise.size(), noise.size());
    for (std::size_t g = 0; g < grams.size(); ++g) {
      if (variances[g] > 0) {
        sum += variances[g] * grams[g];
      }
    }
    sum.diagonal() += noise_variance * noise;
    return sum;
  }

  // Each strength times the ratio of what its group explains to what it would explain by chance.
  void improve(const VectorXd& dual, const MatrixXd& projection, const VectorXd& noise,
               const std::vector<double>& scale) {
    for (std::size_t g = 0; g < grams.size(); ++g) {
      if (variances[g] > 0) {
        const double explained = dual.dot(grams[g] * dual);
        variances[g] *= explained / projection.cwiseProduct(grams[g]).sum();
        if (!(variances[g] * scale[g] > kNoVariance)) {
          variances[g] = 0;
        }
      }
    }
    const double explained = dual.cwiseAbs2().dot(noise);
    const double ratio = explained / projection.diagonal().dot(noise);
    noise_variance = std::max(noise_variance * ratio, min_noise_variance);
  }
};

}  // namespace

GroupStrengths choose_strengths(std::span<const MatrixXd> grams, const MatrixXd& fixed,
                                const VectorXd& targets, const VectorXd& noise_scale,
                                const GroupRidgeOptions& options) {
  check(MatrixXd::Zero(targets.size(), targets.size()), fixed, targets, noise_scale);
  const double n = static_cast<double>(targets.size());
  // Targets that are all the same, as a coarse clock gives them, have a little noise all the same.
  const double least_spread = std::max(kLeastSpread * targets.squaredNorm() / n, 1e-300);
  const double spread = std::max((targets.array() - targets.mean()).square().mean(), least_spread);
  const VectorXd squared = noise_scale.cwiseAbs2();
  const double unit = spread / squared.mean();
  Components c{grams, std::vector<double>(grams.size(), 0.0), 0.1 * unit, kMinNoiseVariance * unit};
  std::vector<double> scale(grams.size(), 0.0);  // what variance 1 of a group means, in `spread`s
  for (std::size_t g = 0; g < grams.size(); ++g) {
    check(grams[g], fixed, targets, noise_scale);
    const double centred = grams[g].trace() / n - grams[g].sum() / (n * n);
    if (centred > 1e-12 * grams[g].trace() / n) {
      scale[g] = centred / spread;
      c.variances[g] = 1.0 / (scale[g] * static_cast<double>(grams.size()));
    }
  }
  VectorXd noise = squared;
  for (int round = 0; round < options.rounds; ++round) {
    for (int i = 0; i < options.iterations; ++i) {
      const Solver solver(c.covariance(noise), fixed);
      c.improve(solver.fit(targets, fixed).dual, solver.projection(), noise, scale);
    }
    const Solver solver(c.covariance(noise), fixed);
    const VectorXd left_out_error =
        solver.fit(targets, fixed).dual.cwiseQuotient(solver.projection().diagonal());
    noise =
        squared.cwiseQuotient(weights_of(left_out_error.cwiseQuotient(noise_scale), options.huber));
  }
  return {.variances = std::move(c.variances), .noise = std::sqrt(c.noise_variance)};
}

DualFit solve_dual_ridge(const MatrixXd& gram, const MatrixXd& fixed, const VectorXd& targets,
                         const VectorXd& noise, const GroupRidgeOptions& options) {
  check(gram, fixed, targets, noise);
  VectorXd variance = noise.cwiseAbs2();
  DualFit fit;
  for (int round = 0; round < options.rounds; ++round) {
    MatrixXd covariance = gram;
    covariance.diagonal() += variance;
    fit = Solver(covariance, fixed).fit(targets, fixed);
    const VectorXd error = variance.cwiseProduct(fit.dual).cwiseQuotient(noise);
    variance = noise.cwiseAbs2().cwiseQuotient(weights_of(error, options.huber));
  }
  return fit;
}

}  // namespace lathe::regress
