// How far a latency model is from measurements.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "lathe/latency/models/latency_model.h"
#include "lathe/latency/samples/sample.h"

namespace lathe::latency {

/// Agreement of predictions with measurements that took no part in the fit.
struct ModelError {
  int samples = 0;
  double mape = 0.0;  ///< mean of |predicted - measured| / measured, a fraction
  double rmse_ms = 0.0;
  double spearman = 0.0;  ///< rank correlations: does it order nets rightly?
  double kendall = 0.0;
  double within_5 = 0.0;  ///< fraction of the samples that are at most 5% off
  double within_10 = 0.0;
  bool operator==(const ModelError&) const = default;
};

nlohmann::ordered_json to_json(const ModelError& error);
/// @throws Error `<where>: ...` naming a member that is missing, of another type, or out of range.
ModelError model_error_from_json(const nlohmann::json& json, const std::string& where);

/// @throws std::invalid_argument if the two differ in size or are empty, or a measured value is
/// not > 0.
ModelError model_error(std::span<const double> predicted_ms, std::span<const double> measured_ms);

/// Of `model` against the samples' medians. Samples that the model was fitted to make it look
/// better than it is. @throws as above, and as the model's predict_ms().
ModelError model_error(const LatencyModel& model, std::span<const LatencySample> samples);

/// The error to expect of predictions corrected by fit_correction(): each sample is predicted with
/// the correction fitted to all others. O(n^3).
/// @throws std::invalid_argument as fit_correction(), or with fewer than 3 samples.
ModelError leave_one_out_error(std::span<const double> predicted_ms,
                               std::span<const double> measured_ms);

}  // namespace lathe::latency
