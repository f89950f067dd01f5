// What a model's error is to be compared with: what is reached without one, and what the
// measurements themselves allow.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "lathe/latency/fit/validation.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/space/space.h"

namespace lathe::latency {

/// The errors of three ways to predict latency that every model must beat.
struct BaselineErrors {
  ModelError mean;         ///< the same for every net: the least MAPE of any constant
  ModelError macs_linear;  ///< a line through the multiply-accumulates (robust, fit_correction())
  ModelError ridge;        ///< fit_linear_model()
};

nlohmann::ordered_json to_json(const BaselineErrors& errors);

/// Fitted to `train`, judged on `validation`.
/// @throws std::invalid_argument with fewer than 10 training samples or no validation sample.
BaselineErrors baseline_errors(const space::Space& space, std::span<const LatencySample> train,
                               std::span<const LatencySample> validation);

inline constexpr std::size_t kMinCrossValidatedNets = 20;

/// The same without training samples: each of ten parts of `validation` is predicted by baselines
/// fitted to the others; all samples of a net, under any name, are in the same part.
/// @throws std::invalid_argument with fewer than kMinCrossValidatedNets nets.
BaselineErrors cross_validated_baselines(const space::Space& space,
                                         std::span<const LatencySample> validation);

/// What no model can be better than, as a MAPE: how far a perfect one would be from these figures.
struct Repeatability {
  /// From nets that occur more than once: the mean difference of two measurements of a net, over
  /// the square root of 2. Empty if no net does.
  std::optional<double> between_runs;
  int repeated_nets = 0;
  /// From nets timed in several turns (rounds_ms): half of the mean difference between the medians
  /// of the even and of the odd turns. Sees what changes within minutes, not from hour to hour.
  std::optional<double> between_turns;
  /// From the spread of the runs behind each median: the uncertainty of the median alone, not of
  /// the conditions it was taken in, so usually too good. Empty if the samples have but one run.
  std::optional<double> within_run;
};

nlohmann::ordered_json to_json(const Repeatability& repeatability);

Repeatability repeatability(std::span<const LatencySample> samples);

}  // namespace lathe::latency
