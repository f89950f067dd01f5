#include "lathe/train/predictors/fit_latency_model.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/latency/fit/fit_sum_model.h"
#include "lathe/latency/models/perceptron_model.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"

namespace lathe::train {
namespace {

using latency::LatencySample;
using latency::StoredLatencyModel;
using Samples = std::span<const LatencySample>;

constexpr std::pair<LatencyModelKind, const char*> kKinds[] = {
    {LatencyModelKind::kAdditive, "additive"},
    {LatencyModelKind::kRidge, "ridge"},
    {LatencyModelKind::kLinear, "linear"},
    {LatencyModelKind::kPerceptron, "perceptron"},
    {LatencyModelKind::kResidual, "residual"}};

constexpr int kResidualFolds = 5;

std::unique_ptr<StoredLatencyModel> fit_ridge(const space::Space& space,
                                              const latency::Fingerprint& fingerprint,
                                              Samples samples, std::uint64_t seed) {
  return fit_sum_model(latency::SumModelKind::kRidge, space, fingerprint, samples, seed);
}

/// Nothing for those that are learned.
std::optional<latency::SumModelKind> sum_kind(LatencyModelKind kind) {
  return latency::sum_model_kind(to_string(kind));
}

/// What the base predicts for nets that it was not fitted to: its in-sample errors would teach the
/// perceptron too small a residual.
std::vector<double> out_of_fold_ms(const space::Space& space, Samples samples, std::uint64_t seed) {
  const auto folds = regress::grouped_folds(number_nets(space, samples), kResidualFolds, seed);
  return regress::out_of_fold(std::span(folds), [&](std::span<const std::size_t> train) {
    return [&, model = fit_ridge(space, {}, regress::at_indices(samples, train), seed)](
               std::size_t i) { return model->predict_ms(samples[i].arch); };
  });
}

/// A perceptron for the latencies, or with a base for what that leaves of them.
std::unique_ptr<StoredLatencyModel> fit_perceptron_model(const space::Space& space,
                                                         const latency::Fingerprint& fingerprint,
                                                         Samples samples, bool on_ridge,
                                                         const FitLatencyOptions& options) {
  std::vector<float> inputs;
  std::vector<double> measured_ms;
  for (const LatencySample& sample : samples) {
    const std::vector<float> row = space.encode(sample.arch);
    inputs.insert(inputs.end(), row.begin(), row.end());
    measured_ms.push_back(sample.median_ms);
  }
  FitPerceptronOptions recipe =
      options.perceptron.value_or(fast_latency_perceptron(samples.size()));
  recipe.seed = options.seed;
  ScaledPerceptron fit =
      on_ridge ? fit_residual_perceptron(inputs, measured_ms,
                                         out_of_fold_ms(space, samples, options.seed), recipe)
               : fit_scaled_perceptron(inputs, measured_ms, recipe);
  return std::make_unique<latency::PerceptronModel>(
      space,
      latency::LatencyPerceptron{.fingerprint = fingerprint,
                                 .perceptron = std::move(fit.perceptron),
                                 .mean_ms = fit.mean_ms,
                                 .scale_ms = fit.scale_ms},
      on_ridge ? fit_ridge(space, fingerprint, samples, options.seed) : nullptr);
}

/// Why the samples don't suffice for a learned kind; nothing if they do.
std::optional<std::string> too_little(LatencyModelKind kind, const space::Space& space,
                                      Samples samples) {
  if (samples.size() < kMinPerceptronSamples) {
    return "a " + to_string(kind) + " model needs at least " +
           std::to_string(kMinPerceptronSamples) + " samples, got " +
           std::to_string(samples.size());
  }
  if (kind != LatencyModelKind::kResidual) {
    return std::nullopt;
  }
  const std::vector<std::size_t> nets = number_nets(space, samples);
  if (regress::num_groups(nets) < std::size_t{kResidualFolds}) {
    return "a residual model needs samples of at least " + std::to_string(kResidualFolds) +
           " nets, got " + std::to_string(regress::num_groups(nets));
  }
  for (const regress::Fold& fold : regress::grouped_folds(nets, kResidualFolds)) {
    if (fold.train.size() < kMinLatencySamples) {
      return "a residual model needs at least " + std::to_string(kMinLatencySamples) +
             " samples beside those of any one net, got " + std::to_string(fold.train.size());
    }
  }
  return std::nullopt;
}

}  // namespace

std::string to_string(LatencyModelKind kind) {
  return std::ranges::find(kKinds, kind, [](const auto& k) { return k.first; })->second;
}

std::vector<std::string> latency_model_kinds() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kKinds) {
    names.emplace_back(name);
  }
  return names;
}

LatencyModelKind latency_model_kind(const std::string& name) {
  for (const auto& [kind, known] : kKinds) {
    if (name == known) {
      return kind;
    }
  }
  throw std::invalid_argument("[train::latency_model_kind] unknown kind \"" + name + "\"");
}

std::unique_ptr<StoredLatencyModel> fit_latency_model(LatencyModelKind kind,
                                                      const space::Space& space,
                                                      const latency::Fingerprint& fingerprint,
                                                      Samples samples,
                                                      const FitLatencyOptions& options) {
  if (const auto sum = sum_kind(kind)) {
    return fit_sum_model(*sum, space, fingerprint, samples, options.seed);
  }
  if (const auto reason = too_little(kind, space, samples)) {
    throw Error(*reason);
  }
  return fit_perceptron_model(space, fingerprint, samples, kind == LatencyModelKind::kResidual,
                              options);
}

std::optional<latency::ModelError> cross_validated_error(LatencyModelKind kind,
                                                         const space::Space& space, Samples samples,
                                                         int folds,
                                                         const FitLatencyOptions& options) {
  if (const auto sum = sum_kind(kind)) {
    return latency::cross_validated_error(*sum, space, samples, folds, options.seed);
  }
  return latency::cross_validated_error(
      [&](Samples train) {
        return too_little(kind, space, train) ? nullptr
                                              : fit_latency_model(kind, space, {}, train, options);
      },
      space, samples, folds, options.seed);
}

}  // namespace lathe::train
