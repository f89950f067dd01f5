// Linear regression whose features come in groups, each shrunk by a strength of its own that the
// data choose.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

namespace lathe::regress {

/// y = F b + sum over groups of X_g w_g + noise, with w_g ~ N(0, variance[g]) and the noise of
/// observation i ~ N(0, (noise * noise_scale[i])^2).
struct GroupStrengths {
  std::vector<double> variances;  ///< of each group's weights; 0 where a group explains nothing
  double noise = 0.0;
};

struct GroupRidgeOptions {
  /// Robustness, see huber_weights(). Timings err to one side, and what is judged is the mean of
  /// absolute errors; so far below 1.345.
  double huber = 0.5;
  int rounds = 4;       ///< of weighing the observations anew
  int iterations = 20;  ///< of the strengths in each round
};

/// Strengths of greatest restricted likelihood: fixed-point iterations on the variance components,
/// with the observations reweighed between rounds.
/// `grams[g]` = X_g X_g^T, [n, n] each; `fixed` = F: [n, f], unshrunk columns.
/// O(n^3) an iteration: choose from some hundreds of observations, then solve with all.
/// @throws std::invalid_argument if sizes disagree, n <= f, a value is not finite, or a noise scale
/// not > 0.
/// @see Harville, "Maximum likelihood approaches to variance component estimation" (1977).
GroupStrengths choose_strengths(std::span<const Eigen::MatrixXd> grams,
                                const Eigen::MatrixXd& fixed, const Eigen::VectorXd& targets,
                                const Eigen::VectorXd& noise_scale,
                                const GroupRidgeOptions& options = {});

/// A ridge in dual form: the weights of group g are variance[g] * X_g^T dual.
struct DualFit {
  Eigen::VectorXd fixed;  ///< b: [f]
  Eigen::VectorXd dual;   ///< [n]
};

/// The fit for known strengths: `gram` = sum of variance[g] * grams[g], `noise` = each
/// observation's standard deviation; robust as above. O(n^3).
/// @throws std::invalid_argument as choose_strengths().
DualFit solve_dual_ridge(const Eigen::MatrixXd& gram, const Eigen::MatrixXd& fixed,
                         const Eigen::VectorXd& targets, const Eigen::VectorXd& noise,
                         const GroupRidgeOptions& options = {});

}  // namespace lathe::regress
