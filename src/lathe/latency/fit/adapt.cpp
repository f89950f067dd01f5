#include "lathe/latency/fit/adapt.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/statistics.h"
#include "lathe/latency/fit/calibrate.h"
#include "lathe/latency/fit/ridge.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"

namespace lathe::latency {
namespace {

constexpr int kAdaptFolds = 5;

using Samples = std::span<const LatencySample>;

std::unique_ptr<StoredLatencyModel> scaled(const StoredLatencyModel& model, Samples samples) {
  std::vector<double> predicted(samples.size());
  std::vector<double> measured(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    predicted[i] = model.predict_ms(samples[i].arch);
    measured[i] = samples[i].median_ms;
  }
  return model.with_correction(fit_correction(predicted, measured));
}

std::unique_ptr<StoredLatencyModel> with_ridge(const BlockTable& model, const space::Space& space,
                                               Samples samples) {
  std::vector<double> base_ms;
  for (const LatencySample& sample : samples) {
    base_ms.push_back(model.predict_ms(sample.arch));
  }
  const RidgeOnBase fit = fit_ridge_on(base_ms, space, {}, samples);
  BlockCosts sum = model.corrected({.bias_ms = 0, .scale = fit.scale}).costs();
  sum.fitted = true;
  const BlockCosts& rest = fit.table.costs();
  sum.bias_ms += rest.bias_ms;
  for (auto& [key, cost_ms] : sum.coefficients_ms) {
    cost_ms += rest.coefficients_ms.at(key);
  }
  for (auto& [size, coefficients_ms] : sum.coefficients_at_input_size_ms) {
    for (auto& [key, cost_ms] : coefficients_ms) {
      cost_ms += rest.coefficients_ms.at(key);
    }
  }
  return std::make_unique<BlockTable>(space, std::move(sum));
}

/// The MAPE of samples that `fit` did not see, nor others of the same net.
template <typename Fit>
double left_out_error(std::span<const regress::Fold> folds, Samples samples, Fit fit) {
  const auto predicted = regress::out_of_fold(folds, [&](std::span<const std::size_t> train) {
    return [&, model = fit(regress::at_indices(samples, train))](std::size_t i) {
      return model->predict_ms(samples[i].arch);
    };
  });
  std::vector<double> measured;
  for (const LatencySample& sample : samples) {
    measured.push_back(sample.median_ms);
  }
  return mean_absolute_percentage_error(predicted, measured);
}

/// None where a fold less would not be enough for the ridge.
std::vector<regress::Fold> folds_for_ridge(const space::Space& space, Samples samples) {
  const std::vector<std::size_t> nets = number_nets(space, samples);
  if (regress::num_groups(nets) < std::size_t{kAdaptFolds}) {
    return {};
  }
  std::vector<regress::Fold> folds = regress::grouped_folds(nets, kAdaptFolds);
  const bool enough = std::ranges::all_of(
      folds, [](const regress::Fold& fold) { return fold.train.size() >= kMinRidgeSamples; });
  return enough ? folds : std::vector<regress::Fold>();
}

}  // namespace

std::unique_ptr<StoredLatencyModel> adapt(const StoredLatencyModel& model,
                                          const space::Space& space, const Fingerprint& device,
                                          std::span<const LatencySample> samples) {
  if (samples.size() < kMinAdaptSamples) {
    throw std::invalid_argument("[latency::adapt] needs at least " +
                                std::to_string(kMinAdaptSamples) + " samples, got " +
                                std::to_string(samples.size()));
  }
  const auto by_scale = [&](Samples some) { return scaled(model, some); };
  std::unique_ptr<StoredLatencyModel> adapted = by_scale(samples);
  const auto* table = dynamic_cast<const BlockTable*>(&model);
  const auto folds =
      table != nullptr ? folds_for_ridge(space, samples) : std::vector<regress::Fold>();
  if (!folds.empty()) {
    const auto by_ridge = [&](Samples some) { return with_ridge(*table, space, some); };
    if (left_out_error(folds, samples, by_ridge) < left_out_error(folds, samples, by_scale)) {
      adapted = by_ridge(samples);
    }
  }
  adapted->set_fingerprint(device);
  return adapted;
}

}  // namespace lathe::latency
