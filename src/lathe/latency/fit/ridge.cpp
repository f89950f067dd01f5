#include "lathe/latency/fit/ridge.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/latency/fit/block_covariance.h"

namespace lathe::latency {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

struct Rows {
  std::vector<space::Arch> archs;
  MatrixXd fixed;  // a constant, and the base's prediction if there is one
  VectorXd ms;
  std::vector<double> base_ms;
};

Rows rows_of(std::span<const LatencySample> samples, std::span<const double> base_ms,
             std::span<const std::size_t> chosen) {
  const auto n = static_cast<Index>(chosen.size());
  Rows rows{.archs = {}, .fixed = MatrixXd::Ones(n, base_ms.empty() ? 1 : 2), .ms = VectorXd(n)};
  for (Index i = 0; i < n; ++i) {
    const std::size_t from = chosen[static_cast<std::size_t>(i)];
    rows.archs.push_back(samples[from].arch);
    rows.ms[i] = samples[from].median_ms;
    if (!base_ms.empty()) {
      rows.fixed(i, 1) = base_ms[from];
    }
  }
  return rows;
}

void check(std::span<const LatencySample> samples, std::span<const double> base_ms) {
  if (samples.size() < kMinRidgeSamples) {
    throw std::invalid_argument("[latency::fit_ridge] needs at least " +
                                std::to_string(kMinRidgeSamples) + " samples, got " +
                                std::to_string(samples.size()));
  }
  if (!base_ms.empty() && base_ms.size() != samples.size()) {
    throw std::invalid_argument("[latency::fit_ridge] base_ms must have " +
                                std::to_string(samples.size()) + " values, got " +
                                std::to_string(base_ms.size()));
  }
  for (const LatencySample& sample : samples) {
    if (!std::isfinite(sample.median_ms) || sample.median_ms <= 0) {
      throw std::invalid_argument("[latency::fit_ridge] median_ms must be > 0, got " +
                                  std::to_string(sample.median_ms));
    }
  }
}

RidgeOnBase fit(std::span<const double> base_ms, const space::Space& space,
                const Fingerprint& fingerprint, std::span<const LatencySample> samples,
                const RidgeOptions& options) {
  check(samples, base_ms);
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Rng rng(options.seed);
  shuffle(std::span(order), rng);
  const auto first = [&](int count) {
    return std::span(order).first(std::min(order.size(), static_cast<std::size_t>(count)));
  };
  const BlockCovariance covariance(space);

  const Rows some = rows_of(samples, base_ms, first(options.max_strength_samples));
  const std::vector<MatrixXd> grams = covariance.grams(covariance.incidence(some.archs));
  const regress::GroupStrengths strengths =
      regress::choose_strengths(grams, some.fixed, some.ms, some.ms, options.regression);

  const Rows all = rows_of(samples, base_ms, first(options.max_samples));
  const auto nets = covariance.incidence(all.archs);
  const regress::DualFit dual =
      regress::solve_dual_ridge(covariance.gram(nets, strengths.variances), all.fixed, all.ms,
                                strengths.noise * all.ms, options.regression);
  const VectorXd costs = covariance.block_costs(nets, strengths.variances, dual.dual);

  BlockCosts table{.fingerprint = fingerprint, .bias_ms = dual.fixed[0], .fitted = true};
  for (std::size_t b = 0; b < covariance.keys().size(); ++b) {
    table.coefficients_ms[covariance.keys()[b]] = costs[static_cast<Index>(b)];
  }
  return {.scale = base_ms.empty() ? 0.0 : dual.fixed[1],
          .table = BlockTable(space, std::move(table))};
}

}  // namespace

BlockTable fit_ridge(const space::Space& space, const Fingerprint& fingerprint,
                     std::span<const LatencySample> samples, const RidgeOptions& options) {
  return fit({}, space, fingerprint, samples, options).table;
}

RidgeOnBase fit_ridge_on(std::span<const double> base_ms, const space::Space& space,
                         const Fingerprint& fingerprint, std::span<const LatencySample> samples,
                         const RidgeOptions& options) {
  return fit(base_ms, space, fingerprint, samples, options);
}

}  // namespace lathe::latency
