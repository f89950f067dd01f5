#include "lathe/latency/adapt.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/statistics.h"
#include "lathe/latency/block_table.h"
#include "lathe/latency/calibrate.h"
#include "lathe/latency/ridge.h"

namespace lathe::latency {
namespace {

constexpr std::size_t kFolds = 5;

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

template <typename Fit>
double left_out_error(Samples samples, Fit fit) {
  std::vector<double> predicted;
  std::vector<double> measured;
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<LatencySample> rest;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (i % kFolds != fold) {
        rest.push_back(samples[i]);
      }
    }
    const auto model = fit(rest);
    for (std::size_t i = fold; i < samples.size(); i += kFolds) {
      predicted.push_back(model->predict_ms(samples[i].arch));
      measured.push_back(samples[i].median_ms);
    }
  }
  return mean_absolute_percentage_error(predicted, measured);
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
  // A fold less must still be enough for the ridge.
  if (table != nullptr && samples.size() * (kFolds - 1) >= kFolds * kMinRidgeSamples) {
    const auto by_ridge = [&](Samples some) { return with_ridge(*table, space, some); };
    if (left_out_error(samples, by_ridge) < left_out_error(samples, by_scale)) {
      adapted = by_ridge(samples);
    }
  }
  adapted->set_fingerprint(device);
  return adapted;
}

}  // namespace lathe::latency
