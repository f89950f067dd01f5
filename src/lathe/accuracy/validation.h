// How far an accuracy predictor is from measured accuracies, and what is reached without one.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/accuracy/sample.h"
#include "lathe/space/space.h"

namespace lathe::accuracy {

/// Agreement of predictions with accuracies that took no part in the fit. Accuracies have no use
/// for relative errors: points count.
struct PredictorError {
  int samples = 0;
  double rmse = 0.0;  ///< a fraction, as accuracies are
  double bias = 0.0;  ///< mean of predicted - measured
  double kendall = 0.0;
  double spearman = 0.0;
  bool operator==(const PredictorError&) const = default;
};

/// `{"samples": 80, "rmse_points": 0.41, "bias_points": -0.02, "kendall": ..., "spearman": ...}`.
nlohmann::ordered_json to_json(const PredictorError& error);

/// @throws std::invalid_argument if the two differ in size or are empty.
PredictorError predictor_error(std::span<const double> predicted, std::span<const double> measured);

/// Of `predictor` on the samples. @throws as above, and as AccuracyPredictor::predict().
PredictorError predictor_error(const AccuracyPredictor& predictor,
                               std::span<const AccuracySample> samples);

/// The errors of two ways to predict accuracy that need no predictor.
struct PredictorBaselines {
  PredictorError constant;  ///< the same for every net: the mean of those known
  PredictorError macs;      ///< a line through the logarithm of the multiply-accumulates; the rank
                            ///< correlations are of the multiply-accumulates themselves
};

nlohmann::ordered_json to_json(const PredictorBaselines& baselines);

inline constexpr int kBaselineFolds = 10;

/// Each of kBaselineFolds parts of the samples predicted from the others, all samples of a net in
/// the same part. Nothing if there are fewer nets than parts.
std::optional<PredictorBaselines> cross_validated_baselines(
    const space::Space& space, std::span<const AccuracySample> samples);

}  // namespace lathe::accuracy
