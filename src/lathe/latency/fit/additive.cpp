#include "lathe/latency/fit/additive.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>

#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/latency/fit/block_covariance.h"
#include "lathe/latency/fit/operators.h"
#include "lathe/regress/huber.h"
#include "lathe/regress/least_squares.h"
#include "lathe/regress/ridge.h"

namespace lathe::latency {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using space::Block;
using Sparse = Eigen::SparseMatrix<double>;
using Samples = std::span<const LatencySample>;

constexpr Index kMaxBlocks = 4096;
constexpr int kRounds = 6;  // of constraints, and of Huber's weights

/// The pairs (narrower, wider) of blocks that differ in one number of channels, next to each other.
using Pairs = std::vector<std::pair<Index, Index>>;

struct Problem {
  std::vector<Block> blocks;  // seen ones first
  std::map<std::string, Index> column_of;
  Index seen = 0;
  Sparse rows;  // [samples, seen blocks]
  VectorXd ms;
  double prior_bias_ms = 0;
  VectorXd prior_ms;  // of every block
  Pairs pairs;        // among the seen
};

void check(Samples samples) {
  if (samples.size() < kMinAdditiveSamples) {
    throw std::invalid_argument("[latency::fit_additive] needs at least " +
                                std::to_string(kMinAdditiveSamples) + " samples, got " +
                                std::to_string(samples.size()));
  }
  for (const LatencySample& sample : samples) {
    if (!std::isfinite(sample.median_ms) || sample.median_ms <= 0) {
      throw std::invalid_argument("[latency::fit_additive] median_ms must be > 0, got " +
                                  std::to_string(sample.median_ms));
    }
  }
}

/// Operators, multiply-accumulates and numbers moved.
Eigen::Vector3d amounts_of(const Block& block) {
  Eigen::Vector3d amounts = Eigen::Vector3d::Zero();
  for (const Operator& op : operators_of(block)) {
    amounts += Eigen::Vector3d(1.0, op.macs(), op.moved());
  }
  return amounts;
}

void add_prior(Problem& problem) {
  MatrixXd amounts(static_cast<Index>(problem.blocks.size()), 3);
  for (Index b = 0; b < amounts.rows(); ++b) {
    amounts.row(b) = amounts_of(problem.blocks[static_cast<std::size_t>(b)]);
  }
  const regress::RidgeFit fit =
      regress::fit_ridge(problem.rows * amounts.topRows(problem.seen), problem.ms,
                         problem.ms.cwiseAbs2().cwiseInverse());
  problem.prior_bias_ms = fit.constant;
  problem.prior_ms = amounts * Eigen::Map<const Eigen::Vector3d>(fit.weights.data());
}

Pairs pairs_of(const Problem& problem) {
  const std::function<int&(Block&)> dimensions[] = {
      [](Block& b) -> int& { return b.input.channels; },
      [](Block& b) -> int& { return b.output.channels; },
      [](Block& b) -> int& { return b.mid_channels; }};
  Pairs pairs;
  for (const auto& dimension : dimensions) {
    std::map<std::string, std::vector<std::pair<int, Index>>> alike;
    for (Index b = 0; b < problem.seen; ++b) {
      Block block = problem.blocks[static_cast<std::size_t>(b)];
      const int width = std::exchange(dimension(block), 1);
      alike[block.key()].emplace_back(width, b);
    }
    for (auto& [key, widths] : alike) {
      std::ranges::sort(widths);
      for (std::size_t i = 1; i < widths.size(); ++i) {
        pairs.emplace_back(widths[i - 1].second, widths[i].second);
      }
    }
  }
  return pairs;
}

Problem problem_of(const space::Space& space, Samples samples) {
  std::set<std::string> seen;
  std::vector<std::vector<std::string>> keys;
  for (const LatencySample& sample : samples) {
    keys.emplace_back();
    for (const Block& block : space.blocks(sample.arch)) {
      keys.back().push_back(block.key());
      seen.insert(keys.back().back());
    }
  }
  Problem problem{.blocks = space.distinct_blocks(), .seen = static_cast<Index>(seen.size())};
  if (problem.seen > kMaxBlocks) {
    throw Error("an additive model tells at most " + std::to_string(kMaxBlocks) +
                " blocks apart, and the samples have " + std::to_string(problem.seen) +
                ": fit a ridge, or samples of fewer resolutions");
  }
  std::stable_partition(problem.blocks.begin(), problem.blocks.end(),
                        [&](const Block& block) { return seen.contains(block.key()); });
  for (const Block& block : problem.blocks) {
    problem.column_of.emplace(block.key(), static_cast<Index>(problem.column_of.size()));
  }
  std::vector<Eigen::Triplet<double>> entries;
  problem.ms.resize(static_cast<Index>(samples.size()));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    for (const std::string& key : keys[i]) {
      entries.emplace_back(static_cast<int>(i), static_cast<int>(problem.column_of.at(key)), 1.0);
    }
    problem.ms[static_cast<Index>(i)] = samples[i].median_ms;
  }
  problem.rows.resize(problem.ms.size(), problem.seen);
  problem.rows.setFromTriplets(entries.begin(), entries.end());
  add_prior(problem);
  problem.pairs = pairs_of(problem);
  return problem;
}

struct Strengths {
  double prior;
  double constraint;
};

/// Adds the square of what should not be negative, and is, to the system.
void add_active(const Problem& problem, const VectorXd& c, double strength, MatrixXd& normal) {
  for (Index b = 0; b < problem.seen; ++b) {
    if (c[b] < 0) normal(b, b) += strength;
  }
  for (const auto& [narrow, wide] : problem.pairs) {
    if (c[wide] < c[narrow]) {
      normal(wide, wide) += strength;
      normal(narrow, narrow) += strength;
      normal(wide, narrow) -= strength;
      normal(narrow, wide) -= strength;
    }
  }
}

/// Of a prior's strength 1 and of a constraint's: coefficients off by a mean net's latency.
double unit_per_ms2(const Problem& problem) {
  return 1.0 / (problem.ms.mean() * problem.ms.mean());
}

/// Of relative errors.
VectorXd row_weights(const Problem& problem, const VectorXd& weights) {
  return weights.cwiseQuotient(problem.ms.cwiseAbs2());
}

/// The coefficients of the seen blocks.
VectorXd solve(const Problem& problem, const VectorXd& weights, const Strengths& strengths) {
  const VectorXd w = row_weights(problem, weights);
  const double unit = unit_per_ms2(problem);
  const VectorXd prior = problem.prior_ms.head(problem.seen);
  const MatrixXd plain = regress::normal_matrix(problem.rows, w);
  const VectorXd penalty = VectorXd::Constant(problem.seen, strengths.prior * unit);
  const VectorXd right = problem.rows.transpose() *
                             w.cwiseProduct((problem.ms.array() - problem.prior_bias_ms).matrix()) +
                         penalty.cwiseProduct(prior);
  VectorXd coefficients_ms = regress::NormalEquations(plain, penalty).solve(right);
  for (int round = 0; round < kRounds && strengths.constraint > 0; ++round) {
    MatrixXd normal = plain;
    add_active(problem, coefficients_ms, strengths.constraint * unit, normal);
    const VectorXd next = regress::NormalEquations(normal, penalty).solve(right);
    const double change = (next - coefficients_ms).norm() / next.norm();
    coefficients_ms = next;
    if (change < 1e-6) break;
  }
  return coefficients_ms;
}

std::vector<double> relative_errors(const Problem& problem, const VectorXd& coefficients_ms) {
  const VectorXd predicted = problem.rows * coefficients_ms;
  const VectorXd errors =
      ((predicted.array() + problem.prior_bias_ms - problem.ms.array()) / problem.ms.array());
  return {errors.begin(), errors.end()};
}

/// By the mean absolute error of samples whose weight is 0: one thing after the other.
Strengths choose(const Problem& problem, const AdditiveOptions& options) {
  const auto n = static_cast<std::size_t>(problem.ms.size());
  std::vector<Index> order(n);
  std::iota(order.begin(), order.end(), Index{0});
  Rng rng(options.seed);
  shuffle(std::span(order), rng);
  order.resize(std::max<std::size_t>(n / 10, 5));
  VectorXd weights = VectorXd::Ones(problem.ms.size());
  for (const Index i : order) weights[i] = 0;
  const auto error_of = [&](const Strengths& strengths) {
    const auto errors = relative_errors(problem, solve(problem, weights, strengths));
    double sum = 0;
    for (const Index i : order) sum += std::abs(errors[static_cast<std::size_t>(i)]);
    return sum;
  };
  Strengths best{options.prior_strengths.front(), 0.0};
  double least = std::numeric_limits<double>::infinity();
  const auto attempt = [&](const Strengths& strengths) {
    const double error = error_of(strengths);
    if (error < least) {
      least = error;
      best = strengths;
    }
  };
  for (const double prior : options.prior_strengths) attempt({prior, 0.0});
  const double prior = best.prior;
  for (const double constraint : options.constraint_strengths) {
    if (constraint > 0) attempt({prior, constraint});
  }
  return best;
}

/// What lets the table say how sure it is. The constraints are left out: it is a little less sure
/// than it could be.
BlockEvidence evidence_of(const Problem& problem, const VectorXd& weights,
                          const Strengths& strengths, const std::vector<double>& errors) {
  const VectorXd per_ms2 = row_weights(problem, weights);
  BlockEvidence evidence{.weights_per_ms2 = {per_ms2.begin(), per_ms2.end()},
                         .penalty_per_ms2 = strengths.prior * unit_per_ms2(problem)};
  for (Index b = 0; b < problem.seen; ++b) {
    evidence.keys.push_back(problem.blocks[static_cast<std::size_t>(b)].key());
  }
  evidence.nets.resize(static_cast<std::size_t>(problem.rows.rows()));
  for (Index column = 0; column < problem.rows.outerSize(); ++column) {
    for (Sparse::InnerIterator it(problem.rows, column); it; ++it) {
      auto& net = evidence.nets[static_cast<std::size_t>(it.row())];
      net.insert(net.end(), static_cast<std::size_t>(std::lround(it.value())),
                 static_cast<int>(column));
    }
  }
  const regress::NormalEquations system(regress::normal_matrix(problem.rows, per_ms2),
                                        VectorXd::Constant(problem.seen, evidence.penalty_per_ms2));
  const auto samples = static_cast<double>(errors.size());
  const double freedom = std::max(1.0, samples - system.effective_unknowns());
  evidence.noise = robust_deviation(errors, 0.0) * std::sqrt(samples / freedom);
  return evidence;
}

}  // namespace

int identifiable_rank(const space::Space& space, std::span<const space::Arch> archs) {
  const Sparse rows = BlockCovariance(space).incidence(archs);
  return regress::rank_of(regress::normal_matrix(rows, VectorXd::Ones(rows.rows())));
}

AdditiveFit fit_additive(const space::Space& space, const Fingerprint& fingerprint,
                         std::span<const LatencySample> samples, const AdditiveOptions& options) {
  check(samples);
  const Problem problem = problem_of(space, samples);
  const Strengths strengths = choose(problem, options);
  VectorXd weights = VectorXd::Ones(problem.ms.size());
  VectorXd coefficients_ms = solve(problem, weights, strengths);
  std::vector<double> errors;
  for (int round = 0; round < 2; ++round) {
    errors = relative_errors(problem, coefficients_ms);
    const std::vector<double> huber = regress::huber_weights(errors);
    weights = Eigen::Map<const VectorXd>(huber.data(), problem.ms.size());
    coefficients_ms = solve(problem, weights, strengths);
  }
  BlockCosts costs{.fingerprint = fingerprint, .bias_ms = problem.prior_bias_ms, .fitted = true};
  for (const auto& [key, column] : problem.column_of) {
    costs.coefficients_ms[key] =
        column < problem.seen ? coefficients_ms[column] : problem.prior_ms[column];
  }
  const MatrixXd counts = regress::normal_matrix(problem.rows, VectorXd::Ones(problem.ms.size()));
  const int rank = regress::rank_of(counts);
  costs.evidence = evidence_of(problem, weights, strengths, errors);
  return {.table = BlockTable(space, std::move(costs)),
          .variables = static_cast<int>(problem.blocks.size()),
          .rank = rank,
          .prior_strength = strengths.prior,
          .constraint_strength = strengths.constraint};
}

}  // namespace lathe::latency
