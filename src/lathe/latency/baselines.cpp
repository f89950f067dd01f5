#include "lathe/latency/baselines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/statistics.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/calibrate.h"
#include "lathe/latency/linear_model.h"

namespace lathe::latency {
namespace {

constexpr std::size_t kFolds = 10;

/// The constant of least relative error: the median weighted by 1 / latency.
double best_constant(std::vector<double> values) {
  std::ranges::sort(values);
  double total = 0.0;
  for (const double value : values) {
    total += 1 / value;
  }
  double sum = 0.0;
  for (const double value : values) {
    sum += 1 / value;
    if (sum >= total / 2) {
      return value;
    }
  }
  return values.back();
}

std::vector<double> latencies_of(std::span<const LatencySample> samples) {
  std::vector<double> ms;
  for (const LatencySample& sample : samples) {
    ms.push_back(sample.median_ms);
  }
  return ms;
}

std::vector<double> macs_of(const space::Space& space, std::span<const LatencySample> samples) {
  std::vector<double> macs;
  for (const LatencySample& sample : samples) {
    macs.push_back(static_cast<double>(graph::macs(space.graph(sample.arch))) / 1e6);
  }
  return macs;
}

struct Predictions {
  std::vector<double> mean;
  std::vector<double> macs_linear;
  std::vector<double> ridge;

  void add(const space::Space& space, std::span<const LatencySample> train,
           std::span<const LatencySample> validation) {
    const std::vector<double> known_ms = latencies_of(train);
    const double constant = best_constant(known_ms);
    const Correction line = fit_correction(macs_of(space, train), known_ms);
    const LinearModel linear = fit_linear_model(space, {}, train);
    const std::vector<double> macs = macs_of(space, validation);
    for (std::size_t i = 0; i < validation.size(); ++i) {
      mean.push_back(constant);
      macs_linear.push_back(line.apply(macs[i]));
      ridge.push_back(linear.predict_ms(validation[i].arch));
    }
  }

  BaselineErrors errors(const std::vector<double>& measured) const {
    return {.mean = model_error(mean, measured),
            .macs_linear = model_error(macs_linear, measured),
            .ridge = model_error(ridge, measured)};
  }
};

/// Between the medians of the even and of the odd turns, relative; nothing with fewer than 2 turns.
std::optional<double> difference_of_turns(const LatencySample& sample) {
  std::vector<double> halves[2];
  for (std::size_t turn = 0; turn < sample.rounds_ms.size(); ++turn) {
    halves[turn % 2].insert(halves[turn % 2].end(), sample.rounds_ms[turn].begin(),
                            sample.rounds_ms[turn].end());
  }
  if (halves[0].empty() || halves[1].empty()) {
    return std::nullopt;
  }
  const double even = median(halves[0]);
  const double odd = median(halves[1]);
  return 2 * std::abs(even - odd) / (even + odd);
}

}  // namespace

nlohmann::ordered_json to_json(const BaselineErrors& errors) {
  return {{"mean", to_json(errors.mean)},
          {"macs_linear", to_json(errors.macs_linear)},
          {"ridge", to_json(errors.ridge)}};
}

BaselineErrors baseline_errors(const space::Space& space, std::span<const LatencySample> train,
                               std::span<const LatencySample> validation) {
  Predictions predictions;
  predictions.add(space, train, validation);
  return predictions.errors(latencies_of(validation));
}

BaselineErrors cross_validated_baselines(const space::Space& space,
                                         std::span<const LatencySample> validation) {
  if (validation.size() < 2 * kFolds) {
    throw std::invalid_argument("[latency::cross_validated_baselines] needs at least " +
                                std::to_string(2 * kFolds) + " samples, got " +
                                std::to_string(validation.size()));
  }
  Predictions predictions;
  std::vector<double> measured;
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<LatencySample> rest;
    std::vector<LatencySample> part;
    for (std::size_t i = 0; i < validation.size(); ++i) {
      (i % kFolds == fold ? part : rest).push_back(validation[i]);
    }
    predictions.add(space, rest, part);
    const std::vector<double> ms = latencies_of(part);
    measured.insert(measured.end(), ms.begin(), ms.end());
  }
  return predictions.errors(measured);
}

nlohmann::ordered_json to_json(const Repeatability& r) {
  nlohmann::ordered_json json{{"between_runs", nullptr},
                              {"repeated_nets", r.repeated_nets},
                              {"between_turns", nullptr},
                              {"within_run", nullptr}};
  if (r.between_runs) json["between_runs"] = *r.between_runs;
  if (r.between_turns) json["between_turns"] = *r.between_turns;
  if (r.within_run) json["within_run"] = *r.within_run;
  return json;
}

Repeatability repeatability(std::span<const LatencySample> samples) {
  std::map<space::Arch, std::vector<double>> by_arch;
  std::vector<double> within;
  std::vector<double> turns;
  for (const LatencySample& sample : samples) {
    if (const auto difference = difference_of_turns(sample)) {
      // Each half has twice the whole's variance, and their difference four times.
      turns.push_back(*difference / 2);
    }
    by_arch[sample.arch].push_back(sample.median_ms);
    if (sample.repeats > 1) {
      // Of a normal distribution: the 90% quantile is 1.2816 deviations up, a median of n has a
      // deviation of sqrt(pi / 2 n), and the mean absolute error is sqrt(2 / pi) deviations.
      const double deviation = std::max(0.0, sample.p90_ms - sample.median_ms) / 1.2816;
      within.push_back(deviation / std::sqrt(sample.repeats) / sample.median_ms);
    }
  }
  Repeatability result;
  std::vector<double> between;
  for (const auto& [arch, ms] : by_arch) {
    for (std::size_t i = 1; i < ms.size(); ++i) {
      between.push_back(2 * std::abs(ms[i] - ms[i - 1]) / (ms[i] + ms[i - 1]) /
                        std::numbers::sqrt2);
    }
    result.repeated_nets += ms.size() > 1 ? 1 : 0;
  }
  if (!between.empty()) result.between_runs = mean(between);
  if (!turns.empty()) result.between_turns = mean(turns);
  if (!within.empty()) result.within_run = mean(within);
  return result;
}

}  // namespace lathe::latency
