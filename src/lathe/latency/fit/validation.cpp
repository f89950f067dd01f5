#include "lathe/latency/fit/validation.h"

#include <cmath>
#include <stdexcept>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/latency/fit/calibrate.h"

namespace lathe::latency {
namespace {

double number_in(const nlohmann::json& json, const std::string& key, double low, double high,
                 const std::string& where) {
  const double value = json_member<double>(json, key, where);
  if (!(value >= low && value <= high)) {
    throw Error(where + ": \"" + key + "\": out of range, got " + json.at(key).dump());
  }
  return value;
}

double fraction_within(double tolerance, std::span<const double> predicted,
                       std::span<const double> measured) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    count += std::abs(predicted[i] - measured[i]) <= tolerance * measured[i] ? 1 : 0;
  }
  return static_cast<double>(count) / static_cast<double>(measured.size());
}

}  // namespace

nlohmann::ordered_json to_json(const ModelError& error) {
  return {{"samples", error.samples},    {"mape", error.mape},       {"rmse_ms", error.rmse_ms},
          {"spearman", error.spearman},  {"kendall", error.kendall}, {"within_5", error.within_5},
          {"within_10", error.within_10}};
}

ModelError model_error_from_json(const nlohmann::json& json, const std::string& where) {
  constexpr double kLarge = 1e9;
  return {.samples = static_cast<int>(number_in(json, "samples", 1, kLarge, where)),
          .mape = number_in(json, "mape", 0, kLarge, where),
          .rmse_ms = number_in(json, "rmse_ms", 0, kLarge, where),
          .spearman = number_in(json, "spearman", -1 - 1e-9, 1 + 1e-9, where),
          .kendall = number_in(json, "kendall", -1 - 1e-9, 1 + 1e-9, where),
          .within_5 = number_in(json, "within_5", 0, 1, where),
          .within_10 = number_in(json, "within_10", 0, 1, where)};
}

ModelError model_error(std::span<const double> predicted_ms, std::span<const double> measured_ms) {
  if (measured_ms.empty() || predicted_ms.size() != measured_ms.size()) {
    throw std::invalid_argument(
        "[latency::model_error] needs as many predicted as measured values, at least one; got " +
        std::to_string(predicted_ms.size()) + " and " + std::to_string(measured_ms.size()));
  }
  for (const double value : measured_ms) {
    if (!(value > 0)) {
      throw std::invalid_argument("[latency::model_error] measured values must be > 0, got " +
                                  std::to_string(value));
    }
  }
  return {.samples = static_cast<int>(measured_ms.size()),
          .mape = mean_absolute_percentage_error(predicted_ms, measured_ms),
          .rmse_ms = root_mean_square_error(predicted_ms, measured_ms),
          .spearman = spearman(predicted_ms, measured_ms),
          .kendall = kendall_tau(predicted_ms, measured_ms),
          .within_5 = fraction_within(0.05, predicted_ms, measured_ms),
          .within_10 = fraction_within(0.10, predicted_ms, measured_ms)};
}

ModelError model_error(const LatencyModel& model, std::span<const LatencySample> samples) {
  std::vector<double> predicted;
  std::vector<double> measured;
  for (const LatencySample& sample : samples) {
    predicted.push_back(model.predict_ms(sample.arch));
    measured.push_back(sample.median_ms);
  }
  return model_error(predicted, measured);
}

ModelError leave_one_out_error(std::span<const double> predicted_ms,
                               std::span<const double> measured_ms) {
  if (predicted_ms.size() < 3 || predicted_ms.size() != measured_ms.size()) {
    throw std::invalid_argument(
        "[latency::leave_one_out_error] needs as many predicted as measured values, at least 3; "
        "got " +
        std::to_string(predicted_ms.size()) + " and " + std::to_string(measured_ms.size()));
  }
  std::vector<double> corrected(predicted_ms.size());
  for (std::size_t out = 0; out < predicted_ms.size(); ++out) {
    std::vector<double> x(predicted_ms.begin(), predicted_ms.end());
    std::vector<double> y(measured_ms.begin(), measured_ms.end());
    x.erase(x.begin() + static_cast<std::ptrdiff_t>(out));
    y.erase(y.begin() + static_cast<std::ptrdiff_t>(out));
    corrected[out] = fit_correction(x, y).apply(predicted_ms[out]);
  }
  return model_error(corrected, measured_ms);
}

}  // namespace lathe::latency
