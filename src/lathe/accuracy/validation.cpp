#include "lathe/accuracy/validation.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/regress/line.h"
#include "lathe/space/same_net.h"

namespace lathe::accuracy {
namespace {

std::vector<double> accuracies_of(std::span<const AccuracySample> samples) {
  std::vector<double> accuracies;
  for (const AccuracySample& sample : samples) {
    accuracies.push_back(sample.accuracy);
  }
  return accuracies;
}

}  // namespace

nlohmann::ordered_json to_json(const PredictorError& error) {
  return {{"samples", error.samples},
          {"rmse_points", 100 * error.rmse},
          {"bias_points", 100 * error.bias},
          {"kendall", error.kendall},
          {"spearman", error.spearman}};
}

nlohmann::ordered_json to_json(const PredictorBaselines& baselines) {
  return {{"constant", to_json(baselines.constant)}, {"macs", to_json(baselines.macs)}};
}

PredictorError predictor_error(std::span<const double> predicted,
                               std::span<const double> measured) {
  if (measured.empty() || predicted.size() != measured.size()) {
    throw std::invalid_argument(
        "[accuracy::predictor_error] needs as many predicted as measured values, at least one; "
        "got " +
        std::to_string(predicted.size()) + " and " + std::to_string(measured.size()));
  }
  return {.samples = static_cast<int>(measured.size()),
          .rmse = root_mean_square_error(predicted, measured),
          .bias = mean(predicted) - mean(measured),
          .kendall = kendall_tau(predicted, measured),
          .spearman = spearman(predicted, measured)};
}

PredictorError predictor_error(const AccuracyPredictor& predictor,
                               std::span<const AccuracySample> samples) {
  std::vector<space::Arch> archs;
  for (const AccuracySample& sample : samples) {
    archs.push_back(sample.arch);
  }
  std::vector<double> predicted(samples.size());
  predictor.predict(archs, predicted);
  return predictor_error(predicted, accuracies_of(samples));
}

std::optional<PredictorBaselines> cross_validated_baselines(
    const space::Space& space, std::span<const AccuracySample> samples) {
  const std::vector<std::size_t> nets = number_nets(space, samples);
  if (regress::num_groups(nets) < std::size_t{kBaselineFolds}) {
    return std::nullopt;
  }
  const std::vector<double> measured = accuracies_of(samples);
  std::vector<double> log_macs;
  for (const AccuracySample& sample : samples) {
    log_macs.push_back(std::log(static_cast<double>(graph::macs(space.graph(sample.arch)))));
  }
  const auto folds = regress::grouped_folds(nets, kBaselineFolds);
  const auto constant =
      regress::out_of_fold(std::span(folds), [&](std::span<const std::size_t> train) {
        return [known = mean(regress::at_indices(measured, train))](std::size_t) { return known; };
      });
  const auto by_macs =
      regress::out_of_fold(std::span(folds), [&](std::span<const std::size_t> train) {
        return [&, line = regress::fit_line(regress::at_indices(log_macs, train),
                                            regress::at_indices(measured, train))](std::size_t i) {
          return line.at(log_macs[i]);
        };
      });
  PredictorBaselines baselines{.constant = predictor_error(constant, measured),
                               .macs = predictor_error(by_macs, measured)};
  // The parts' constants and lines differ, which would make an order where there is none, or
  // disturb one.
  baselines.constant.kendall = baselines.constant.spearman = 0.0;
  baselines.macs.kendall = kendall_tau(log_macs, measured);
  baselines.macs.spearman = spearman(log_macs, measured);
  return baselines;
}

}  // namespace lathe::accuracy
